/* SPDX-License-Identifier: Apache-2.0 */
/* What is read as canonical is written as the same octets; nothing else is read. */
#include <assert.h>

#include "lib/wire/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_freep) json_t *doc = NULL;
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct bytes in = { data, size };

    if (!canon_read(in, &doc).code) {
        err e = canon_write(doc, &again);
        assert(!e.code && bytes_equal(in, buf_bytes(&again)));
    }
    return 0;
}
