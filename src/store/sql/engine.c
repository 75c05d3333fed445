/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/engine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "store/sql/run.h"

#define CATALOG_FRESH_US 1000000 /* a read may be bound to a dictionary this old */
#define KEY_MAX 64

err sql_engine_new(const struct sql_engine_options *options, struct sql_engine **out)
{
    struct sql_engine *e = mem_take(sizeof *e);

    if (e == NULL) {
        FAIL(ERR_LIMIT, "no memory for the engine");
    }
    e->options = *options;
    err failed = next_sealer_new(&e->sealer);
    if (failed.code) {
        mem_give(e);
        return failed;
    }
    catalog_init(&e->catalog, &e->options.store);
    e->purge.engine = e;
    *out = e;
    return OK;
}

bool sql_engine_idle(const struct sql_engine *e)
{
    return e->first == NULL && !e->purge.busy && !e->catalog.busy;
}

void sql_engine_free(struct sql_engine *e)
{
    if (e != NULL) {
        assert(sql_engine_idle(e));
        catalog_done(&e->catalog);
        next_sealer_free(e->sealer);
        mem_give(e);
    }
}

static uint64_t engine_now_us(const struct sql_engine *e)
{
    return e->options.now_us(e->options.clock);
}

static void engine_opened(void *arg, err failed)
{
    struct sql_engine *e = arg;
    void (*opened)(void *, err) = e->opened;

    if (failed.code) {
        e->opened = NULL; /* may be tried again */
    } else {
        purge_go(e);
    }
    opened(e->opened_arg, failed);
}

err sql_engine_open(struct sql_engine *e, void (*done)(void *arg, err e), void *arg)
{
    if (e->opened != NULL) {
        FAIL(ERR_CONFLICT, "the engine is open");
    }
    e->opened = done;
    e->opened_arg = arg;
    e->open_wait = (struct catalog_wait){ .done = engine_opened, .arg = e };
    catalog_refresh(&e->catalog, engine_now_us(e), &e->open_wait);
    return OK;
}

/* --- the life of a run --- */

uint64_t run_now_us(const struct sql_run *r)
{
    return engine_now_us(r->engine);
}

/* What one attempt holds beyond the run itself. */
static void run_clear(struct sql_run *r)
{
    run_insert_clear(r);
    run_select_clear(r);
    run_change_clear(r);
    table_def_freep(&r->ddl.table);
    catalog_release(r->view);
    r->view = NULL;
    r->table = NULL;
    arena_reset(&r->arena);
}

static void run_free(struct sql_run *r)
{
    struct sql_engine *e = r->engine;

    run_clear(r);
    arena_done(&r->arena);
    if (r->before != NULL) {
        r->before->after = r->after;
    } else {
        e->first = r->after;
    }
    if (r->after != NULL) {
        r->after->before = r->before;
    }
    e->under_way--;
    if (r->ended != NULL) {
        *r->ended = true;
    }
    mem_give(r);
}

void run_done_next(struct sql_run *r, const char *format, uint64_t count, struct bytes next)
{
    char command[RUN_COMMAND_BYTES];
    struct sql_sink sink = r->request.sink;

    snprintf(command, sizeof command, "%s%" PRIu64, format, count);
    if (format[strlen(format) - 1] != ' ') {
        snprintf(command, sizeof command, "%s", format); /* a command without a count */
    }
    sink.done(sink.self, command, next);
    run_free(r);
}

void run_done(struct sql_run *r, const char *format, uint64_t count)
{
    run_done_next(r, format, count, (struct bytes){ 0 });
}

void run_fail(struct sql_run *r, err e)
{
    struct sql_sink sink = r->request.sink;

    sql_error_of(&r->error, e);
    r->error.table_id = r->table != NULL ? r->table->id : 0;
    sink.failed(sink.self, &r->error);
    run_free(r);
}

err run_check(struct sql_run *r)
{
    if (r->cancelled) {
        SQL_FAIL(&r->error, "57014", SQL_NOWHERE, "the statement was cancelled");
    }
    if (run_now_us(r) >= r->deadline_us) {
        SQL_FAIL(&r->error, "57014", SQL_NOWHERE, "the statement took longer than %" PRIu64 " s",
                 r->engine->options.limits.time_us / 1000000);
    }
    return OK;
}

bool run_allows(const struct sql_run *r, enum sql_right right, const char *table)
{
    return r->request.access.allows(r->request.access.self, right, table);
}

err run_batch(struct sql_run *r, const struct kvs_op *ops, uint32_t count, kvs_batch_fn done)
{
    TRY(run_check(r));
    return r->engine->options.store.batch(r->engine->options.store.self, ops, count, done, r);
}

err run_check_op(struct sql_run *r, struct kvs_op *out)
{
    AUTO(buf_done) struct buf key = { .max = KEY_MAX };
    struct bytes kept;

    TRY(dictionary_version_key(&key));
    TRY(arena_copy(&r->arena, buf_bytes(&key), &kept));
    *out = (struct kvs_op){ .type = KVS_CHECK, .expect = r->view->rev == 0 ? KVS_ABSENT : KVS_REV,
                            .rev = r->view->rev, .key = kept };
    return OK;
}

void run_failures(const struct kvs_batch_answer *answer, struct run_failures *out)
{
    struct run_failures f = { 0 };
    struct bytes results = answer->results;
    struct kvs_result r;

    while (f.count < answer->count && f.count < KVS_FAILURES_MAX &&
           !kvs_result_take(&results, &r).code && r.value.len == 4) {
        f.ops[f.count] = load_u32(r.value.ptr);
        f.dictionary |= f.ops[f.count] == 0;
        f.count++;
    }
    f.complete = f.count > 0 && f.count == answer->count && f.count < KVS_FAILURES_MAX;
    *out = f;
}

/* --- binding --- */

static enum sql_right right_of(const struct statement *s)
{
    switch (s->kind) {
    case STATEMENT_CREATE:
    case STATEMENT_DROP: return SQL_ADMIN;
    case STATEMENT_SELECT:
    case STATEMENT_SHOW_TABLES: return SQL_READ;
    default: return SQL_WRITE;
    }
}

/* How many rows UPDATE and DELETE hit answers any question that their WHERE asks, so whoever may not
 * read may do neither. */
static bool is_allowed(const struct sql_run *r, const struct statement *s)
{
    bool looks = s->kind == STATEMENT_UPDATE || s->kind == STATEMENT_DELETE;

    return run_allows(r, right_of(s), s->table.text) &&
           (!looks || run_allows(r, SQL_READ, s->table.text));
}

static err check_right(struct sql_run *r)
{
    const struct statement *s = &r->statement;

    if (s->kind != STATEMENT_SHOW_TABLES && !is_allowed(r, s)) {
        SQL_FAIL(&r->error, "42501", s->table.at, "permission denied for table %s", s->table.text);
    }
    return OK;
}

static bool must_refresh(const struct sql_run *r)
{
    const struct catalog *c = &r->engine->catalog;
    enum statement_kind kind = r->statement.kind;

    if (c->view == NULL || kind == STATEMENT_CREATE || kind == STATEMENT_DROP ||
        kind == STATEMENT_SHOW_TABLES) {
        return true;
    }
    /* Writes check the dictionary themselves. A missing table may be one that we do not know yet.
     */
    return (kind == STATEMENT_SELECT && run_now_us(r) - c->checked_us > CATALOG_FRESH_US) ||
           catalog_find(c->view, r->statement.table.text) < 0;
}

static err find_table(struct sql_run *r)
{
    const struct sql_name *name = &r->statement.table;
    int i = catalog_find(r->view, name->text);

    if (i < 0 && r->statement.kind != STATEMENT_CREATE && r->statement.kind != STATEMENT_DROP &&
        r->statement.kind != STATEMENT_SHOW_TABLES) {
        SQL_FAIL(&r->error, "42P01", name->at, "table \"%s\" does not exist", name->text);
    }
    if (i >= 0) {
        r->table = r->view->tables[i];
        r->table_rev = r->view->revs[i];
    }
    return OK;
}

static err run_bound(struct sql_run *r)
{
    r->view = catalog_hold(&r->engine->catalog);
    TRY(find_table(r));
    switch (r->statement.kind) {
    case STATEMENT_CREATE: return run_create(r);
    case STATEMENT_DROP: return run_drop(r);
    case STATEMENT_SHOW_TABLES: return run_show(r);
    case STATEMENT_INSERT: return run_insert(r);
    case STATEMENT_SELECT: return run_select(r);
    default: return run_change(r);
    }
}

static void run_refreshed(void *arg, err e)
{
    struct sql_run *r = arg;

    r->refreshed = true;
    if (!e.code) {
        e = run_check(r);
    }
    if (!e.code) {
        e = run_bound(r);
    }
    if (e.code) {
        run_fail(r, e);
    }
}

static err run_parse(struct sql_run *r)
{
    r->values = (struct value_context){ r->request.params, r->request.param_count, &r->arena,
                                        &r->error };
    TRY(parse_begin(&r->parser, r->request.text, &r->arena, &r->error, &r->statement));
    return check_right(r);
}

static err run_begin(struct sql_run *r)
{
    TRY(run_parse(r));
    if (!r->refreshed && must_refresh(r)) {
        r->wait = (struct catalog_wait){ .done = run_refreshed, .arg = r };
        catalog_refresh(&r->engine->catalog, run_now_us(r), &r->wait);
        return OK;
    }
    return run_bound(r);
}

/* The dictionary was read again after a conflict. */
static void run_reread(void *arg, err e)
{
    struct sql_run *r = arg;

    r->refreshed = true;
    if (!e.code) {
        e = run_check(r);
    }
    if (!e.code) {
        e = run_parse(r);
    }
    if (!e.code) {
        e = run_bound(r);
    }
    if (e.code) {
        run_fail(r, e);
    }
}

void run_again(struct sql_run *r)
{
    if (++r->attempts >= RUN_ATTEMPTS_MAX) {
        run_fail(r, (err){ ERR_CONFLICT });
        return;
    }
    run_clear(r);
    r->wait = (struct catalog_wait){ .done = run_reread, .arg = r };
    catalog_refresh(&r->engine->catalog, run_now_us(r), &r->wait);
}

err sql_run_start(struct sql_engine *e, const struct sql_request *request, struct sql_run **out)
{
    if (e->under_way >= e->options.limits.statements_max) {
        FAIL(ERR_LIMIT, "%zu statements under way, no more are taken", e->under_way);
    }
    struct sql_run *r = mem_take(sizeof *r);
    if (r == NULL) {
        FAIL(ERR_LIMIT, "no memory for a statement");
    }
    *r = (struct sql_run){ .engine = e, .request = *request, .after = e->first,
                           .arena.max = RUN_ARENA_BYTES_MAX };
    r->deadline_us = run_now_us(r) + e->options.limits.time_us;
    if (e->first != NULL) {
        e->first->before = r;
    }
    e->first = r;
    e->under_way++;
    bool ended = false;
    r->ended = &ended;
    err failed = run_begin(r);
    if (failed.code) {
        run_fail(r, failed);
    }
    if (!ended) {
        r->ended = NULL;
    }
    *out = ended ? NULL : r;
    return OK;
}

void sql_run_resume(struct sql_run *r)
{
    run_select_resume(r);
}

void sql_run_cancel(struct sql_run *r)
{
    r->cancelled = true;
    run_select_resume(r); /* nobody else would wake a run that waits for its reader */
}
