/* SPDX-License-Identifier: Apache-2.0 */
/* UPDATE and DELETE: the rows are read, then written in one batch that expects each to be as it was
 * read. Met by another writer, the statement begins anew. */
#include "lib/base/mem.h"
#include "store/sql/run.h"

#define PAGE_KEYS 1000

void run_change_clear(struct sql_run *r)
{
    scan_clear(&r->change.scan);
    decoder_done(&r->change.decoder);
    staging_clear(&r->change.staged);
    r->change = (struct change_state){ 0 };
}

static err bind_sets(struct sql_run *r)
{
    const struct statement *st = &r->statement;
    struct change_state *s = &r->change;
    bool given[TABLE_COLUMNS_MAX] = { false };
    uint16_t column;

    s->sets = arena_take(&r->arena, (st->set_count + 1) * sizeof *s->sets);
    if (s->sets == NULL) {
        SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "the statement needs too much memory");
    }
    for (size_t i = 0; i < st->set_count; i++) {
        const struct assignment *a = &st->sets[i];
        TRY(plan_column(r->table, &a->column, &r->error, &column));
        if (r->table->columns[column].key_index >= 0) {
            SQL_FAIL(&r->error, "0A000", a->column.at, "columns of the key cannot be changed");
        }
        if (given[column]) {
            SQL_FAIL(&r->error, "42601", a->column.at, "column \"%s\" is set twice",
                     a->column.text);
        }
        given[column] = true;
        TRY(literal_assign(&r->values, &a->value, &r->table->columns[column], &s->sets[i]));
    }
    return OK;
}

/* The row at hand with the columns of SET changed. */
static err changed_row(struct sql_run *r, struct buf *out)
{
    const struct table_def *t = r->table;
    struct sql_value *values = r->change.decoder.values;
    struct row_writer w;
    uint16_t column;

    for (size_t i = 0; i < r->statement.set_count; i++) {
        TRY(plan_column(t, &r->statement.sets[i].column, &r->error, &column));
        values[column] = r->change.sets[i];
    }
    TRY(row_begin(&w, out, t->version, table_slots(t)));
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].key_index < 0) {
            TRY(value_put_slot(&w, &t->columns[i], &values[i]));
        }
    }
    return OK;
}

static err change_entry(void *arg, const struct kvs_entry *entry, enum scan_step *step)
{
    struct sql_run *r = arg;
    struct change_state *s = &r->change;
    AUTO(buf_done) struct buf row = { .max = ROW_BYTES_MAX };

    (void)step;
    TRY(decoder_read(&s->decoder, entry->key, entry->value));
    if (!plan_matches(&s->plan, s->decoder.values)) {
        return OK;
    }
    if (r->statement.kind == STATEMENT_UPDATE) {
        TRY(changed_row(r, &row));
    }
    return staging_add(r, &s->staged, entry->key, buf_bytes(&row), entry->rev, true);
}

static enum scan_step change_page(void *arg)
{
    struct sql_run *r = arg;

    return run_check(r).code ? SCAN_END : SCAN_ON; /* the refusal is kept and told at the end */
}

static void change_done(struct sql_run *r)
{
    run_done(r, r->statement.kind == STATEMENT_UPDATE ? "UPDATE " : "DELETE ",
             r->change.staged.count);
}

static void change_sent(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct sql_run *r = arg;

    (void)answer;
    if (e.code == ERR_CONFLICT) {
        run_again(r);
    } else if (e.code) {
        run_fail(r, e);
    } else {
        change_done(r);
    }
}

static err change_send(struct sql_run *r)
{
    const struct staging *s = &r->change.staged;
    AUTO(mem_givep) struct kvs_op *ops = mem_take((s->count + 1) * sizeof *ops);
    bool update = r->statement.kind == STATEMENT_UPDATE;

    if (ops == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch of %zu rows", s->count);
    }
    TRY(run_check_op(r, &ops[0]));
    for (size_t i = 0; i < s->count; i++) {
        ops[i + 1] = (struct kvs_op){ .type = update ? KVS_PUT : KVS_DELETE, .expect = KVS_REV,
                                      .rev = staging_row(s, i)->rev, .key = staging_key(s, i) };
        if (update) {
            ops[i + 1].value = staging_value(s, i);
        }
    }
    return run_batch(r, ops, (uint32_t)s->count + 1, change_sent);
}

static void change_scanned(void *arg, err e, bool ended)
{
    struct sql_run *r = arg;

    if (!e.code && ended) {
        e = run_check(r);
    }
    if (!e.code && r->change.staged.count == 0) {
        change_done(r);
        return;
    }
    if (!e.code) {
        e = change_send(r);
    }
    if (e.code) {
        run_fail(r, e);
    }
}

err run_change(struct sql_run *r)
{
    struct change_state *s = &r->change;

    if (r->statement.kind == STATEMENT_UPDATE) {
        TRY(bind_sets(r));
    }
    TRY(plan_make(&r->values, r->table, &r->statement, &s->plan));
    TRY(decoder_init(&s->decoder, r->table, &r->arena));
    for (size_t i = 0; i < s->plan.filter_count; i++) {
        decoder_need(&s->decoder, s->plan.filters[i].column);
    }
    if (r->statement.kind == STATEMENT_UPDATE) {
        decoder_need_all(&s->decoder);
    }
    s->scan = (struct scan){ .store = &r->engine->options.store, .plan = &s->plan,
                             .keys_only = !decoder_needs_row(&s->decoder),
                             .page_keys = PAGE_KEYS, .arg = r, .entry = change_entry,
                             .page = change_page, .done = change_scanned };
    scan_go(&s->scan);
    return OK;
}
