/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/scan.h"

#include <string.h>

#include "lib/base/mem.h"

#define GETS_MAX 256 /* single keys asked for at once */

void scan_clear(struct scan *s)
{
    if (s->snapshot != 0 && !s->lent) {
        s->store->drop(s->store->self, s->snapshot);
    }
    s->snapshot = 0;
    buf_done(&s->edge);
    s->edge_set = false;
}

static const struct plan_range *range_at(const struct scan *s, size_t i)
{
    return &s->plan->ranges[s->reverse ? s->plan->range_count - 1 - i : i];
}

static err edge_put(struct scan *s, struct bytes key)
{
    s->edge.max = SCAN_KEY_BYTES_MAX;
    TRY(buf_reserve(&s->edge, key.len > s->edge.len ? key.len - s->edge.len : 0));
    buf_clear(&s->edge);
    TRY(buf_append(&s->edge, key));
    s->edge_set = true;
    return OK;
}

uint64_t scan_lend(struct scan *s)
{
    s->lent = true;
    return s->snapshot;
}

err scan_seek(struct scan *s, size_t range, struct bytes key, uint64_t snapshot)
{
    if (range >= s->plan->range_count) {
        FAIL(ERR_PROTO, "range %zu of %zu", range, s->plan->range_count);
    }
    const struct plan_range *r = range_at(s, range);
    if (bytes_compare(key, r->start) < 0 || bytes_compare(key, r->end) >= 0) {
        FAIL(ERR_PROTO, "a key outside of its range");
    }
    s->range = range;
    s->snapshot = snapshot;
    s->lent = snapshot != 0;
    if (s->plan->points) {
        return OK;
    }
    TRY(edge_put(s, key));
    /* In reverse the edge is exclusive: the first key behind this one. */
    return s->reverse ? buf_u8(&s->edge, 0) : OK;
}

/* --- ranges --- */

static void page_came(void *arg, err e, const struct kvs_page *page);

/* Reading a snapshot costs the store a handle: not for what is surely one page. */
static bool wants_snapshot(const struct scan *s)
{
    return !s->one_page || s->plan->range_count > 1;
}

static err ask_page(struct scan *s)
{
    const struct plan_range *r = range_at(s, s->range);
    struct kvs_range range = { .space = DICTIONARY_SPACE, .start = r->start, .end = r->end,
                               .limit = s->page_keys, .reverse = s->reverse,
                               .keys_only = s->keys_only, .consistent = wants_snapshot(s),
                               .snapshot = s->snapshot,
                               .keep = s->keep || s->lent || s->range + 1 < s->plan->range_count };

    if (s->edge_set) {
        *(s->reverse ? &range.end : &range.start) = buf_bytes(&s->edge);
    }
    return s->store->scan(s->store->self, &range, page_came, s);
}

/* Runs the entries of a page through the callback. */
static err take_page(struct scan *s, const struct kvs_page *page, enum scan_step *step)
{
    struct bytes entries = page->entries;
    struct kvs_entry entry;

    if (page->rev < s->rev || (s->snapshot != 0 && s->rev != 0 && page->rev != s->rev)) {
        FAIL(ERR_CORRUPT, "a page of another state than the one before it");
    }
    s->rev = page->rev;
    s->snapshot = page->snapshot;
    for (uint32_t i = 0; i < page->count && *step == SCAN_ON; i++) {
        TRY(kvs_entry_take(&entries, &entry));
        TRY(s->entry(s->arg, &entry, step));
    }
    return OK;
}

/* The edge of the next page, which must lie behind this one's and within the range. */
static err next_edge(struct scan *s, const struct kvs_page *page)
{
    const struct plan_range *r = range_at(s, s->range);
    struct bytes low = s->edge_set && !s->reverse ? buf_bytes(&s->edge) : r->start;
    struct bytes high = s->edge_set && s->reverse ? buf_bytes(&s->edge) : r->end;

    if (bytes_compare(page->next, low) <= 0 || bytes_compare(page->next, high) >= 0) {
        FAIL(ERR_CORRUPT, "pages of the store do not follow each other");
    }
    return edge_put(s, page->next);
}

static void advance(struct scan *s, enum scan_step step)
{
    if (step == SCAN_END) {
        s->done(s->arg, OK, true);
        return;
    }
    step = s->page(s->arg);
    if (step == SCAN_END) {
        s->done(s->arg, OK, true);
    } else if (step == SCAN_ON) {
        scan_go(s);
    }
}

static err page_step(struct scan *s, const struct kvs_page *page, enum scan_step *step)
{
    TRY(take_page(s, page, step));
    if (*step == SCAN_END) {
        return OK;
    }
    if (page->more) {
        return next_edge(s, page);
    }
    s->range++;
    s->edge_set = false;
    return OK;
}

/* A page that was to be the only one was cut short by its octets: it is read again, with a snapshot
 * for those behind it. */
static bool was_cut(struct scan *s, const struct kvs_page *page)
{
    bool cut = page->more && s->snapshot == 0 && !wants_snapshot(s) && page->count < s->page_keys;

    s->one_page = s->one_page && !cut;
    return cut;
}

static void page_came(void *arg, err e, const struct kvs_page *page)
{
    struct scan *s = arg;
    enum scan_step step = SCAN_ON;

    if (!e.code && was_cut(s, page)) {
        scan_go(s);
        return;
    }
    if (e.code == ERR_MISSING && s->snapshot != 0) {
        s->snapshot = 0;
        err_set(__FILE__, __LINE__, "the snapshot of the statement is gone");
        e = (err){ ERR_CONFLICT };
    }
    if (!e.code) {
        e = page_step(s, page, &step);
    }
    if (e.code) {
        s->done(s->arg, e, false);
        return;
    }
    advance(s, step);
}

/* --- single keys --- */

static size_t gets_now(const struct scan *s)
{
    size_t left = s->plan->range_count - s->range;
    size_t most = s->page_keys < GETS_MAX ? s->page_keys : GETS_MAX;

    return left < most ? left : most;
}

static err gets_step(struct scan *s, const struct kvs_batch_answer *answer, enum scan_step *step)
{
    struct bytes results = answer->results;
    struct kvs_result r;

    if (answer->count != gets_now(s)) {
        FAIL(ERR_PROTO, "%u results for %zu gets", answer->count, gets_now(s));
    }
    for (uint32_t i = 0; i < answer->count; i++) {
        TRY(kvs_result_take(&results, &r));
        struct kvs_entry entry = { range_at(s, s->range)->start, r.value, r.rev };
        if (r.status == KVS_DONE) {
            TRY(s->entry(s->arg, &entry, step));
        }
        if (*step == SCAN_END) {
            return OK;
        }
        s->range++;
    }
    return OK;
}

static void gets_came(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct scan *s = arg;
    enum scan_step step = SCAN_ON;

    if (!e.code) {
        e = gets_step(s, answer, &step);
    }
    if (e.code) {
        s->done(s->arg, e, false);
        return;
    }
    advance(s, step);
}

static err ask_gets(struct scan *s)
{
    struct kvs_op ops[GETS_MAX];
    size_t count = gets_now(s);

    for (size_t i = 0; i < count; i++) {
        ops[i] = (struct kvs_op){ .type = KVS_GET, .key = range_at(s, s->range + i)->start };
    }
    return s->store->batch(s->store->self, ops, (uint32_t)count, gets_came, s);
}

void scan_go(struct scan *s)
{
    if (s->range >= s->plan->range_count) {
        s->done(s->arg, OK, false);
        return;
    }
    err e = s->plan->points ? ask_gets(s) : ask_page(s);
    if (e.code) {
        s->done(s->arg, e, false);
    }
}
