/* SPDX-License-Identifier: Apache-2.0 */
/* Where each meter was last heard: meter id -> link.
 *
 * Frames are sealed end to end, so an id in a header proves nothing here. The table is therefore
 * bounded, and a link that speaks for too many meters pushes out only routes of its own. */
#pragma once

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct route;

struct route_owner { /* one a link: its routes, oldest first */
    uint64_t link;
    struct route *oldest;
    size_t count;
};

struct routes {
    struct route *by_meter;
    size_t count;
    size_t count_max;
};

/* The meter was heard on the owner's link. *moved: it was known on another. ERR_LIMIT: the table is
 * full and the owner has no route to give up, or memory is full. */
err routes_learn(struct routes *r, struct route_owner *owner, uint64_t meter, bool *moved) MUST_USE;
bool routes_find(const struct routes *r, uint64_t meter, uint64_t *out_link);
void routes_forget(struct routes *r, struct route_owner *owner); /* all of a link that ended */
