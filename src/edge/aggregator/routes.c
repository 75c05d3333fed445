/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/aggregator/routes.h"

#include <utlist.h>

#include "lib/base/map.h"

struct route {
    uint64_t meter;
    struct route_owner *owner;
    struct route *prev, *next; /* of the owner */
    struct route *later;       /* the next link of the meter; only the first is in the table */
    bool map_full;
    UT_hash_handle hh;
};

static struct route *find(const struct routes *r, uint64_t meter)
{
    struct route *found;

    HASH_FIND(hh, r->by_meter, &meter, sizeof meter, found);
    return found;
}

static void owner_lose(struct routes *r, struct route *route)
{
    struct route_owner *owner = route->owner;

    DL_DELETE(owner->oldest, route);
    owner->count--;
    if (owner->count == 0) {
        DL_DELETE(r->owners, owner);
    }
}

/* The node in the table stays as long as the meter has any link, so that nothing here needs memory:
 * it takes over what the next one stands for. */
static void drop(struct routes *r, struct route *route)
{
    struct route *at = find(r, route->meter);
    struct route *gone = route;

    owner_lose(r, route);
    if (at == route && route->later == NULL) {
        HASH_DEL(r->by_meter, route);
    } else if (at == route) {
        gone = route->later;
        DL_REPLACE_ELEM(gone->owner->oldest, gone, route);
        route->owner = gone->owner;
        route->later = gone->later;
    } else {
        while (at->later != route) {
            at = at->later;
        }
        at->later = route->later;
    }
    r->count--;
    mem_give(gone);
}

static void give(struct routes *r, struct route *route, struct route_owner *owner)
{
    route->owner = owner;
    DL_APPEND(owner->oldest, route);
    if (owner->count++ == 0) {
        DL_APPEND(r->owners, owner);
    }
    r->count++;
}

static err add(struct routes *r, struct route_owner *owner, uint64_t meter)
{
    struct route *first = find(r, meter);
    struct route *route = mem_take(sizeof *route);

    if (route == NULL) {
        FAIL(ERR_LIMIT, "no memory for a route");
    }
    route->meter = meter;
    if (first == NULL) {
        HASH_ADD(hh, r->by_meter, meter, sizeof route->meter, route);
        if (route->map_full) {
            mem_give(route);
            FAIL(ERR_LIMIT, "no memory for a route");
        }
    } else {
        LL_APPEND2(first, route, later);
    }
    give(r, route, owner);
    return OK;
}

static err make_room(struct routes *r, const struct route_owner *for_owner)
{
    struct route_owner *o, *most = NULL;

    DL_FOREACH(r->owners, o)
    {
        most = most == NULL || o->count > most->count ? o : most;
    }
    if (most == NULL || (most->count <= 1 && most != for_owner)) {
        FAIL(ERR_LIMIT, "%zu meters are routed, no more are possible", r->count_max);
    }
    drop(r, most->oldest);
    return OK;
}

err routes_learn(struct routes *r, struct route_owner *owner, uint64_t meter, bool *moved)
{
    struct route *at = find(r, meter);
    struct route *newest = NULL;
    size_t links = 0;

    *moved = at != NULL && at->owner != owner;
    for (; at != NULL; at = at->later) {
        if (at->owner == owner) {
            return OK;
        }
        newest = at;
        links++;
    }
    if (links == ROUTES_OF_METER_MAX) {
        drop(r, newest);
    } else if (r->count >= r->count_max) {
        TRY(make_room(r, owner));
    }
    return add(r, owner, meter);
}

size_t routes_find(const struct routes *r, uint64_t meter, uint64_t out_links[ROUTES_OF_METER_MAX])
{
    size_t count = 0;

    for (const struct route *at = find(r, meter); at != NULL; at = at->later) {
        out_links[count++] = at->owner->link;
    }
    return count;
}

size_t routes_meters(const struct routes *r)
{
    return HASH_COUNT(r->by_meter);
}

void routes_forget(struct routes *r, struct route_owner *owner)
{
    while (owner->oldest != NULL) {
        drop(r, owner->oldest);
    }
}
