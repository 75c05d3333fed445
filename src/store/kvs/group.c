/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/group.h"

#include <string.h>

#include "lib/base/map.h"

#define SLOTS_FIRST 4096
#define SLOTS_KEPT (1u << 16) /* above it the memory goes back after the group */

static size_t slot_of(const struct group *g, const struct space *space, struct bytes key,
                      uint32_t hash)
{
    size_t mask = g->slot_count - 1;
    size_t at = hash & mask;

    while (g->slots[at] != 0) {
        const struct group_key *k = &g->keys[g->slots[at] - 1];
        if (k->hash == hash && k->space == space && bytes_equal(k->key, key)) {
            break;
        }
        at = (at + 1) & mask;
    }
    return at;
}

static void slots_refill(struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct group_key *k = &g->keys[i];
        g->slots[slot_of(g, k->space, k->key, k->hash)] = (uint32_t)i + 1;
    }
}

static err grow(struct group *g)
{
    size_t slot_count = g->slot_count > 0 ? 2 * g->slot_count : SLOTS_FIRST;
    size_t cap = slot_count / 2;

    if (g->count >= GROUP_KEYS_MAX) {
        FAIL(ERR_LIMIT, "more than %u keys in a commit group", GROUP_KEYS_MAX);
    }
    struct group_key *keys = mem_resize(g->keys, cap * sizeof *keys);
    if (keys == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu keys of a commit group", cap);
    }
    g->keys = keys;
    g->cap = cap;
    uint32_t *slots = mem_take(slot_count * sizeof *slots);
    if (slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu keys of a commit group", cap);
    }
    mem_give(g->slots);
    g->slots = slots;
    g->slot_count = slot_count;
    slots_refill(g);
    return OK;
}

err group_touch(struct group *g, struct space *space, struct bytes key, struct group_key **out)
{
    uint32_t hash = map_hash(key.ptr, key.len) ^ space->id;

    if (2 * g->count >= g->slot_count) {
        TRY(grow(g));
    }
    size_t at = slot_of(g, space, key, hash);
    if (g->slots[at] == 0) {
        g->keys[g->count] = (struct group_key){ .space = space, .key = key, .hash = hash };
        g->slots[at] = (uint32_t)++g->count;
    }
    *out = &g->keys[g->slots[at] - 1];
    return OK;
}

void group_clear(struct group *g)
{
    if (g->slot_count > SLOTS_KEPT) {
        group_done(g);
        return;
    }
    if (g->count > 0) {
        memset(g->slots, 0, g->slot_count * sizeof *g->slots);
    }
    g->count = 0;
}

void group_done(struct group *g)
{
    mem_give(g->keys);
    mem_give(g->slots);
    *g = (struct group){ 0 };
}
