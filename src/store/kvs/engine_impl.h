/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the engine. */
#pragma once

#include <pthread.h>

#include "store/kvs/engine.h"

#define META_REV "rev"
#define META_SPACE_ID "space_id" /* the last id given: never given again */
#define META_SPACE "s/"
#define META_USAGE "u/"
#define META_OBJECTS "o/" /* this space has objects */

#define ENGINE_OBJECTS_MAX 1000000 /* as many as a volume has files */

struct snapshot_slot {
    const rocksdb_snapshot_t *rocks; /* NULL: free */
    uint64_t handle;
    const void *owner;
    uint32_t space_id;
    uint64_t utc_s;
    uint64_t made_us, used_us;
    unsigned readers; /* requests under way */
    bool dropped;     /* goes with the last of them */
};

struct engine {
    struct volume *volume; /* borrowed */
    struct kvs_db *db;
    rocksdb_t *rocks;
    rocksdb_column_family_handle_t *meta, *objects;
    rocksdb_writeoptions_t *sync, *sync_unless_stalled;
    rocksdb_readoptions_t *read, *read_cached;
    struct engine_options options;
    _Atomic uint64_t rev;

    pthread_mutex_t lock;  /* the list of spaces, and settings that change */
    struct space *spaces;  /* alive */
    struct space *dropped; /* waiting for their last reference; the committer's */
    size_t space_count;
    uint32_t space_id;

    pthread_mutex_t objects_lock;
    struct buf abandoned; /* rows of (time u64, id[16]), oldest first */

    pthread_mutex_t snapshots_lock;
    struct snapshot_slot snapshots[SNAPSHOTS_MAX];
    /* When the oldest of them was made; UINT64_MAX without any. */
    _Atomic uint64_t snapshot_oldest_s, snapshot_oldest_us;

    uint64_t disk_look_us; /* the committer's */
    bool disk_has_room;
    uint64_t resume_next_us; /* the committer's, too */
    unsigned resume_failures; /* in a row */
};

/* --- engine.c --- */

err engine_get_raw(struct engine *e, rocksdb_column_family_handle_t *family, struct bytes key,
                   const rocksdb_readoptions_t *how, rocksdb_pinnableslice_t **out) MUST_USE;
struct bytes engine_pinned(const rocksdb_pinnableslice_t *pin);
void engine_batch_put(rocksdb_writebatch_t *batch, rocksdb_column_family_handle_t *family,
                      const char *key, struct bytes value);
/* "u/0000beef": what is kept for a space under its id. */
void engine_id_key(const char *prefix, const struct space *s, char out[16]);
err engine_write_sync(struct engine *e, rocksdb_writebatch_t *batch) MUST_USE;
/* ERR_LIMIT: the disk is full, and so is the log. To be asked before whatever RocksDB writes to it:
 * a commit without room would end all writing. */
err engine_log_check(struct engine *e, uint64_t bytes) MUST_USE;

/* --- engine_snapshot.c --- */

void engine_snapshots_init(struct engine *e);
void engine_snapshots_done(struct engine *e); /* before the database is closed */

/* --- engine_space.c --- */

err engine_spaces_load(struct engine *e) MUST_USE;
void engine_spaces_free(struct space *s);
/* Drops families of spaces whose making or dropping was cut short. */
err engine_orphans_drop(struct engine *e) MUST_USE;
/* Puts changed figures of quotas into a batch. */
void engine_usages_put(struct engine *e, rocksdb_writebatch_t *batch);
/* After a failed write the figures in memory are ahead of the stored ones. */
void engine_usages_reload(struct engine *e);

/* --- engine_object.c --- */

/* Appends the ids of all objects of a space, 16 octets each. */
err engine_objects_of(struct engine *e, const struct space *s, struct buf *out) MUST_USE;
/* Calls `each` for the ids in a row of them. */
void engine_ids_each(struct bytes ids, void (*each)(void *arg, const struct object_id *id),
                     void *arg);
/* Deletes files that no record can refer to: their commit never came, or their end was cut
 * short. */
err engine_objects_clean(struct engine *e) MUST_USE;
/* Deletes objects whose time is over. */
void engine_objects_sweep(struct engine *e);
