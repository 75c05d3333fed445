/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered engine under the gateway: RocksDB on the sealed volume, the spaces in it, and the
 * newest rev. A space is one column family; what it is stands in the family "default", together
 * with "rev", which changes in the same batch as what it counts.
 *
 * Any thread may look up and read; only the committer's thread writes, makes and drops spaces. */
#pragma once

#include <stdatomic.h>

#include "lib/wire/kvs_api.h"
#include "store/kvs/kvs_options.h"
#include "store/kvs/object.h"
#include "store/kvs/record.h"

#define SPACES_MAX 120 /* families but those of the engine itself */

struct space_settings {
    uint64_t quota_bytes; /* of keys and values; 0 = none */
    uint64_t quota_keys;  /* 0 = none */
    uint64_t ttl_s;       /* a put without one of its own expires after this; 0 = never */
    bool series;          /* universal compaction, for rows that arrive in order of time */
    bool compress;        /* sizes on disk then tell something about the content */
};

struct space {
    char name[KVS_SPACE_CHARS_MAX + 1];
    uint32_t id;
    struct space_settings settings; /* quotas change, by the committer: others see engine_spaces */
    rocksdb_column_family_handle_t *family;
    char family_name[KVS_FAMILY_NAME_MAX + 1];
    _Atomic uint32_t refs;
    _Atomic bool dropped;
    _Atomic uint64_t used_keys, used_bytes; /* exact while there is a quota, else 0 */
    _Atomic bool has_objects;               /* then a put must look at what it replaces */
    bool usage_changed;                     /* the committer's */
    struct space *next;
};

struct engine_options {
    struct kvs_db_config db;      /* `family` is set by the engine */
    uint64_t disk_free_min_bytes; /* below it puts are refused; 0 = none */
    uint64_t object_grace_us;     /* how long a replaced object may still be read; 0 = 60 s */
    uint64_t snapshot_idle_us;    /* how long a snapshot is kept unused; 0 = 60 s */
    uint64_t resume_us;           /* between attempts to write again after a failure; 0 = 1 s */
    uint64_t (*utc_s)(void);      /* NULL = the system's */
};

struct engine;
/* Borrows the volume until close. */
err engine_open(struct volume *v, const struct engine_options *options, struct engine **out)
    MUST_USE;
void engine_close(struct engine *e); /* nobody holds a space, nothing is under way */

rocksdb_t *engine_rocks(struct engine *e);
uint64_t engine_rev(const struct engine *e); /* of the newest durable commit */
uint64_t engine_utc_s(const struct engine *e);
/* False while the disk is too full for puts; looked at once a second. */
bool engine_disk_has_room(struct engine *e);
void engine_info(struct engine *e, struct volume_figures *out);

/* --- spaces --- */

/* A reference, or NULL. Give it back with space_release. */
struct space *engine_space(struct engine *e, struct bytes name);
void space_release(struct space *s); /* accepts NULL */

/* What people may know of a space. */
struct space_view {
    char name[KVS_SPACE_CHARS_MAX + 1];
    struct space_settings settings;
    uint64_t used_keys, used_bytes;
};
err engine_space_view(struct engine *e, struct bytes name, struct space_view *out) MUST_USE;
size_t engine_space_count(struct engine *e);

/* Committer's thread. ERR_CONFLICT: it exists; ERR_LIMIT: too many. Durable on return. */
err engine_space_create(struct engine *e, struct bytes name, const struct space_settings *settings)
    MUST_USE;
/* Changes the quotas, the rest stays; a first quota counts the space. */
err engine_space_change(struct engine *e, struct space *s, const struct space_settings *settings)
    MUST_USE;
/* The space is gone for new requests; its family goes with the last reference. */
err engine_space_drop(struct engine *e, struct space *s) MUST_USE;
/* Drops the families of spaces that nobody holds any more, and objects whose time is over. */
void engine_reap(struct engine *e);

/* --- writing, by the committer --- */

/* Adds the new rev and changed usages to `batch`, writes it with sync, and makes rev visible.
 *
 * The text of RocksDB is in the error. ERR_LIMIT: the disk is full, nothing was written. ERR_IO: the
 * disk fails, this or a table before it. Either way a later call tries to go on where that stopped.
 * ERR_CLOSED: no writing any more until the volume is opened again. */
err engine_write(struct engine *e, rocksdb_writebatch_t *batch, uint64_t rev) MUST_USE;
/* Marks that the quota figures of this space are to go into the next batch. */
void engine_usage_changed(struct engine *e, struct space *s);

/* --- large values --- */

/* Any thread that may block. ERR_LIMIT: the disk reserve is reached. The object is the caller's
 * until a commit refers to it or engine_object_abandon takes it. */
err engine_object_write(struct engine *e, struct bytes value, struct object_id *out) MUST_USE;
/* Any thread, never blocks: nothing refers to the object, it may go. */
void engine_object_abandon(struct engine *e, const struct object_id *id);
/* The committer: the batch makes the space refer to an object; no longer refers to one. The latter
 * is to be abandoned when the batch is durable. */
void engine_object_add(struct engine *e, struct space *s, const struct object_id *id,
                       rocksdb_writebatch_t *batch);
void engine_object_remove(struct engine *e, const struct object_id *id,
                          rocksdb_writebatch_t *batch);
/* Reads the value of a record that is an object into `room`. ERR_LIMIT as of the buffer. */
err engine_object_read(struct engine *e, struct kvs_record *record, struct buf *room) MUST_USE;

/* --- reading --- */

struct found {
    rocksdb_pinnableslice_t *pin;
    struct buf object;        /* its octets, where the value is an object */
    struct kvs_record record; /* borrows from pin or object */
};
void found_done(struct found *f);

enum engine_read {
    ENGINE_ANY,    /* may wait for a disk */
    ENGINE_HEAD,   /* the same, without the octets of an object */
    ENGINE_CACHED, /* from memory only, else ERR_AGAIN: fit for a network loop */
};

/* ERR_MISSING: absent or expired; ERR_CORRUPT. `snapshot` may be NULL. */
err engine_get(struct engine *e, const struct space *s, struct bytes key, enum engine_read how,
               const rocksdb_snapshot_t *snapshot, struct found *out) MUST_USE;
/* --- snapshots that outlive a request (engine_snapshot.c); any thread --- */

#define SNAPSHOTS_MAX 64
#define SNAPSHOTS_EACH_MAX 32 /* who has as many when all are taken loses one of its own */
#define SNAPSHOT_LIFE_US (UINT64_C(3600) * 1000000) /* old versions of keys stay as long as it */

struct snapshot_ask {
    uint64_t handle;   /* of an earlier answer; 0 = read what is newest */
    bool wanted;       /* a handle, should more follow */
    bool keep;         /* also when nothing more follows here */
    const void *owner; /* who asks: others cannot use the handle */
};

struct snapshot { /* what one request reads at */
    const rocksdb_snapshot_t *rocks;
    uint64_t handle; /* 0: ends with the request */
    uint64_t utc_s;  /* when it was made: keys that have expired since are still there */
};

/* ERR_MISSING: no such handle any more, or not of this owner and space. */
err engine_snapshot_begin(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                          struct snapshot *out) MUST_USE;
/* Gives it a handle, unless it has one. One that has been idle longest may go for it; ERR_CONFLICT:
 * all are being read at this moment. */
err engine_snapshot_keep(struct engine *e, const struct snapshot_ask *ask, const struct space *s,
                         struct snapshot *snapshot) MUST_USE;
/* The end of the request; without `keep` the handle ends too. */
void engine_snapshot_end(struct engine *e, struct snapshot *snapshot, bool keep);
err engine_snapshot_drop(struct engine *e, uint64_t handle, const void *owner) MUST_USE;
void engine_snapshots_expire(struct engine *e);
size_t engine_snapshot_count(struct engine *e);

/* The rev as it was at a snapshot. */
err engine_rev_at(struct engine *e, const rocksdb_snapshot_t *snapshot, uint64_t *out) MUST_USE;
