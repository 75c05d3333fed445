/* SPDX-License-Identifier: Apache-2.0 */
/* INSERT: the rows are encoded as they are read, then sent as one batch that expects their keys to
 * be absent. Only when something is in the way is the store asked what. */
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "store/sql/run.h"

void run_insert_clear(struct sql_run *r)
{
    staging_clear(&r->insert.staged);
    staging_clear(&r->insert.merged);
}

static void insert_send(struct sql_run *r);

/* --- columns --- */

static err target_add(struct sql_run *r, uint16_t column, const struct sql_name *name)
{
    struct insert_state *s = &r->insert;

    for (size_t i = 0; i < s->target_count; i++) {
        if (s->targets[i] == column) {
            SQL_FAIL(&r->error, "42701", name->at, "column \"%s\" occurs twice", name->text);
        }
    }
    s->targets[s->target_count++] = column;
    return OK;
}

/* A column that must have a value and is not in the list can never get one. */
static err check_left_out(struct sql_run *r)
{
    bool given[TABLE_COLUMNS_MAX] = { false };

    for (size_t i = 0; i < r->insert.target_count; i++) {
        given[r->insert.targets[i]] = true;
    }
    for (uint16_t i = 0; i < r->table->column_count; i++) {
        const struct table_column *c = &r->table->columns[i];
        if (!given[i] && c->not_null && !c->dropped) {
            SQL_FAIL(&r->error, "23502", r->statement.table.at,
                     "column \"%s\" may not be NULL and has no default", c->name);
        }
    }
    return OK;
}

static err bind_targets(struct sql_run *r)
{
    const struct statement *st = &r->statement;
    uint16_t column;

    r->insert.target_count = 0;
    for (size_t i = 0; i < st->target_count; i++) {
        TRY(plan_column(r->table, &st->targets[i], &r->error, &column));
        TRY(target_add(r, column, &st->targets[i]));
    }
    for (uint16_t i = 0; st->target_count == 0 && i < r->table->column_count; i++) {
        if (!r->table->columns[i].dropped) {
            r->insert.targets[r->insert.target_count++] = i;
        }
    }
    return check_left_out(r);
}

/* --- rows --- */

struct row_reader {
    struct sql_run *run;
    struct bytes prefix;
    struct row_writer writer;
    struct sql_value key[TABLE_KEY_COLUMNS_MAX];
    struct buf key_octets;
    struct buf value_octets;
};

static err read_value(struct row_reader *w, const struct table_column *c, const struct literal *l)
{
    struct sql_value v;

    TRY(literal_assign(&w->run->values, l, c, &v));
    if (c->key_index >= 0) {
        w->key[c->key_index] = v;
        return OK;
    }
    return value_put_slot(&w->writer, c, &v);
}

static err read_values(struct row_reader *w)
{
    struct sql_run *r = w->run;
    size_t count = r->insert.target_count;
    bool last = false;
    struct literal l;

    TRY(parse_row_open(&r->parser));
    for (size_t i = 0; !last; i++) {
        TRY(parse_row_value(&r->parser, &l, &last));
        if (i >= count || (last && i + 1 < count && r->statement.target_count > 0)) {
            SQL_FAIL(&r->error, "42601", l.at, "INSERT has %s values than columns",
                     i >= count ? "more" : "fewer");
        }
        TRY(read_value(w, &r->table->columns[r->insert.targets[i]], &l));
        if (last && i + 1 < count) { /* without a list of columns the last ones may be left out */
            for (size_t j = i + 1; j < count; j++) {
                struct literal none = { .kind = LITERAL_NULL, .at = l.at };
                TRY(read_value(w, &r->table->columns[r->insert.targets[j]], &none));
            }
        }
    }
    return OK;
}

static err key_of_row(struct row_reader *w)
{
    const struct table_def *t = w->run->table;

    buf_clear(&w->key_octets);
    err e = buf_append(&w->key_octets, w->prefix);
    for (uint16_t k = 0; k < t->key_count && !e.code; k++) {
        e = value_put_key(&w->key_octets, t->columns[t->key[k]].type, &w->key[k]);
    }
    if (e.code) {
        SQL_FAIL(&w->run->error, "54000", SQL_NOWHERE, "a key of more than %d octets",
                 KVS_KEY_BYTES_MAX);
    }
    return OK;
}

static err read_row(struct row_reader *w)
{
    const struct table_def *t = w->run->table;

    buf_clear(&w->value_octets);
    TRY(row_begin(&w->writer, &w->value_octets, t->version, table_slots(t)));
    TRY(read_values(w));
    TRY(key_of_row(w));
    return staging_add(w->run, &w->run->insert.staged, buf_bytes(&w->key_octets),
                       buf_bytes(&w->value_octets), 0, false);
}

static void row_reader_done(struct row_reader *w)
{
    buf_done(&w->key_octets);
    buf_done(&w->value_octets);
}

static err read_rows(struct sql_run *r)
{
    AUTO(buf_done) struct buf prefix = { .max = KVS_KEY_BYTES_MAX };
    bool more;

    TRY(table_rows_prefix(r->table->id, &prefix));
    AUTO(row_reader_done) struct row_reader w = {
        .run = r, .prefix = buf_bytes(&prefix), .key_octets.max = KVS_KEY_BYTES_MAX,
        .value_octets.max = ROW_BYTES_MAX,
    };
    do {
        TRY(read_row(&w));
        TRY(parse_row_next(&r->parser, &more));
    } while (more);
    return parse_insert_tail(&r->parser, &r->statement);
}

/* --- the same key twice in one statement --- */

static err same_key(struct sql_run *r, size_t i)
{
    switch (r->statement.on_conflict) {
    case CONFLICT_NOTHING:
        staging_row(&r->insert.staged, i)->dropped = true; /* the first one wins */
        return OK;
    case CONFLICT_UPDATE:
        SQL_FAIL(&r->error, "21000", SQL_NOWHERE,
                 "ON CONFLICT DO UPDATE cannot affect a row a second time");
    default:
        SQL_FAIL(&r->error, "23505", SQL_NOWHERE,
                 "duplicate key value violates unique constraint \"%s_pkey\"", r->table->name);
    }
}

/* An open table of row numbers + 1, at most half full. */
static err find_same(struct sql_run *r, uint32_t *slots, size_t mask)
{
    const struct staging *s = &r->insert.staged;

    for (size_t i = 0; i < s->count; i++) {
        struct bytes key = staging_key(s, i);
        size_t at = map_hash(key.ptr, key.len) & mask;
        while (slots[at] != 0 && !bytes_equal(staging_key(s, slots[at] - 1), key)) {
            at = (at + 1) & mask;
        }
        if (slots[at] != 0) {
            TRY(same_key(r, i));
        } else {
            slots[at] = (uint32_t)(i + 1);
        }
    }
    return OK;
}

static err check_same_keys(struct sql_run *r)
{
    size_t count = r->insert.staged.count;
    size_t size = 4;

    while (size < 2 * count) {
        size *= 2;
    }
    AUTO(mem_givep) uint32_t *slots = mem_take(size * sizeof *slots);
    if (slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for the keys of a statement");
    }
    return find_same(r, slots, size - 1);
}

/* --- ON CONFLICT --- */

static err check_conflict_key(struct sql_run *r)
{
    const struct statement *st = &r->statement;
    uint16_t column;

    for (size_t i = 0; i < st->conflict_key_count; i++) {
        TRY(plan_column(r->table, &st->conflict_key[i], &r->error, &column));
        if (r->table->columns[column].key_index < 0 ||
            st->conflict_key_count != r->table->key_count) {
            SQL_FAIL(&r->error, "42P10", st->conflict_key[i].at,
                     "ON CONFLICT names the columns of the primary key");
        }
    }
    return OK;
}

static err check_sets(struct sql_run *r)
{
    uint16_t column;

    for (size_t i = 0; i < r->statement.set_count; i++) {
        const struct assignment *a = &r->statement.sets[i];
        TRY(plan_column(r->table, &a->column, &r->error, &column));
        if (r->table->columns[column].key_index >= 0) {
            SQL_FAIL(&r->error, "0A000", a->column.at, "columns of the key cannot be changed");
        }
        if (a->source.text[0] == '\0') {
            continue;
        }
        uint16_t source;
        TRY(plan_column(r->table, &a->source, &r->error, &source));
        if (r->table->columns[source].type != r->table->columns[column].type ||
            r->table->columns[source].typmod != r->table->columns[column].typmod) {
            SQL_FAIL(&r->error, "42804", a->source.at, "columns \"%s\" and \"%s\" differ in type",
                     a->column.text, a->source.text);
        }
    }
    return OK;
}

/* The row that is there, with the columns of SET changed. */
static err merge_row(struct sql_run *r, struct decoder *old, struct decoder *new, struct buf *out)
{
    const struct table_def *t = r->table;
    struct row_writer w;

    for (size_t i = 0; i < r->statement.set_count; i++) {
        const struct assignment *a = &r->statement.sets[i];
        uint16_t column, source;
        TRY(plan_column(t, &a->column, &r->error, &column));
        if (a->source.text[0] != '\0') {
            TRY(plan_column(t, &a->source, &r->error, &source));
            old->values[column] = new->values[source];
        } else {
            TRY(literal_assign(&r->values, &a->value, &t->columns[column], &old->values[column]));
        }
    }
    buf_clear(out);
    TRY(row_begin(&w, out, t->version, table_slots(t)));
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].key_index < 0) {
            TRY(value_put_slot(&w, &t->columns[i], &old->values[i]));
        }
    }
    return OK;
}

/* Takes what the look found: rows that are there are dropped, or merged with what is new. */
static err take_found(struct sql_run *r, struct decoder *old, struct decoder *new, size_t row,
                      const struct kvs_result *found)
{
    struct insert_state *s = &r->insert;
    struct bytes key = staging_key(&s->staged, row);
    AUTO(buf_done) struct buf merged = { .max = ROW_BYTES_MAX };

    if (r->statement.on_conflict == CONFLICT_NOTHING) {
        staging_row(&s->staged, row)->dropped |= found->status == KVS_DONE;
        return OK;
    }
    if (found->status != KVS_DONE) {
        return staging_add(r, &s->merged, key, staging_value(&s->staged, row), 0, false);
    }
    if (r->statement.on_conflict == CONFLICT_FAIL) {
        SQL_FAIL(&r->error, "23505", SQL_NOWHERE,
                 "duplicate key value violates unique constraint \"%s_pkey\"", r->table->name);
    }
    TRY(decoder_read(old, key, found->value));
    TRY(decoder_read(new, key, staging_value(&s->staged, row)));
    TRY(merge_row(r, old, new, &merged));
    return staging_add(r, &s->merged, key, buf_bytes(&merged), found->rev, true);
}

static err take_look(struct sql_run *r, const struct kvs_batch_answer *answer)
{
    struct insert_state *s = &r->insert;
    struct bytes results = answer->results;
    AUTO(decoder_done) struct decoder old = { 0 };
    AUTO(decoder_done) struct decoder new = { 0 };
    struct kvs_result found;

    if (answer->count != s->asked) {
        FAIL(ERR_PROTO, "%u results for %zu gets", answer->count, s->asked);
    }
    TRY(decoder_init(&old, r->table, &r->arena));
    TRY(decoder_init(&new, r->table, &r->arena));
    decoder_need_all(&old);
    decoder_need_all(&new);
    staging_clear(&s->merged);
    for (size_t i = 0; i < s->staged.count; i++) {
        if (!staging_row(&s->staged, i)->dropped) {
            TRY(kvs_result_take(&results, &found));
            TRY(take_found(r, &old, &new, i, &found));
        }
    }
    return OK;
}

static void insert_looked(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct sql_run *r = arg;

    if (!e.code) {
        e = take_look(r, answer);
    }
    if (e.code) {
        run_fail(r, e);
        return;
    }
    insert_send(r);
}

/* Gets all keys that are still to be written. */
static err insert_look(struct sql_run *r)
{
    const struct staging *s = &r->insert.staged;
    AUTO(mem_givep) struct kvs_op *ops = mem_take((s->count + 1) * sizeof *ops);
    uint32_t count = 0;

    if (ops == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch of %zu rows", s->count);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!staging_row(s, i)->dropped) {
            ops[count++] = (struct kvs_op){ .type = KVS_GET, .key = staging_key(s, i) };
        }
    }
    r->insert.asked = count;
    return run_batch(r, ops, count, insert_looked);
}

/* --- sending --- */

static uint64_t rows_left(const struct staging *s)
{
    uint64_t left = 0;

    for (size_t i = 0; i < s->count; i++) {
        left += !staging_row(s, i)->dropped;
    }
    return left;
}

/* What is written: the rows as they came, or merged with what was there. */
static const struct staging *to_send(const struct sql_run *r)
{
    return r->insert.merged.count > 0 ? &r->insert.merged : &r->insert.staged;
}

/* The row of the n-th put of the batch, counted from 1 as its operation is. */
static void drop_sent(struct sql_run *r, uint32_t op)
{
    struct staging *s = &r->insert.staged;
    uint32_t n = 0;

    for (size_t i = 0; i < s->count; i++) {
        struct staged_row *row = staging_row(s, i);
        if (!row->dropped && ++n == op) {
            row->present = true;
        }
    }
}

static void drop_present(struct sql_run *r)
{
    struct staging *s = &r->insert.staged;

    for (size_t i = 0; i < s->count; i++) {
        staging_row(s, i)->dropped |= staging_row(s, i)->present;
    }
}

static err insert_conflict(struct sql_run *r, const struct run_failures *f)
{
    if (++r->attempts >= RUN_ATTEMPTS_MAX) {
        return (err){ ERR_CONFLICT };
    }
    if (r->statement.on_conflict == CONFLICT_FAIL && f->count > 0) {
        SQL_FAIL(&r->error, "23505", SQL_NOWHERE,
                 "duplicate key value violates unique constraint \"%s_pkey\"", r->table->name);
    }
    if (r->statement.on_conflict == CONFLICT_NOTHING && f->complete) {
        for (uint32_t i = 0; i < f->count; i++) {
            drop_sent(r, f->ops[i]);
        }
        drop_present(r);
        insert_send(r);
        return OK;
    }
    return insert_look(r);
}

static void insert_sent(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct sql_run *r = arg;
    struct run_failures f;

    if (e.code == ERR_CONFLICT) {
        run_failures(answer, &f);
        if (f.dictionary) {
            run_again(r);
            return;
        }
        e = insert_conflict(r, &f);
        if (!e.code) {
            return;
        }
    }
    if (e.code) {
        run_fail(r, e);
        return;
    }
    run_done(r, "INSERT 0 ", rows_left(to_send(r)));
}

static err insert_batch(struct sql_run *r)
{
    const struct staging *s = to_send(r);
    AUTO(mem_givep) struct kvs_op *ops = mem_take((s->count + 1) * sizeof *ops);
    uint32_t count = 1;

    if (ops == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch of %zu rows", s->count);
    }
    TRY(run_check_op(r, &ops[0]));
    for (size_t i = 0; i < s->count; i++) {
        const struct staged_row *row = staging_row(s, i);
        if (row->dropped) {
            continue;
        }
        ops[count++] = (struct kvs_op){ .type = KVS_PUT,
                                        .expect = row->present ? KVS_REV : KVS_ABSENT,
                                        .rev = row->rev,
                                        .key = staging_key(s, i),
                                        .value = staging_value(s, i) };
    }
    return run_batch(r, ops, count, insert_sent);
}

static void insert_send(struct sql_run *r)
{
    if (rows_left(to_send(r)) == 0) {
        run_done(r, "INSERT 0 ", 0);
        return;
    }
    err e = insert_batch(r);
    if (e.code) {
        run_fail(r, e);
    }
}

err run_insert(struct sql_run *r)
{
    TRY(bind_targets(r));
    TRY(read_rows(r));
    TRY(check_conflict_key(r));
    TRY(check_sets(r));
    TRY(check_same_keys(r));
    insert_send(r);
    return OK;
}
