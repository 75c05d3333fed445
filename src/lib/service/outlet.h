/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on their way to a link: collected while one input is handled, then sent in one piece,
 * and kept whole when the link is full or gone. */
#pragma once

#include "lib/base/buf.h"
#include "lib/service/core.h"

#define OUTLET_BYTES_MAX (1u << 20)
#define OUTLET_PIECE_BYTES (64u << 10) /* more than this is sent at once */

struct outlet {
    struct buf waiting;
    bool full; /* the link took nothing the last time; `ready` of the core clears it */
};

void outlet_done(struct outlet *o);

/* Where a message is to be appended; the bound of the outlet is the buffer's. */
struct buf *outlet_buf(struct outlet *o);
err outlet_add(struct outlet *o, struct bytes message) MUST_USE;

/* Sends what waits. True when nothing waits any more; false: the link is full or gone, and all of
 * it is kept. */
bool outlet_flush(struct outlet *o, const struct host *host, uint64_t link);
bool outlet_is_long(const struct outlet *o); /* time to flush although more may come */
