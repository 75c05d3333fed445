/* SPDX-License-Identifier: Apache-2.0 */
/* What the keys touched by one commit group look like while the group is being put together:
 * stored state at first, then that of the requests accepted so far. One thread. */
#pragma once

#include "store/kvs/engine.h"

/* A group has at most this many keys: a full batch behind requests of one key. */
#define GROUP_KEYS_MAX (2u * KVS_BATCH_OPS_MAX)

struct group_key {
    struct space *space; /* borrowed, like key and value, until group_clear */
    struct bytes key;
    uint32_t hash;
    uint32_t request; /* the newest one that named it; a request may name a key once */
    bool known;       /* the rest is filled in */
    bool present;
    bool stored;        /* the value is the stored one, not that of a request in this group */
    uint64_t rev;
    uint64_t value_len;
    struct bytes value; /* unless stored or an object */
    bool is_object;
    struct object_id object;
};

struct group {
    struct group_key *keys;
    size_t count, cap;
    uint32_t *slots; /* index into keys + 1, or 0 */
    size_t slot_count; /* a power of two, at least twice `count` */
};

/* The entry of a key, made when it is new. Pointers are valid until the next call. ERR_LIMIT. */
err group_touch(struct group *g, struct space *space, struct bytes key, struct group_key **out)
    MUST_USE;
void group_clear(struct group *g); /* forgets the keys, keeps the memory unless there is a lot */
void group_done(struct group *g);
