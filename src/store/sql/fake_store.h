/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: the store in memory, with the same batches, pages and refusals, and with faults. */
#pragma once

#include "store/sql/engine.h"

#define FAKE_CALLS_MAX 64
#define FAKE_SNAPSHOTS_MAX 32

struct fake_entry {
    uint8_t *key, *value;
    size_t key_bytes, value_bytes;
    uint64_t rev;
};

struct fake_call { /* an answer that was not delivered yet */
    bool is_scan;
    err e;
    struct buf octets;
    uint32_t count;
    bool more;
    struct bytes next;
    uint64_t rev;
    uint64_t snapshot;
    kvs_batch_fn batch_done;
    kvs_page_fn page_done;
    void *arg;
};

struct fake_snapshot { /* a copy of all entries */
    uint64_t handle;   /* 0 = free */
    struct fake_entry *entries;
    size_t count;
    uint64_t rev;
};

struct fake_store {
    struct fake_entry *entries; /* in key order */
    size_t count, room;
    uint64_t rev;
    struct fake_snapshot snapshots[FAKE_SNAPSHOTS_MAX];
    uint64_t snapshots_made;
    struct fake_call calls[FAKE_CALLS_MAX];
    size_t first, waiting;
    uint64_t batches, scans; /* calls so far */
    uint32_t page_max;       /* keys a page at most; 0 = what was asked for */
    long fail_in;            /* the n-th call from now fails with ERR_IO; -1 = none */
    /* Called before each batch is looked at: what another client does at that moment. */
    void (*meanwhile)(void *arg);
    void *meanwhile_arg;
    void (*paged)(void *arg); /* the same before each page */
    void *paged_arg;
    bool bad_next; /* pages name themselves as the next one */
};

void fake_store_init(struct fake_store *f);
void fake_store_done(struct fake_store *f);
struct sql_store fake_store_of(struct fake_store *f);
/* Delivers what is waiting, and what that brings about, until nothing is. */
void fake_store_run(struct fake_store *f);
/* All handles of snapshots are gone from now on, as after a while; tells how many there were. */
unsigned fake_store_forget(struct fake_store *f);
/* As another client of the store would: unconditionally. */
void fake_store_put(struct fake_store *f, struct bytes key, struct bytes value);
void fake_store_delete(struct fake_store *f, struct bytes key);
