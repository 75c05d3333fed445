/* SPDX-License-Identifier: Apache-2.0 */
/* RocksDB on the sealed volume: options, column families, opening and closing in the right order.
 *
 *     kvs_db_open(v, &config, &db);
 *     rocksdb_write(kvs_db_rocks(db), ...);          // any call of rocksdb/c.h but open and close
 *     kvs_db_close(db);                              // then volume_close(v)
 *
 * Families "default", "objects" and "doomed" always exist; others are made per space. Each family
 * has a directory of its own in the volume, told from its name alone. */
#pragma once

#include <rocksdb/c.h>

#include "store/kvs/volume.h"

#define KVS_FAMILIES_MAX 128
#define KVS_FAMILY_NAME_MAX 63 /* [a-z0-9._-], so that it can be a directory */

struct kvs_family_options {
    bool series;      /* universal compaction, for readings; else level, for general use */
    bool compress;    /* LZ4; sizes then tell something about the content */
    bool blobs;       /* values from 4 KiB in blob files; off where a TTL filter runs */
    uint64_t ttl_s;   /* periodic compaction so that expired values go; 0 = none */
    rocksdb_compactionfilter_t *filter; /* or NULL; given: freed with the family */
};

/* Tells the options of a family by its name, at open and never later. */
typedef err (*kvs_family_fn)(void *arg, const char *name, struct kvs_family_options *out);

/* RocksDB's own warnings: level 2 warn, 3 error, 4 fatal. Only the format of the message, never its
 * arguments, which could hold keys. May come from any thread. */
typedef void (*kvs_warn_fn)(void *arg, int level, const char *format);

struct kvs_db_config {
    size_t block_cache_bytes; /* 0 = 64 MiB */
    size_t memtable_bytes;    /* 0 = 64 MiB, of all families together */
    size_t wal_bytes;         /* of the write-ahead logs that hold segments back; 0 = 256 MiB */
    int job_count;            /* background threads; 0 = 2 */
    kvs_family_fn family;     /* NULL: level, LZ4, blobs for every family */
    void *family_arg;
    kvs_warn_fn warn; /* or NULL */
    void *warn_arg;
};

struct kvs_db;

/* Makes the database if there is none. ERR_CORRUPT, ERR_IO with RocksDB's text. Files left by a
 * family whose drop was cut short are deleted. Borrows the volume until close. */
err kvs_db_open(struct volume *v, const struct kvs_db_config *config, struct kvs_db **out) MUST_USE;
void kvs_db_close(struct kvs_db *d); /* flushes nothing: the log has it */
void kvs_db_closep(struct kvs_db **d);

rocksdb_t *kvs_db_rocks(struct kvs_db *d);
/* True while a flush waits for room on a full disk; it goes on by itself, and so does writing. Until
 * then a write with "no slowdown" is refused with ERR_LIMIT, and any other may block. */
bool kvs_db_waits(const struct kvs_db *d);
/* After a write was refused with ERR_IO, or with ERR_LIMIT while nothing waits: tries again what
 * failed in the background, e.g. once a second. OK: writes go on. Never after ERR_CLOSED: then close
 * and open again. */
err kvs_db_resume(struct kvs_db *d) MUST_USE;
/* NULL when there is none. Valid until dropped or closed. Any thread. */
rocksdb_column_family_handle_t *kvs_db_family(struct kvs_db *d, const char *name);
/* ERR_CONFLICT present, ERR_LIMIT too many or a bad name. */
err kvs_db_family_create(struct kvs_db *d, const char *name, const struct kvs_family_options *o,
                         rocksdb_column_family_handle_t **out) MUST_USE;
/* No call may use its handle any more. */
err kvs_db_family_drop(struct kvs_db *d, const char *name) MUST_USE;
typedef void (*kvs_name_fn)(void *arg, const char *name);
void kvs_db_family_each(struct kvs_db *d, kvs_name_fn fn, void *arg);

/* Turns RocksDB's error text (freed here; NULL is OK) into an err: ERR_CORRUPT, ERR_CLOSED (the
 * volume failed for writing), ERR_LIMIT (disk full), ERR_MISSING, ERR_IO. */
err kvs_rocks_err(char *text) MUST_USE;
