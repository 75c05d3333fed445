/* SPDX-License-Identifier: Apache-2.0 */
/* A document that is read is written as the same octets: no field is lost, no text has a twin. */
#include <assert.h>

#include "lib/wire/bill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct bytes in = { data, size };
    struct bill b;

    if (!bill_parse(in, &b).code) {
        err e = bill_write(&b, &again);
        assert(!e.code && bytes_equal(in, buf_bytes(&again)));
    }
    return 0;
}
