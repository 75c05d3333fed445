/* SPDX-License-Identifier: Apache-2.0 */
/* Where each meter is heard: meter id -> links.
 *
 * Frames are sealed end to end, so an id in a header proves nothing here: anybody who reaches the
 * meters' side can claim any meter. So a claim takes nothing away from another link. A meter is
 * answered on up to four links, of which the first keep their place until they end; and in a full
 * table, room is made by the link with the most routes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define ROUTES_OF_METER_MAX 4

struct route;

struct route_owner { /* one a link: its routes, oldest first */
    uint64_t link;
    struct route *oldest;
    size_t count;
    struct route_owner *prev, *next; /* those with any route */
};

struct routes {
    struct route *by_meter;
    struct route_owner *owners;
    size_t count;
    size_t count_max;
};

/* The meter was heard on the owner's link. *moved: it is also known on another. ERR_LIMIT: the
 * table is full of links with a single route, or memory is full. */
err routes_learn(struct routes *r, struct route_owner *owner, uint64_t meter, bool *moved) MUST_USE;
/* How many links the meter was heard on, and which, the first first. */
size_t routes_find(const struct routes *r, uint64_t meter, uint64_t out_links[ROUTES_OF_METER_MAX]);
size_t routes_meters(const struct routes *r);
void routes_forget(struct routes *r, struct route_owner *owner); /* all of a link that ended */
