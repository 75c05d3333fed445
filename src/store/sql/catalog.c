/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/catalog.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/tuple.h"

#define TRIES_MAX 8
#define PAGE_KEYS 256
#define KEY_MAX 64

void catalog_init(struct catalog *c, const struct sql_store *store)
{
    *c = (struct catalog){ .store = store };
}

struct catalog_view *catalog_hold(struct catalog *c)
{
    if (c->view != NULL) {
        c->view->holders++;
    }
    return c->view;
}

static void view_empty(struct catalog_view *v)
{
    for (size_t i = 0; i < v->count; i++) {
        table_def_free(v->tables[i]);
    }
    v->count = 0;
}

void catalog_release(struct catalog_view *v)
{
    if (v != NULL && --v->holders == 0) {
        view_empty(v);
        mem_give(v);
    }
}

void catalog_done(struct catalog *c)
{
    assert(!c->busy);
    catalog_release(c->view);
    catalog_release(c->loading);
    c->view = c->loading = NULL;
}

int catalog_find(const struct catalog_view *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++) {
        if (!v->tables[i]->dropped && strcmp(v->tables[i]->name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static err load_begin(struct catalog *c);

/* Tells those the load was for; those who came meanwhile get the next one. */
static void load_end(struct catalog *c, err e)
{
    struct catalog_wait *served = c->served;

    if (e.code) {
        catalog_release(c->loading);
        c->loading = NULL;
    }
    c->served = c->later;
    c->later = NULL;
    c->busy = false;
    if (c->served != NULL) {
        err again = load_begin(c);
        if (again.code) {
            struct catalog_wait *failed = c->served;
            c->served = NULL;
            for (struct catalog_wait *w = failed, *next; w != NULL; w = next) {
                next = w->next;
                w->done(w->arg, again);
            }
        }
    }
    for (struct catalog_wait *w = served, *next; w != NULL; w = next) {
        next = w->next;
        w->done(w->arg, e);
    }
}

static void load_taken(struct catalog *c)
{
    if (c->loading != NULL) {
        catalog_release(c->view);
        c->view = TAKE(c->loading);
    }
    c->checked_us = c->asked_us;
    load_end(c, OK);
}

/* --- the version, before and after the tables: so that they belong together --- */

static void version_came(void *arg, err e, const struct kvs_batch_answer *answer);

static err ask_version(struct catalog *c)
{
    AUTO(buf_done) struct buf key = { .max = KEY_MAX };

    TRY(dictionary_version_key(&key));
    struct kvs_op op = { .type = KVS_GET, .key = buf_bytes(&key) };
    return c->store->batch(c->store->self, &op, 1, version_came, c);
}

static err read_version(const struct kvs_batch_answer *answer, uint64_t *out_rev, uint64_t *out)
{
    struct bytes results = answer->results;
    struct kvs_result r;

    if (answer->count != 1) {
        FAIL(ERR_PROTO, "%u results for one get", answer->count);
    }
    TRY(kvs_result_take(&results, &r));
    if (r.status == KVS_IS_ABSENT) {
        *out_rev = 0;
        *out = 0;
        return OK;
    }
    TRY(dictionary_version_parse(r.value, out));
    *out_rev = r.rev;
    return OK;
}

static void page_came(void *arg, err e, const struct kvs_page *page);

static err ask_tables(struct catalog *c, struct bytes from)
{
    AUTO(buf_done) struct buf prefix = { .max = KEY_MAX };
    AUTO(buf_done) struct buf end = { .max = KEY_MAX };

    TRY(dictionary_tables_prefix(&prefix));
    TRY(tuple_prefix_end(buf_bytes(&prefix), &end));
    struct kvs_range range = { .space = DICTIONARY_SPACE,
                               .start = from.len > 0 ? from : buf_bytes(&prefix),
                               .end = buf_bytes(&end),
                               .limit = PAGE_KEYS };
    return c->store->scan(c->store->self, &range, page_came, c);
}

static err tables_begin(struct catalog *c, uint64_t rev, uint64_t version)
{
    if (c->loading == NULL) {
        c->loading = mem_take(sizeof *c->loading);
        if (c->loading == NULL) {
            FAIL(ERR_LIMIT, "no memory for the dictionary");
        }
        c->loading->holders = 1;
    }
    view_empty(c->loading);
    c->loading->rev = rev;
    c->loading->version = version;
    return ask_tables(c, (struct bytes){ 0 });
}

/* *out_done: the load is complete, nothing further was asked. */
static err version_step(struct catalog *c, const struct kvs_batch_answer *answer, bool *out_done)
{
    uint64_t rev, version;

    *out_done = false;
    TRY(read_version(answer, &rev, &version));
    struct catalog_view *known = c->loading != NULL ? c->loading : c->view;
    if (known != NULL && known->rev == rev) {
        *out_done = true;
        return OK;
    }
    if (c->tries++ >= TRIES_MAX) {
        FAIL(ERR_AGAIN, "the dictionary changes faster than it can be read");
    }
    return tables_begin(c, rev, version);
}

static void version_came(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct catalog *c = arg;
    bool done = false;

    if (!e.code) {
        e = version_step(c, answer, &done);
    }
    if (e.code) {
        load_end(c, e);
    } else if (done) {
        load_taken(c);
    }
}

static err take_tables(struct catalog_view *v, const struct kvs_page *page)
{
    struct bytes entries = page->entries;
    struct kvs_entry entry;

    for (uint32_t i = 0; i < page->count; i++) {
        TRY(kvs_entry_take(&entries, &entry));
        if (v->count == CATALOG_TABLES_MAX) {
            FAIL(ERR_LIMIT, "more than %d tables", CATALOG_TABLES_MAX);
        }
        TRY(table_def_decode(entry.value, &v->tables[v->count]));
        v->revs[v->count++] = entry.rev;
    }
    return OK;
}

static void page_came(void *arg, err e, const struct kvs_page *page)
{
    struct catalog *c = arg;

    if (!e.code) {
        e = take_tables(c->loading, page);
    }
    if (!e.code) {
        e = page->more ? ask_tables(c, page->next) : ask_version(c);
    }
    if (e.code) {
        load_end(c, e);
    }
}

static err load_begin(struct catalog *c)
{
    c->tries = 0;
    TRY(ask_version(c));
    c->busy = true;
    return OK;
}

void catalog_refresh(struct catalog *c, uint64_t now_us, struct catalog_wait *w)
{
    struct catalog_wait **list = c->busy ? &c->later : &c->served;

    w->next = *list;
    *list = w;
    if (c->busy) {
        return;
    }
    c->asked_us = now_us;
    err e = load_begin(c);
    if (e.code) {
        load_end(c, e);
    }
}
