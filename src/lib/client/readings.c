/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/client/readings.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/client/reading_row.h"
#include "lib/wire/tuple.h"

#define PAGE_KEYS 2000
#define KEY_MAX 64
#define DICTIONARY_TRIES_MAX 8

struct readings {
    struct kvs_client *kvs; /* borrowed */
    struct reading_columns reading;
    struct seal_columns seal;
    struct buf octets; /* of the page at hand */
};

/* --- pages --- */

struct pages {
    struct readings *r;
    struct kvs_range range;
    struct buf next; /* where the next page starts */
    uint64_t rev;    /* newest snapshot seen */
    bool more;
};

static void pages_done(struct pages *p)
{
    buf_done(&p->next);
}

/* One page. The client has checked that its keys are in order and within the range; here, that it
 * begins where the last one ended and is not older. */
static err pages_take(struct pages *p, struct kvs_page *out)
{
    TRY(kvs_scan_wait(p->r->kvs, &p->range, &p->r->octets, out));
    if (out->rev < p->rev) {
        FAIL(ERR_CORRUPT, "the store gives an older state than before");
    }
    if (p->range.snapshot != 0 && out->rev != p->rev) {
        FAIL(ERR_CORRUPT, "pages of one snapshot of the store differ in their rev");
    }
    p->rev = out->rev;
    p->more = out->more;
    p->range.snapshot = out->snapshot;
    if (out->more) {
        if (bytes_compare(out->next, p->range.start) <= 0) {
            FAIL(ERR_CORRUPT, "pages of the store do not follow each other");
        }
        p->next.max = KVS_KEY_BYTES_MAX;
        struct buf next = { .max = KVS_KEY_BYTES_MAX };
        TRY(buf_append(&next, out->next));
        buf_done(&p->next);
        p->next = next;
        p->range.start = buf_bytes(&p->next);
    }
    return OK;
}

/* --- the dictionary --- */

static err ask_version(struct readings *r, uint64_t *out_rev)
{
    AUTO(buf_done) struct buf key = { .max = KEY_MAX };
    AUTO(kvs_batch_done) struct kvs_batch batch = { 0 };
    struct kvs_batch_answer answer;
    struct kvs_result result;

    TRY(dictionary_version_key(&key));
    TRY(kvs_batch_begin(&batch, DICTIONARY_SPACE));
    TRY(kvs_batch_get(&batch, buf_bytes(&key)));
    TRY(kvs_batch_wait(r->kvs, &batch, &r->octets, &answer));
    struct bytes results = answer.results;
    TRY(kvs_result_take(&results, &result));
    *out_rev = result.status == KVS_DONE ? result.rev : 0;
    return OK;
}

struct found {
    bool reading, seal;
};

static err bind_table(struct readings *r, struct bytes text, struct found *f)
{
    AUTO(table_def_freep) struct table_def *t = NULL;

    TRY(table_def_decode(text, &t));
    if (t->dropped) {
        return OK;
    }
    if (strcmp(t->name, "reading") == 0) {
        f->reading = true;
        return reading_columns_bind(t, &r->reading);
    }
    if (strcmp(t->name, "seal") == 0) {
        f->seal = true;
        return seal_columns_bind(t, &r->seal);
    }
    return OK;
}

static err bind_page(struct readings *r, const struct kvs_page *page, struct found *f)
{
    struct bytes entries = page->entries;
    struct kvs_entry entry;

    for (uint32_t i = 0; i < page->count; i++) {
        TRY(kvs_entry_take(&entries, &entry));
        TRY(bind_table(r, entry.value, f));
    }
    return OK;
}

static err read_tables(struct readings *r, struct found *out)
{
    AUTO(buf_done) struct buf start = { .max = KEY_MAX };
    AUTO(buf_done) struct buf end = { .max = KEY_MAX };
    struct found f = { 0 };
    struct kvs_page page;

    TRY(dictionary_tables_prefix(&start));
    TRY(tuple_prefix_end(buf_bytes(&start), &end));
    AUTO(pages_done) struct pages p = { .r = r, .more = true };
    p.range = (struct kvs_range){ .space = DICTIONARY_SPACE, .start = buf_bytes(&start),
                                  .end = buf_bytes(&end), .limit = PAGE_KEYS,
                                  .consistent = true };
    while (p.more) {
        TRY(pages_take(&p, &page));
        TRY(bind_page(r, &page, &f));
    }
    *out = f;
    return OK;
}

/* The tables of one state of the dictionary: its version is the same before and after. */
static err read_dictionary(struct readings *r)
{
    struct found f = { 0 };
    uint64_t before, after;

    TRY(ask_version(r, &after));
    for (int tries = 0; tries < DICTIONARY_TRIES_MAX; tries++) {
        before = after;
        TRY(read_tables(r, &f));
        TRY(ask_version(r, &after));
        if (before != after) {
            continue;
        }
        if (!f.reading || !f.seal) {
            FAIL(ERR_MISSING, "table \"%s\" is not there yet: the collector makes it at its start",
                 f.reading ? "seal" : "reading");
        }
        return OK;
    }
    FAIL(ERR_AGAIN, "the dictionary changes faster than it can be read");
}

err readings_open(struct kvs_client *kvs, struct readings **out)
{
    AUTO(readings_closep) struct readings *r = mem_take(sizeof *r);

    if (r == NULL) {
        FAIL(ERR_LIMIT, "no memory for readings");
    }
    r->kvs = kvs;
    TRY(read_dictionary(r));
    *out = TAKE(r);
    return OK;
}

void readings_close(struct readings *r)
{
    if (r != NULL) {
        buf_done(&r->octets);
        mem_give(r);
    }
}

void readings_closep(struct readings **r)
{
    readings_close(*r);
}

/* --- scans --- */

/* Octets of a table's prefix, and of the keys of a meter after and up to a time. */
struct span {
    size_t prefix_bytes;
    struct buf start, end;
};

static void span_done(struct span *s)
{
    buf_done(&s->start);
    buf_done(&s->end);
}

static err span_make(uint32_t table, uint64_t meter, int64_t from_s, int64_t to_s, struct span *s)
{
    struct buf *edges[] = { &s->start, &s->end };
    const int64_t times[] = { from_s, to_s };

    for (int i = 0; i < 2; i++) {
        edges[i]->max = KEY_MAX;
        TRY(table_rows_prefix(table, edges[i]));
        s->prefix_bytes = edges[i]->len;
        TRY(tuple_put_int(edges[i], (int64_t)meter));
        if (times[i] < INT64_MAX) {
            TRY(tuple_put_int(edges[i], times[i] + 1));
        } else {
            TRY(buf_u8(edges[i], 0xff)); /* behind all times of this meter */
        }
    }
    return OK;
}

typedef err (*entry_fn)(struct readings *r, struct bytes key, struct bytes row, void *arg);

static err scan_page(struct readings *r, const struct kvs_page *page, size_t prefix_bytes,
                     entry_fn each, void *arg)
{
    struct bytes entries = page->entries;
    struct kvs_entry e;

    for (uint32_t i = 0; i < page->count; i++) {
        TRY(kvs_entry_take(&entries, &e));
        struct bytes key = { e.key.ptr + prefix_bytes, e.key.len - prefix_bytes };
        TRY(each(r, key, e.value, arg));
    }
    return OK;
}

static err scan_span(struct readings *r, const struct span *s, entry_fn each, void *arg)
{
    AUTO(pages_done) struct pages p = { .r = r, .more = true };
    struct kvs_page page;

    p.range = (struct kvs_range){ .space = DICTIONARY_SPACE, .start = buf_bytes(&s->start),
                                  .end = buf_bytes(&s->end), .limit = PAGE_KEYS,
                                  .consistent = true };
    if (bytes_compare(p.range.start, p.range.end) >= 0) {
        return OK;
    }
    while (p.more) {
        TRY(pages_take(&p, &page));
        TRY(scan_page(r, &page, s->prefix_bytes, each, arg));
    }
    return OK;
}

struct reading_each {
    err (*each)(void *arg, const struct stored_reading *row);
    void *arg;
};

static err reading_entry(struct readings *r, struct bytes key, struct bytes row, void *arg)
{
    const struct reading_each *to = arg;
    struct stored_reading reading;

    TRY(reading_row_decode(&r->reading, key, row, &reading));
    return to->each(to->arg, &reading);
}

err readings_scan(struct readings *r, uint64_t meter, int64_t from_s, int64_t to_s,
                  err (*each)(void *arg, const struct stored_reading *row), void *arg)
{
    AUTO(span_done) struct span s = { 0 };
    struct reading_each to = { each, arg };

    TRY(span_make(r->reading.table_id, meter, from_s, to_s, &s));
    return scan_span(r, &s, reading_entry, &to);
}

struct seal_each {
    err (*each)(void *arg, const struct sealed_day *day);
    void *arg;
};

static err seal_entry(struct readings *r, struct bytes key, struct bytes row, void *arg)
{
    const struct seal_each *to = arg;
    struct sealed_day day;

    TRY(seal_row_decode(&r->seal, key, row, &day));
    return to->each(to->arg, &day);
}

err readings_seals(struct readings *r, uint64_t meter, int64_t from_s, int64_t to_s,
                   err (*each)(void *arg, const struct sealed_day *day), void *arg)
{
    AUTO(span_done) struct span s = { 0 };
    struct seal_each to = { each, arg };

    TRY(span_make(r->seal.table_id, meter, from_s, to_s, &s));
    return scan_span(r, &s, seal_entry, &to);
}

/* The meter of the first key from `start` on; *found false behind the last. `start` is moved behind
 * all keys of that meter. */
static err next_meter(struct readings *r, struct buf *start, struct bytes end, size_t prefix_bytes,
                      bool *found, uint64_t *out)
{
    AUTO(buf_done) struct buf meter_key = { .max = KEY_MAX };
    struct kvs_range range = { .space = DICTIONARY_SPACE, .start = buf_bytes(start), .end = end,
                               .limit = 1, .keys_only = true };
    struct kvs_page page;
    struct kvs_entry e;
    int64_t s;

    TRY(kvs_scan_wait(r->kvs, &range, &r->octets, &page));
    *found = page.count > 0;
    if (!*found) {
        return OK;
    }
    struct bytes entries = page.entries;
    TRY(kvs_entry_take(&entries, &e));
    struct bytes key = { e.key.ptr + prefix_bytes, e.key.len - prefix_bytes };
    TRY(meter_key_take(key, out, &s));
    TRY(table_rows_prefix(r->reading.table_id, &meter_key));
    TRY(tuple_put_int(&meter_key, (int64_t)*out));
    return tuple_prefix_end(buf_bytes(&meter_key), start);
}

err readings_meters(struct readings *r, err (*each)(void *arg, uint64_t meter), void *arg)
{
    AUTO(buf_done) struct buf start = { .max = KEY_MAX };
    AUTO(buf_done) struct buf end = { .max = KEY_MAX };
    uint64_t meter;
    bool found;

    TRY(table_rows_prefix(r->reading.table_id, &start));
    size_t prefix_bytes = start.len;
    TRY(tuple_prefix_end(buf_bytes(&start), &end));
    for (;;) {
        TRY(next_meter(r, &start, buf_bytes(&end), prefix_bytes, &found, &meter));
        if (!found) {
            return OK;
        }
        TRY(each(arg, meter));
    }
}
