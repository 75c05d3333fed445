/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way through the gateway: made by the network loop, handed to the committer or
 * to a reader thread through a bounded queue, given back through `done`. Whoever has it may use it;
 * nobody else does. It owns its octets, because the connection may end before the answer. */
#pragma once

#include <pthread.h>

#include "store/kvs/engine.h"

#define KVS_ANSWER_BYTES_MAX (68u << 20) /* one value of the largest size, and a page around it */

enum kv_status {
    KV_OK,
    KV_NO_SPACE,     /* deleted meanwhile */
    KV_NO_KEY,
    KV_PRECONDITION, /* rev tells what is in the way; a batch lists the failures in its answer */
    KV_TWICE,        /* bad_op names a key for the second time */
    KV_TOO_LARGE,    /* the answer would be */
    KV_QUOTA,
    KV_TTL,          /* a time to live in a space with quotas */
    KV_DISK,         /* nothing was written */
    KV_UNKNOWN,      /* the commit failed: it may or may not be there after the next start */
    KV_DATA_LOSS,    /* stored octets are not those that were written */
    KV_IO,           /* a read failed */
    KV_MEMORY,
    KV_EXISTS,       /* administration: the space is there, or its settings cannot change so */
    KV_TOO_MANY,     /* administration: spaces */
    KV_SNAPSHOT,     /* the snapshot of that handle is gone */
    KV_SNAPSHOTS,    /* too many are being read */
    KV_STATUS_COUNT
};

struct kv_scan {
    struct bytes start, end; /* inclusive, exclusive; empty = open */
    uint32_t limit;
    bool reverse, values, json;
};

struct kv_request {
    struct kv_request *next;
    /* NULL: operations for the committer. Else called on the thread that takes it. */
    void (*run)(struct engine *e, struct kv_request *r);
    void (*done)(struct kv_request *r); /* on the thread that worked on it; gives it back */

    struct space *spaces[KVS_BATCH_SPACES_MAX]; /* references held */
    uint8_t space_count;
    bool is_batch;
    struct kvs_op op;                /* unless a batch */
    struct bytes ops;                /* of a batch: checked operations of an MSB1 */
    uint32_t op_count;
    bool has_object;                 /* the value of `op` is this object, and still the request's */
    struct object_id object;
    uint64_t object_len;
    size_t octets;                   /* of keys and values, for the bound of a group */
    struct kv_scan scan;
    struct snapshot_ask snapshot_ask; /* of a scan */
    struct space_settings settings;  /* administration */
    struct bytes name;               /* administration */

    enum kv_status status;
    uint64_t rev;        /* of the commit, of the key, or of the snapshot */
    uint32_t bad_op;
    struct found found;  /* of a get */
    struct buf answer;   /* MSR1, MSP1, or keys in JSON */
    uint32_t answer_count;
    bool answer_more;
    uint64_t snapshot; /* handle for further pages; 0 = none */
    uint8_t next_key[KVS_KEY_BYTES_MAX];
    size_t next_key_len;
};

/* Gives back what the request holds of the engine; its memory belongs to who made it. */
void kv_request_release(struct engine *e, struct kv_request *r);

/* For a reader thread: makes an object of the value of `op`, which may be forgotten then. */
void run_object_write(struct engine *e, struct kv_request *r);

/* The status for an error of the engine while reading. */
enum kv_status kv_status_of(err e);

/* --- bounded queues --- */

struct request_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct kv_request *first, **last;
    size_t count, count_max;
    unsigned waiting;
    bool stopped;
};

void request_queue_init(struct request_queue *q, size_t count_max);
void request_queue_done(struct request_queue *q); /* must be empty */

/* ERR_LIMIT: full; ERR_CLOSED: stopped. Then the request stays with the caller. */
err request_queue_put(struct request_queue *q, struct kv_request *r) MUST_USE;
/* Waits, at most `wait_s` (0 = for ever). False when the queue is stopped and empty. `out` is a
 * list of requests, in order: at most `count_max` and, behind the first, `octets_max`; a request
 * with `run` comes alone; NULL when none came in time. */
bool request_queue_take(struct request_queue *q, size_t count_max, size_t octets_max,
                        unsigned wait_s, struct kv_request **out);
void request_queue_stop(struct request_queue *q); /* what is in it will still be taken */
