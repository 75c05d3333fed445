/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of many pages sees one state of the store: its snapshot stays between the requests,
 * under a handle. RocksDB keeps old versions for it, compaction keeps what expires, and replaced
 * objects stay; so there are few, and none stays for ever. */
#include <assert.h>

#include "lib/base/clock.h"
#include "lib/crypto/random.h"
#include "store/kvs/engine_impl.h"

#define IDLE_US (60 * US_PER_S)

void engine_snapshots_init(struct engine *e)
{
    pthread_mutex_init(&e->snapshots_lock, NULL);
    atomic_store(&e->snapshot_oldest_s, UINT64_MAX);
    atomic_store(&e->snapshot_oldest_us, UINT64_MAX);
    if (e->options.snapshot_idle_us == 0) {
        e->options.snapshot_idle_us = IDLE_US;
    }
}

/* All below hold the lock, but for the public ones. */

static void oldest_look(struct engine *e)
{
    uint64_t s = UINT64_MAX;
    uint64_t us = UINT64_MAX;

    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        const struct snapshot_slot *slot = &e->snapshots[i];
        if (slot->rocks != NULL) {
            s = slot->utc_s < s ? slot->utc_s : s;
            us = slot->made_us < us ? slot->made_us : us;
        }
    }
    atomic_store(&e->snapshot_oldest_s, s);
    atomic_store(&e->snapshot_oldest_us, us);
}

static void slot_free(struct engine *e, struct snapshot_slot *slot)
{
    assert(slot->readers == 0);
    rocksdb_release_snapshot(e->rocks, slot->rocks);
    *slot = (struct snapshot_slot){ 0 };
    oldest_look(e);
}

/* As soon as nobody reads at it. */
static void slot_drop(struct engine *e, struct snapshot_slot *slot)
{
    slot->dropped = true;
    if (slot->readers == 0) {
        slot_free(e, slot);
    }
}

static bool slot_is_over(const struct engine *e, const struct snapshot_slot *slot, uint64_t now_us)
{
    return slot->readers == 0 && (now_us - slot->used_us >= e->options.snapshot_idle_us ||
                                  now_us - slot->made_us >= SNAPSHOT_LIFE_US);
}

static void expire(struct engine *e, uint64_t now_us)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        if (e->snapshots[i].rocks != NULL && slot_is_over(e, &e->snapshots[i], now_us)) {
            slot_free(e, &e->snapshots[i]);
        }
    }
}

/* The one unused for longest, of `owner` or (NULL) of all; NULL when each is being read. */
static struct snapshot_slot *idlest(struct engine *e, const void *owner)
{
    struct snapshot_slot *found = NULL;

    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        struct snapshot_slot *slot = &e->snapshots[i];
        if (slot->rocks != NULL && slot->readers == 0 && (owner == NULL || slot->owner == owner) &&
            (found == NULL || slot->used_us < found->used_us)) {
            found = slot;
        }
    }
    return found;
}

/* A free slot, at need that of the idlest: where the owner has many, one of its own, so that nobody
 * takes the places of others by asking again and again. */
static struct snapshot_slot *slot_take(struct engine *e, const void *owner)
{
    struct snapshot_slot *slot = NULL;
    size_t own = 0;

    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        if (e->snapshots[i].rocks == NULL) {
            slot = &e->snapshots[i];
        } else {
            own += e->snapshots[i].owner == owner;
        }
    }
    if (slot == NULL) {
        slot = idlest(e, own >= SNAPSHOTS_EACH_MAX ? owner : NULL);
        if (slot != NULL) {
            slot_free(e, slot);
        }
    }
    return slot;
}

static struct snapshot_slot *slot_find(struct engine *e, uint64_t handle, const void *owner)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        struct snapshot_slot *slot = &e->snapshots[i];
        if (slot->rocks != NULL && !slot->dropped && slot->handle == handle &&
            slot->owner == owner) {
            return slot;
        }
    }
    return NULL;
}

static err gone(void)
{
    FAIL(ERR_MISSING, "the snapshot is gone");
}

static err handle_begin(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                        struct snapshot *out)
{
    expire(e, time_monotonic_us());
    struct snapshot_slot *slot = slot_find(e, ask->handle, ask->owner);
    if (slot == NULL || slot->space_id != s->id) {
        return gone();
    }
    slot->readers++;
    *out = (struct snapshot){ slot->rocks, slot->handle, slot->utc_s };
    return OK;
}

err engine_snapshot_begin(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                          struct snapshot *out)
{
    if (ask->handle == 0) {
        /* The time first: what expires in between is there at most too long. */
        uint64_t now_s = engine_utc_s(e);
        *out = (struct snapshot){ .rocks = rocksdb_create_snapshot(e->rocks), .utc_s = now_s };
        return OK;
    }
    pthread_mutex_lock(&e->snapshots_lock);
    err result = handle_begin(e, ask, s, out);
    pthread_mutex_unlock(&e->snapshots_lock);
    return result;
}

static err keep(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                struct snapshot *snapshot)
{
    uint64_t now_us = time_monotonic_us();

    expire(e, now_us);
    struct snapshot_slot *slot = slot_take(e, ask->owner);
    if (slot == NULL) {
        FAIL(ERR_CONFLICT, "%d snapshots are being read", SNAPSHOTS_MAX);
    }
    while (snapshot->handle == 0) { /* zero is no handle */
        random_fill(&snapshot->handle, sizeof snapshot->handle);
    }
    *slot = (struct snapshot_slot){ .rocks = snapshot->rocks, .handle = snapshot->handle,
                                    .owner = ask->owner, .space_id = s->id,
                                    .utc_s = snapshot->utc_s, .made_us = now_us,
                                    .used_us = now_us, .readers = 1 };
    oldest_look(e);
    return OK;
}

err engine_snapshot_keep(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                         struct snapshot *snapshot)
{
    if (snapshot->handle != 0) {
        return OK;
    }
    pthread_mutex_lock(&e->snapshots_lock);
    err result = keep(e, ask, s, snapshot);
    pthread_mutex_unlock(&e->snapshots_lock);
    return result;
}

static void handle_end(struct engine *e, const struct snapshot *snapshot, bool keep_it)
{
    struct snapshot_slot *slot = e->snapshots;

    while (slot->rocks != snapshot->rocks) { /* it is there: a snapshot that is read stays */
        slot++;
        assert(slot < e->snapshots + SNAPSHOTS_MAX);
    }
    slot->readers--;
    slot->used_us = time_monotonic_us();
    if (!keep_it || slot->dropped) {
        slot_drop(e, slot);
    }
}

void engine_snapshot_end(struct engine *e, struct snapshot *snapshot, bool keep_it)
{
    if (snapshot->rocks == NULL) {
        return;
    }
    if (snapshot->handle == 0) {
        rocksdb_release_snapshot(e->rocks, snapshot->rocks);
    } else {
        pthread_mutex_lock(&e->snapshots_lock);
        handle_end(e, snapshot, keep_it);
        pthread_mutex_unlock(&e->snapshots_lock);
    }
    *snapshot = (struct snapshot){ 0 };
}

err engine_snapshot_drop(struct engine *e, uint64_t handle, const void *owner)
{
    pthread_mutex_lock(&e->snapshots_lock);
    struct snapshot_slot *slot = slot_find(e, handle, owner);
    if (slot != NULL) {
        slot_drop(e, slot);
    }
    pthread_mutex_unlock(&e->snapshots_lock);
    return slot != NULL ? OK : gone();
}

void engine_snapshots_expire(struct engine *e)
{
    pthread_mutex_lock(&e->snapshots_lock);
    expire(e, time_monotonic_us());
    pthread_mutex_unlock(&e->snapshots_lock);
}

size_t engine_snapshot_count(struct engine *e)
{
    size_t count = 0;

    pthread_mutex_lock(&e->snapshots_lock);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        count += e->snapshots[i].rocks != NULL;
    }
    pthread_mutex_unlock(&e->snapshots_lock);
    return count;
}

void engine_snapshots_done(struct engine *e)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        if (e->snapshots[i].rocks != NULL) {
            slot_free(e, &e->snapshots[i]);
        }
    }
}
