/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: a few threads for what may wait for a disk. Each kind of read is a `run` function for
 * kv_request; a scan and a multi-get are read at one snapshot, whose rev they tell. */
#pragma once

#include "store/kvs/request.h"

#define READ_QUEUE_MAX 4096
#define READ_THREADS_MAX 64

#define SCAN_BYTES_MAX (1u << 20) /* of a page; the first key comes whatever its size */
#define SCAN_JSON_KEYS_MAX 1000
#define SCAN_STEPS_MAX 100000 /* records looked at for one page, expired ones included */

struct readers;
err readers_start(struct engine *e, unsigned thread_count, struct readers **out) MUST_USE;
err readers_submit(struct readers *p, struct kv_request *r) MUST_USE; /* as committer_submit */
void readers_stop(struct readers *p); /* finishes what was submitted; accepts NULL */

/* op.key of spaces[0] into `found`, its rev into `rev`. */
void read_get(struct engine *e, struct kv_request *r);
/* The gets of a batch, which has nothing else, into `answer` as MSR1. */
void read_multi_get(struct engine *e, struct kv_request *r);
/* A page of spaces[0] into `answer`: MSP1, or JSON {"keys":[..., still open; with answer_more and
 * next_key as in MSP1. */
void read_scan(struct engine *e, struct kv_request *r);
