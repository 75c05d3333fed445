/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is taken from a key is written again to the same octets. */
#include <assert.h>

#include "lib/wire/tuple.h"

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf scratch = { .max = INPUT_MAX };
    AUTO(buf_done) struct buf again = { .max = 2 * INPUT_MAX };
    struct bytes in = { data, size < INPUT_MAX ? size : INPUT_MAX };
    struct tuple_value v;

    while (!tuple_take(&in, &scratch, &v).code) {
        err e = tuple_put(&again, &v);
        assert(!e.code);
    }
    assert(bytes_equal(buf_bytes(&again), (struct bytes){ data, again.len }));
    return 0;
}
