/* SPDX-License-Identifier: Apache-2.0 */
/* A document that is read is written as the same octets: no field is lost, no text has a twin. */
#include <assert.h>

#include "lib/wire/tariff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct bytes in = { data, size };
    struct calendar c;
    struct tariff t;

    if (!tariff_parse(in, &t).code) {
        err e = tariff_write(&t, &again);
        assert(!e.code && bytes_equal(in, buf_bytes(&again)));
    }
    if (!calendar_parse(in, &c).code) {
        err e = calendar_write(&c, &again);
        assert(!e.code && bytes_equal(in, buf_bytes(&again)));
    }
    return 0;
}
