/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/ranges.h"

#include <assert.h>
#include <string.h>

static void remove_at(struct ranges *r, uint32_t at, uint32_t count)
{
    memmove(&r->above[at], &r->above[at + count], (r->count - at - count) * sizeof r->above[0]);
    r->count -= count;
}

/* Ranges that the mark has reached become part of it. */
static void raise_mark(struct ranges *r)
{
    uint32_t done = 0;

    while (done < r->count && r->above[done].first <= r->mark + 1) {
        if (r->above[done].last > r->mark) {
            r->mark = r->above[done].last;
        }
        done++;
    }
    remove_at(r, 0, done);
}

static void insert(struct ranges *r, struct range n)
{
    uint32_t at = 0;

    while (at < r->count && r->above[at].last + 1 < n.first) {
        at++;
    }
    uint32_t end = at; /* those that touch the new one are joined to it */
    while (end < r->count && r->above[end].first <= n.last + 1) {
        n.first = r->above[end].first < n.first ? r->above[end].first : n.first;
        n.last = r->above[end].last > n.last ? r->above[end].last : n.last;
        end++;
    }
    remove_at(r, at, end - at);
    if (r->count == RANGES_MAX) {
        if (at == RANGES_MAX) {
            return; /* the highest: forgotten */
        }
        r->count--;
    }
    memmove(&r->above[at + 1], &r->above[at], (r->count - at) * sizeof n);
    r->above[at] = n;
    r->count++;
}

void ranges_add(struct ranges *r, uint32_t first, uint32_t last)
{
    assert(first <= last && last < UINT32_MAX);
    if (last <= r->mark) {
        return;
    }
    if (first <= r->mark + 1) {
        r->mark = last;
    } else {
        insert(r, (struct range){ first, last });
    }
    raise_mark(r);
}

bool ranges_have(const struct ranges *r, uint32_t sequence)
{
    if (sequence <= r->mark) {
        return true;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        if (sequence >= r->above[i].first && sequence <= r->above[i].last) {
            return true;
        }
    }
    return false;
}

bool ranges_hole(const struct ranges *r, uint32_t newest, struct range *out)
{
    uint32_t last = r->count > 0 ? r->above[0].first - 1 : newest;

    if (last <= r->mark) {
        return false;
    }
    *out = (struct range){ r->mark + 1, last };
    return true;
}
