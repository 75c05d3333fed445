/* SPDX-License-Identifier: Apache-2.0 */
/* A dropped table's rows are deleted page by page, then its descriptor. Whoever stops in between is
 * taken up by the next start; several services may do it at once. */
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/tuple.h"
#include "store/sql/run.h"

#define PAGE_KEYS 1000
#define KEY_MAX 64

static err ask_rows(struct purge *p);

static void purge_end(struct purge *p)
{
    catalog_release(p->view);
    p->view = NULL;
    p->busy = false;
}

static void purge_reread(void *arg, err e)
{
    struct sql_engine *engine = arg;

    purge_end(&engine->purge);
    if (!e.code) {
        purge_go(engine);
    }
}

/* The descriptor is gone, or somebody else changed the dictionary: look again either way. */
static void descriptor_gone(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct purge *p = arg;

    (void)answer;
    if (e.code && e.code != ERR_CONFLICT) {
        purge_end(p); /* the next drop or start tries again */
        return;
    }
    struct sql_engine *engine = p->engine;
    p->wait = (struct catalog_wait){ .done = purge_reread, .arg = engine };
    catalog_refresh(&engine->catalog, engine->options.now_us(engine->options.clock), &p->wait);
}

static err drop_descriptor(struct purge *p)
{
    const struct sql_store *store = &p->engine->options.store;
    AUTO(buf_done) struct buf version_key = { .max = KEY_MAX };
    AUTO(buf_done) struct buf table_key = { .max = KEY_MAX };
    uint8_t version[DICTIONARY_VERSION_BYTES];

    TRY(dictionary_version_key(&version_key));
    TRY(dictionary_table_key(p->table_id, &table_key));
    dictionary_version_encode(p->view->version + 1, version);
    struct kvs_op ops[2] = {
        { .type = KVS_PUT,
          .expect = KVS_REV,
          .rev = p->view->rev,
          .key = buf_bytes(&version_key),
          .value = BYTES_OF(version) },
        { .type = KVS_DELETE,
          .expect = KVS_REV,
          .rev = p->table_rev,
          .key = buf_bytes(&table_key) },
    };
    return store->batch(store->self, ops, 2, descriptor_gone, p);
}

static void rows_gone(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct purge *p = arg;

    (void)answer;
    if (!e.code) {
        e = ask_rows(p);
    }
    if (e.code) {
        purge_end(p);
    }
}

static err drop_rows(struct purge *p, const struct kvs_page *page)
{
    const struct sql_store *store = &p->engine->options.store;
    AUTO(mem_givep) struct kvs_op *ops = mem_take(page->count * sizeof *ops);
    struct bytes entries = page->entries;
    struct kvs_entry entry;

    if (ops == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch of %u keys", page->count);
    }
    for (uint32_t i = 0; i < page->count; i++) {
        TRY(kvs_entry_take(&entries, &entry));
        ops[i] = (struct kvs_op){ .type = KVS_DELETE, .key = entry.key };
    }
    return store->batch(store->self, ops, page->count, rows_gone, p);
}

static void rows_came(void *arg, err e, const struct kvs_page *page)
{
    struct purge *p = arg;

    if (!e.code) {
        e = page->count > 0 ? drop_rows(p, page) : drop_descriptor(p);
    }
    if (e.code) {
        purge_end(p);
    }
}

static err ask_rows(struct purge *p)
{
    const struct sql_store *store = &p->engine->options.store;
    AUTO(buf_done) struct buf start = { .max = KEY_MAX };
    AUTO(buf_done) struct buf end = { .max = KEY_MAX };

    TRY(table_rows_prefix(p->table_id, &start));
    TRY(tuple_prefix_end(buf_bytes(&start), &end));
    struct kvs_range range = { .space = DICTIONARY_SPACE, .start = buf_bytes(&start),
                               .end = buf_bytes(&end), .limit = PAGE_KEYS, .keys_only = true };
    return store->scan(store->self, &range, rows_came, p);
}

static bool find_dropped(struct purge *p, const struct catalog_view *v)
{
    for (size_t i = 0; i < v->count; i++) {
        if (v->tables[i]->dropped) {
            p->table_id = v->tables[i]->id;
            p->table_rev = v->revs[i];
            return true;
        }
    }
    return false;
}

void purge_go(struct sql_engine *e)
{
    struct purge *p = &e->purge;

    if (p->busy || e->catalog.view == NULL || !find_dropped(p, e->catalog.view)) {
        return;
    }
    p->busy = true;
    p->view = catalog_hold(&e->catalog);
    if (ask_rows(p).code) {
        purge_end(p);
    }
}
