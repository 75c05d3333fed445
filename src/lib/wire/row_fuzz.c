/* SPDX-License-Identifier: Apache-2.0 */
/* A row that opens can be read slot by slot without leaving its octets. */
#include <assert.h>

#include "lib/wire/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row r;

    if (row_open((struct bytes){ data, size }, &r).code) {
        return 0;
    }
    for (uint16_t slot = 0; slot < r.slots; slot++) {
        struct bytes text;
        assert(!row_is_null(&r, slot) || row_int(&r, slot) == 0);
        if (!row_octets(&r, slot, &text).code && text.len > 0) {
            assert(text.ptr >= data && text.ptr + text.len <= data + size);
        }
    }
    return 0;
}
