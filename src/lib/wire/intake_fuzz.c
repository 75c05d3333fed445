/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of any octets: each message that is taken off it has one encoding, the one it came in.
 */
#include <assert.h>

#include "lib/wire/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf again = { .max = INTAKE_MESSAGE_BYTES_MAX };
    struct bytes in = { data, size };
    struct bytes before = in;
    struct intake_message m;

    while (!intake_take(&in, &m).code) {
        buf_clear(&again);
        err e = intake_encode(&m, &again);
        assert(!e.code);
        assert(bytes_equal(buf_bytes(&again), (struct bytes){ before.ptr, before.len - in.len }));
        before = in;
    }
    return 0;
}
