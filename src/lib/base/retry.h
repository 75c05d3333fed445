/* SPDX-License-Identifier: Apache-2.0 */
/* Pauses between attempts at what does not work yet, a peer that is still starting above all: from
 * 100 ms, each half as long again as the one before, so that hardly more time is lost at the end
 * than was needed, up to a bound.
 *
 *     struct retry r = { .max_us = US_PER_S };
 *     loop_timer_at(&timer, loop_now_us(loop) + retry_pause_us(&r)); ... retry_reset(&r); */
#pragma once

#include <stdint.h>

#define RETRY_FIRST_US UINT64_C(100000)

struct retry {
    uint64_t max_us;  /* no pause is longer; at least RETRY_FIRST_US */
    uint64_t last_us; /* 0: nothing has failed yet */
};

uint64_t retry_pause_us(struct retry *r); /* before the next attempt */
void retry_reset(struct retry *r);        /* it worked: the next pause is the first again */
