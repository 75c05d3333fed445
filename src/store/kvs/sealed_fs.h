/* SPDX-License-Identifier: Apache-2.0 */
/* RocksDB's files on the sealed volume: the glue between its C++ file system and volume.h.
 *
 * For RocksDB 7.8 alone, whose C interface cannot make an environment from a file system: the glue
 * completes three of its opaque types, and sealed_fs_guard checks at run time that it does so
 * rightly.
 * Kinds of files are told by name: *.sst and *.blob are sealed files, everything else is inline. */
#pragma once

#include <rocksdb/c.h>

#include "store/kvs/volume.h"

/* A warning of RocksDB: the format of the message, never its arguments. From any thread. */
typedef void (*sealed_fs_warn_fn)(void *arg, int level, const char *format);

/* ERR_CONFLICT: the library that runs is not the one this was built for. */
err sealed_fs_guard(void) MUST_USE;

/* On a full disk a flush waits for room instead of failing, because RocksDB does not come back by
 * itself from a failed one. A compaction fails: it is tried again anyway, and gives back what it has
 * written. Zeroed at first; any thread. */
struct sealed_fs_room {
    bool patient;     /* from the end of opening to the beginning of closing */
    unsigned waiting; /* files that wait */
};
void sealed_fs_patient(struct sealed_fs_room *room, bool patient);
bool sealed_fs_waits(const struct sealed_fs_room *room);

/* An environment whose files are in `v`; both are borrowed until it is freed. */
err sealed_fs_env(struct volume *v, struct sealed_fs_room *room, sealed_fs_warn_fn warn, void *arg,
                  rocksdb_env_t **out) MUST_USE;
void sealed_fs_env_free(rocksdb_env_t *env);

/* Tables of a family with these options go to the directory `path`. */
err sealed_fs_cf_path(rocksdb_options_t *options, const char *path) MUST_USE;
/* What C has no call for: this host's name stays out of the tables; and no resuming by itself after
 * a failed flush, because 7.8 never comes back from rocksdb_close while that goes on (its issue
 * 11440): sealed_fs_resume is called instead. */
err sealed_fs_database(rocksdb_options_t *options) MUST_USE;
/* Tries again what failed in the background. ERR_LIMIT (disk full) or ERR_IO: it failed again. */
err sealed_fs_resume(rocksdb_t *db) MUST_USE;
