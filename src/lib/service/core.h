/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between a core and the world.
 *
 * Cores (meter, aggregator, authenticator, collector) do no I/O: octets and time go in, octets and
 * timers come out through a `struct host`. lib/net drives them in production, tests/sim with a
 * seeded queue, lost messages, crashes and clock jumps.
 *
 * Two clocks: now_us, given to each call, is monotonic and only for timers; utc_us may jump and is
 * only for labels and freshness, never for order. */
#pragma once

#include "lib/base/bytes.h"

struct host {
    void *self;
    /* Octets for a link; borrowed until return. ERR_LIMIT: the link is full, nothing was taken and
     * the core's link_ready is called later. ERR_CLOSED: the link is gone. */
    err (*send)(void *self, uint64_t link, struct bytes octets);
    /* Ends a link; the core hears no more of it. */
    void (*close)(void *self, uint64_t link);
    /* Stops and resumes reading from a link: back-pressure to its peer. */
    void (*hold)(void *self, uint64_t link, bool on);
    /* The core's tick is to be called at this time or soon after; replaces an earlier wish. */
    void (*wake_at)(void *self, uint64_t at_us);
    uint64_t (*utc_us)(void *self);
    void (*random)(void *self, void *out, size_t size);
};
