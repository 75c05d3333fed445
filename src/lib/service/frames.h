/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes of a peer that is not trusted (docs/protocol.md 3.5): one bad frame is dropped and
 * counted, the sixteenth within a minute ends the link, and so does a length that no frame of its
 * type can have, because what follows it cannot be found. */
#pragma once

#include "lib/wire/envelope.h"

#define FRAMES_BAD_MAX 16
#define FRAMES_BAD_PERIOD_US (60 * 1000000ull)

struct frames_guard {
    uint32_t bad_count;
    uint64_t period_us; /* when the minute began */
};

/* Takes one frame off the front of `in`. OK with out_frame->len 0: a bad one was dropped.
 * ERR_AGAIN: it is not whole. ERR_PROTO, ERR_LIMIT: end the link. */
err frames_take(struct frames_guard *g, uint64_t now_us, struct bytes *in, struct envelope *out,
                struct bytes *out_frame) MUST_USE;

/* One more bad frame, found by the caller. ERR_LIMIT: it was one too many. */
err frames_bad(struct frames_guard *g, uint64_t now_us) MUST_USE;
