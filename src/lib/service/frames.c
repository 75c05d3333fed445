/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/frames.h"

#include "lib/crypto/aead.h"
#include "lib/wire/nbr.h"

enum { AT_TYPE = 3, AT_LENGTH = 6 };

#define CLOSE_BODY_BYTES 4

/* Types without a length of their own are dropped like any bad frame. */
static bool length_is_possible(uint8_t type, size_t length)
{
    switch (type) {
    case ENVELOPE_CMD:   return length == NBR_COMMAND_BYTES + AEAD_TAG_BYTES;
    case ENVELOPE_RSP:
    case ENVELOPE_PUSH:  return length == NBR_RESPONSE_BYTES + AEAD_TAG_BYTES;
    case ENVELOPE_SIG:   return length == SIGNAL_BYTES + AEAD_TAG_BYTES;
    case ENVELOPE_CLOSE: return length == CLOSE_BODY_BYTES ||
                                length == CLOSE_BODY_BYTES + AEAD_TAG_BYTES;
    default:             return length <= ENVELOPE_BODY_BYTES_MAX;
    }
}

err frames_bad(struct frames_guard *g, uint64_t now_us)
{
    if (g->bad_count == 0 || now_us - g->period_us >= FRAMES_BAD_PERIOD_US) {
        g->period_us = now_us;
        g->bad_count = 0;
    }
    if (++g->bad_count >= FRAMES_BAD_MAX) {
        FAIL(ERR_LIMIT, "%d bad frames within a minute", FRAMES_BAD_MAX);
    }
    return OK;
}

err frames_take(struct frames_guard *g, uint64_t now_us, struct bytes *in, struct envelope *out,
                struct bytes *out_frame)
{
    if (in->len < ENVELOPE_HEADER_BYTES) {
        FAIL(ERR_AGAIN, "%zu octets of a header", in->len);
    }
    struct envelope e;
    size_t length = load_u16(in->ptr + AT_LENGTH);
    bool good = !envelope_parse((struct bytes){ in->ptr, ENVELOPE_HEADER_BYTES }, &e).code;
    if (!good && !length_is_possible(in->ptr[AT_TYPE], length)) {
        FAIL(ERR_PROTO, "length %zu is not one of frame type %u", length, in->ptr[AT_TYPE]);
    }
    if (in->len < ENVELOPE_HEADER_BYTES + length) {
        FAIL(ERR_AGAIN, "%zu octets of a frame", in->len);
    }
    if (!good) {
        TRY(frames_bad(g, now_us));
    }
    struct bytes frame;
    TRY(bytes_read(in, ENVELOPE_HEADER_BYTES + length, &frame));
    *out = good ? e : (struct envelope){ 0 };
    *out_frame = good ? frame : (struct bytes){ 0 };
    return OK;
}
