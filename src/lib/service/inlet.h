/* SPDX-License-Identifier: Apache-2.0 */
/* Octets of a link until they are whole messages.
 *
 * A message that came whole is handled where it lies; only what is left over is copied. An owner
 * that cannot go on (its uplink is full) leaves messages in the inlet, stops reading from the link,
 * and runs the inlet again later. */
#pragma once

#include "lib/base/buf.h"

#define INLET_BYTES_MAX (512u << 10) /* what one link may leave waiting */
#define INLET_STALL_US (30 * 1000000ull) /* a message that began must be whole by then */

struct inlet {
    struct buf rest;
    uint64_t begun_us; /* when the message at the front of `rest` began; 0 = none has */
};

/* Takes one message off the front of `in`. OK: call again. ERR_AGAIN: it is not whole, or cannot be
 * handled now. Any other error: the link is lost. */
typedef err (*inlet_take)(void *arg, struct bytes *in);

void inlet_done(struct inlet *i);

/* Runs `take` over what waits and then `in` (which may be empty). ERR_LIMIT: too much waits; other
 * errors are those of `take`. */
err inlet_run(struct inlet *i, uint64_t now_us, struct bytes in, inlet_take take, void *arg)
    MUST_USE;

/* True when a message began too long ago. Not asked while the owner itself does not read. */
bool inlet_stalled(const struct inlet *i, uint64_t now_us);
