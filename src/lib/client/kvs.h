/* SPDX-License-Identifier: Apache-2.0 */
/* Typed calls to the key-value store (ARCHITECTURE 5, docs/storage.md): binary batch and scan.
 *
 * With a loop the answer is a callback; the `_wait` forms block and need none. Keys and values are
 * any octets: key 1..1,024, value up to 64 MiB in a PUT, 16 MiB in a batch. */
#pragma once

#include "lib/net/http_client.h"
#include "lib/wire/kvs_api.h" /* struct kvs_result, kvs_entry and their take functions; bounds */

struct kvs_client;
err kvs_client_new(struct loop *l, const struct http_client_options *options,
                   struct kvs_client **out) MUST_USE;
void kvs_client_free(struct kvs_client *c);
void kvs_client_freep(struct kvs_client **c);

/* A batch is all or nothing. Build it, send it, reuse it after kvs_batch_clear. */
struct kvs_batch {
    struct buf octets; /* MSB1, finished by the call that sends it */
    uint32_t count;
};

err kvs_batch_begin(struct kvs_batch *b, const char *space) MUST_USE; /* one space a batch */
err kvs_batch_put(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key,
                  struct bytes value) MUST_USE;
err kvs_batch_delete(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key)
    MUST_USE;
err kvs_batch_check(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key)
    MUST_USE;
err kvs_batch_get(struct kvs_batch *b, struct bytes key) MUST_USE;
void kvs_batch_clear(struct kvs_batch *b);
void kvs_batch_done(struct kvs_batch *b);

struct kvs_batch_answer {
    uint64_t rev;         /* of the commit; of the snapshot for gets alone */
    struct bytes results; /* per op: see kvs_result_take; on ERR_CONFLICT the failed conditions */
    uint32_t count;       /* of results */
};

/* ERR_CONFLICT when a condition failed: then nothing was written. */
typedef void (*kvs_batch_fn)(void *arg, err e, const struct kvs_batch_answer *answer);
err kvs_batch_send(struct kvs_client *c, struct kvs_batch *b, kvs_batch_fn done,
                   void *arg) MUST_USE;
err kvs_batch_wait(struct kvs_client *c, struct kvs_batch *b, struct buf *out_results,
                   struct kvs_batch_answer *out) MUST_USE; /* results borrow from out_results */

struct kvs_range {
    const char *space;
    struct bytes start; /* inclusive; empty = from the beginning */
    struct bytes end;   /* exclusive; empty = to the end */
    uint32_t limit;     /* keys a page, 1..10,000 */
    bool reverse;
    bool keys_only;
    /* One state of the store for several pages: ask for it with the first, then hand the `snapshot`
     * of each page to the next. It ends with the last page of the range, unless `keep` says that
     * other ranges follow; who ends before lets go with kvs_snapshot_drop. */
    bool consistent;
    bool keep;
    uint64_t snapshot; /* ERR_MISSING: it is gone, after a minute unused; 0 = what is newest */
};
struct kvs_page {
    uint32_t count;
    bool more;
    struct bytes entries; /* see kvs_entry_take */
    struct bytes next;    /* the key the next page starts at (its end, in reverse) */
    uint64_t rev;         /* of the snapshot this page was read at */
    uint64_t snapshot;    /* its handle, while there is one; else 0 */
};

typedef void (*kvs_page_fn)(void *arg, err e, const struct kvs_page *page); /* borrowed */
err kvs_scan(struct kvs_client *c, const struct kvs_range *range, kvs_page_fn done, void *arg)
    MUST_USE;
err kvs_scan_wait(struct kvs_client *c, const struct kvs_range *range, struct buf *out_octets,
                  struct kvs_page *out) MUST_USE; /* the page borrows from out_octets */

/* Sent, not waited for: what is not dropped goes by itself. */
void kvs_snapshot_drop(struct kvs_client *c, uint64_t snapshot);

err kvs_space_create_wait(struct kvs_client *c, const char *space) MUST_USE; /* present is fine */
