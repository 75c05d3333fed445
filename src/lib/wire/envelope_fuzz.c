/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of any octets: what is taken off it encodes again to the same header. */
#include <assert.h>

#include "lib/wire/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };
    struct envelope e;
    struct bytes frame;
    uint8_t header[ENVELOPE_HEADER_BYTES];
    struct signal s;
    uint8_t octets[SIGNAL_BYTES];

    while (!envelope_take(&in, &e, &frame).code) {
        assert(frame.len == ENVELOPE_HEADER_BYTES + (size_t)e.length);
        assert(frame.len <= ENVELOPE_FRAME_BYTES_MAX);
        envelope_encode(&e, header);
        assert(bytes_have_prefix(frame, BYTES_OF(header)));
    }
    if (!signal_parse((struct bytes){ data, size }, &s).code) {
        signal_encode(&s, octets);
        assert(bytes_equal((struct bytes){ data, size }, BYTES_OF(octets)));
    }
    return 0;
}
