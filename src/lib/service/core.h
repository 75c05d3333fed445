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

/* What a host calls; the same for every core that lives on links, so that one host drives them all.
 * A core has at most one uplink: the link that its host opens, and opens again when it ends. */
struct core_ops {
    /* A link can be used. An error refuses it: the host ends it and says no more of it. */
    err (*opened)(void *core, uint64_t now_us, uint64_t link, bool uplink);
    /* Octets came; borrowed until return. An error ends the link: the host closes it, then calls
     * `closed`. */
    err (*octets)(void *core, uint64_t now_us, uint64_t link, struct bytes in);
    void (*closed)(void *core, uint64_t now_us, uint64_t link);
    /* A link that was full has room again. */
    void (*ready)(void *core, uint64_t now_us, uint64_t link);
    void (*tick)(void *core, uint64_t now_us);
};
