/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/aggregator/routes.h"

#include <assert.h>

#include <utlist.h>

#include "lib/base/map.h"

#define OWNER_SHARE 4 /* a link may fill a quarter of the table */

struct route {
    uint64_t meter;
    struct route_owner *owner;
    struct route *prev, *next; /* of the owner */
    bool map_full;
    UT_hash_handle hh;
};

static struct route *find(const struct routes *r, uint64_t meter)
{
    struct route *found;

    HASH_FIND(hh, r->by_meter, &meter, sizeof meter, found);
    return found;
}

static void drop(struct routes *r, struct route *route)
{
    DL_DELETE(route->owner->oldest, route);
    route->owner->count--;
    assert(r->by_meter != NULL);
    HASH_DEL(r->by_meter, route);
    r->count--;
    mem_give(route);
}

static void give(struct route *route, struct route_owner *owner)
{
    route->owner = owner;
    DL_APPEND(owner->oldest, route);
    owner->count++;
}

static err add(struct routes *r, struct route_owner *owner, uint64_t meter)
{
    struct route *route = mem_take(sizeof *route);

    if (route == NULL) {
        FAIL(ERR_LIMIT, "no memory for a route");
    }
    route->meter = meter;
    HASH_ADD(hh, r->by_meter, meter, sizeof route->meter, route);
    if (route->map_full) {
        mem_give(route);
        FAIL(ERR_LIMIT, "no memory for a route");
    }
    r->count++;
    give(route, owner);
    return OK;
}

err routes_learn(struct routes *r, struct route_owner *owner, uint64_t meter, bool *moved)
{
    struct route *known = find(r, meter);

    *moved = known != NULL && known->owner != owner;
    if (known != NULL) {
        if (*moved) {
            DL_DELETE(known->owner->oldest, known);
            known->owner->count--;
            give(known, owner);
        }
        return OK;
    }
    bool full = r->count >= r->count_max;
    bool share_is_used = owner->count >= (r->count_max + OWNER_SHARE - 1) / OWNER_SHARE;
    if (full && owner->count == 0) {
        FAIL(ERR_LIMIT, "%zu meters are routed, no more are possible", r->count_max);
    }
    if (full || share_is_used) {
        drop(r, owner->oldest);
    }
    return add(r, owner, meter);
}

bool routes_find(const struct routes *r, uint64_t meter, uint64_t *out_link)
{
    const struct route *known = find(r, meter);

    if (known == NULL) {
        return false;
    }
    *out_link = known->owner->link;
    return true;
}

void routes_forget(struct routes *r, struct route_owner *owner)
{
    while (owner->oldest != NULL) {
        drop(r, owner->oldest);
    }
}
