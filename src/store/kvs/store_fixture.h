/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a store in a directory of its own, without HTTP; calls wait for their answer. */
#pragma once

#include "store/kvs/commit.h"
#include "store/kvs/read.h"

struct store {
    char dir[64];
    struct volume *volume;
    struct volume_dir *node;
    struct engine *engine;
    struct committer *committer;
    struct readers *readers;
};

/* In a fresh directory, with the space "s". Asserts that all goes well. */
void store_fresh(struct store *s);
void store_open(struct store *s);  /* what stands in s->dir */
void store_close(struct store *s); /* in good order; the directory stays */
void store_remove(struct store *s);

/* A request that holds references to the named spaces ("a", "a b"; NULL = none). Free it by
 * call_done. */
struct kv_request *call_new(struct store *s, const char *spaces);
void call_done(struct kv_request *r);
enum kv_status call_commit(struct store *s, struct kv_request *r); /* submits and waits */
enum kv_status call_read(struct store *s, struct kv_request *r,
                         void (*run)(struct engine *e, struct kv_request *r));
void call_submit(struct store *s, struct kv_request *r); /* without waiting */
enum kv_status call_wait(struct kv_request *r);

/* Short forms on the space "s"; `out_rev` may be NULL. */
enum kv_status put(struct store *s, const char *key, const char *value, enum kvs_expect expect,
                   uint64_t rev, uint64_t *out_rev);
enum kv_status delete(struct store *s, const char *key, enum kvs_expect expect, uint64_t rev);
/* The value as text, or NULL; lives until the next call. */
const char *get(struct store *s, const char *key, uint64_t *out_rev);

err space_make(struct store *s, const char *name, const struct space_settings *settings);
err space_unmake(struct store *s, const char *name);

/* Keeps the committer busy until the matching release, so that what is submitted forms one
 * group. */
void committer_hold(struct store *s);
void committer_release(struct store *s);

extern _Atomic uint64_t fixture_now_s; /* the engine's clock */
extern uint64_t fixture_disk_free_min;
extern uint64_t fixture_object_grace_us;
extern uint64_t fixture_snapshot_idle_us; /* 0 = a minute */
extern size_t fixture_memtable_bytes;       /* 0: as the engine has it */
extern const struct volume_io *fixture_io;  /* NULL: a directory of its own */
extern unsigned fixture_failures;           /* how often a committer said that writing is over */
