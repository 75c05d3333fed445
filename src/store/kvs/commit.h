/* SPDX-License-Identifier: Apache-2.0 */
/* The committer: one thread that takes requests in groups, checks their conditions against the
 * store and against the requests before them in the group, gives each accepted one the next rev,
 * and makes the whole group durable by one synced write before any of them is answered. So single
 * keys are linearizable and a batch is all or nothing, without locks. */
#pragma once

#include "store/kvs/request.h"

#define COMMIT_QUEUE_MAX 4096
#define COMMIT_GROUP_MAX 1024
#define COMMIT_GROUP_BYTES_MAX (1u << 20)

struct committer;

struct committer_counters {
    uint64_t groups, requests, octets; /* committed; octets of keys and values */
};

/* `failed` may be NULL; called once, on the committer's thread, when a commit's outcome is unknown:
 * only closing and opening the volume again can settle it. */
err committer_start(struct engine *e, void (*failed)(void *arg, err why), void *arg,
                    struct committer **out) MUST_USE;
/* Any thread. ERR_LIMIT: COMMIT_QUEUE_MAX requests wait; ERR_CLOSED: stopping. */
err committer_submit(struct committer *c, struct kv_request *r) MUST_USE;
/* Finishes what was submitted, ends the thread, frees. Accepts NULL. */
void committer_stop(struct committer *c);
void committer_counters(const struct committer *c, struct committer_counters *out);
