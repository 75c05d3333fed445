/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of cores: a host that keeps what the core sends and does, link by link. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/rand.h"
#include "lib/service/core.h"

#define FAKE_LINKS_MAX 64

struct fake_link {
    uint64_t id;
    struct buf sent; /* since the test last cleared it */
    bool full;       /* sends answer ERR_LIMIT */
    bool gone;       /* sends answer ERR_CLOSED */
    bool held;
    bool closed; /* by the core */
};

struct fake_host {
    struct host host; /* give this to the core */
    struct fake_link links[FAKE_LINKS_MAX];
    size_t count;
    uint64_t wake_at_us;
    uint64_t utc_us;
    struct rand64 random;
};

void fake_host_init(struct fake_host *f);
void fake_host_done(struct fake_host *f);
/* The link of that id, made when it is new. */
struct fake_link *fake_host_link(struct fake_host *f, uint64_t id);
struct bytes fake_host_sent(struct fake_host *f, uint64_t id);
void fake_host_clear(struct fake_host *f); /* forgets what was sent on all links */
