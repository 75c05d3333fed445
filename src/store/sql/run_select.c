/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT: rows or groups come in key order and leave through the sink as they come. */
#include <stdio.h>
#include <string.h>

#include "lib/crypto/hash.h"
#include "store/sql/run.h"

#define PAGE_KEYS 1000
#define PAGE_KEYS_ONLY 10000
#define GROUP_TEXT_BYTES_MAX (KVS_KEY_BYTES_MAX * 2)

void run_select_clear(struct sql_run *r)
{
    struct select_state *s = &r->select;

    for (size_t i = 0; s->aggregates != NULL && i < s->column_count; i++) {
        aggregate_done(&s->aggregates[i]);
    }
    scan_clear(&s->scan);
    decoder_done(&s->decoder);
    buf_done(&s->group);
    buf_done(&s->group_octets);
    buf_done(&s->next);
    *s = (struct select_state){ 0 };
}

/* --- columns of the answer --- */

static err no_memory(struct sql_run *r)
{
    SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "the statement needs too much memory");
}

static size_t columns_max(const struct sql_run *r)
{
    size_t stars = 0;

    for (size_t i = 0; i < r->statement.item_count; i++) {
        stars += r->statement.items[i].kind == ITEM_STAR;
    }
    return r->statement.item_count + stars * r->table->column_count;
}

static err take_columns(struct sql_run *r)
{
    struct select_state *s = &r->select;
    size_t max = columns_max(r);

    if (max > TABLE_COLUMNS_MAX * 4) {
        SQL_FAIL(&r->error, "54011", SQL_NOWHERE, "an answer has at most %d columns",
                 TABLE_COLUMNS_MAX * 4);
    }
    s->columns = arena_take(&r->arena, max * sizeof *s->columns);
    s->sources = arena_take(&r->arena, max * sizeof *s->sources);
    s->row = arena_take(&r->arena, max * sizeof *s->row);
    s->aggregates = arena_take(&r->arena, max * sizeof *s->aggregates);
    s->group_values = arena_take(&r->arena, r->table->column_count * sizeof *s->group_values);
    return s->columns == NULL || s->sources == NULL || s->row == NULL || s->aggregates == NULL ||
                   s->group_values == NULL
               ? no_memory(r)
               : OK;
}

static void add_column(struct sql_run *r, uint16_t source, const struct sql_name *label)
{
    struct select_state *s = &r->select;

    s->sources[s->column_count] = source;
    s->aggregates[s->column_count].kind = ITEM_COLUMN;
    s->columns[s->column_count] = r->table->columns[source];
    if (label->text[0] != '\0') {
        snprintf(s->columns[s->column_count].name, sizeof s->columns[0].name, "%s", label->text);
    }
    s->column_count++;
    decoder_need(&s->decoder, source);
}

static err add_aggregate(struct sql_run *r, const struct select_item *item)
{
    struct select_state *s = &r->select;
    const struct table_column *column = NULL;
    uint16_t source = 0;

    if (item->kind != ITEM_COUNT_ROWS) {
        TRY(plan_column(r->table, &item->column, &r->error, &source));
        column = &r->table->columns[source];
        decoder_need(&s->decoder, source);
    }
    s->sources[s->column_count] = source;
    TRY(aggregate_init(&s->aggregates[s->column_count], item, column, &r->error,
                       &s->columns[s->column_count]));
    s->column_count++;
    s->aggregated = true;
    return OK;
}

static err add_item(struct sql_run *r, const struct select_item *item)
{
    uint16_t source;

    if (item->kind == ITEM_STAR) {
        for (uint16_t i = 0; i < r->table->column_count; i++) {
            if (!r->table->columns[i].dropped) {
                add_column(r, i, &item->label);
            }
        }
        return OK;
    }
    if (item->kind != ITEM_COLUMN) {
        return add_aggregate(r, item);
    }
    TRY(plan_column(r->table, &item->column, &r->error, &source));
    add_column(r, source, &item->label);
    return OK;
}

/* --- groups: leading columns of the key --- */

static err not_grouped(struct sql_run *r, const struct table_column *c)
{
    SQL_FAIL(&r->error, "42803", SQL_NOWHERE,
             "column \"%s\" must be in GROUP BY or in an aggregate", c->name);
}

static err bind_group(struct sql_run *r)
{
    struct select_state *s = &r->select;
    const struct table_def *t = r->table;
    bool in_group[TABLE_COLUMNS_MAX] = { false };
    uint16_t column;
    uint16_t keys = 0;

    for (size_t i = 0; i < r->statement.group_count; i++) {
        TRY(plan_column(t, &r->statement.group[i], &r->error, &column));
        in_group[column] = true;
    }
    while (keys < t->key_count && (in_group[t->key[keys]] || keys < s->plan.bound)) {
        keys++;
    }
    for (size_t i = 0; i < r->statement.group_count; i++) {
        TRY(plan_column(t, &r->statement.group[i], &r->error, &column));
        int place = t->columns[column].key_index;
        if (place < 0 || place >= keys) {
            SQL_FAIL(&r->error, "0A000", r->statement.group[i].at,
                     "GROUP BY takes leading columns of the primary key");
        }
    }
    for (size_t i = 0; i < s->column_count; i++) {
        if (s->aggregates[i].kind == ITEM_COLUMN && !in_group[s->sources[i]]) {
            return not_grouped(r, &t->columns[s->sources[i]]);
        }
    }
    s->group_keys = keys;
    return OK;
}

/* --- giving rows --- */

static bool enough(const struct select_state *s)
{
    return s->emitted >= s->limit;
}

static bool answer_full(const struct sql_run *r)
{
    uint64_t max = r->request.rows_max;

    return max > 0 && r->select.emitted - r->select.emitted_before >= max;
}

/* A row of s->row; OFFSET takes the first ones. */
static err emit(struct sql_run *r)
{
    struct select_state *s = &r->select;

    if (s->skipped < s->offset) {
        s->skipped++;
        return OK;
    }
    s->emitted++;
    return r->request.sink.row(r->request.sink.self, s->row);
}

/* Statement and parameters: what a continuation belongs to. */
static err request_digest(const struct sql_run *r, struct digest *out)
{
    struct hash *h;

    TRY(hash_new(&h));
    hash_add(h, r->request.text);
    for (size_t i = 0; i < r->request.param_count; i++) {
        const struct literal *l = &r->request.params[i];
        uint8_t head[18] = { l->kind, l->truth };
        store_u64(head + 2, l->kind == LITERAL_TEXT ? l->text.len : (uint64_t)l->i);
        hash_add(h, BYTES_OF(head));
        if (l->kind == LITERAL_TEXT) {
            hash_add(h, l->text);
        }
    }
    *out = hash_finish(h);
    hash_free(h);
    return OK;
}

/* The answer ends before this row: says where to go on. */
static err stop_before(struct sql_run *r, struct bytes key, enum scan_step *step)
{
    struct select_state *s = &r->select;
    struct next_place place = { s->emitted, (uint32_t)s->scan.range, scan_lend(&s->scan), key };
    struct digest d;

    TRY(request_digest(r, &d));
    s->next.max = NEXT_TEXT_BYTES_MAX;
    *step = SCAN_END;
    return next_seal(r->engine->sealer, DIGEST_VIEW(&d), run_now_us(r), &place, &s->next);
}

static err plain_entry(struct sql_run *r, const struct kvs_entry *entry, enum scan_step *step)
{
    struct select_state *s = &r->select;

    if (enough(s)) {
        *step = SCAN_END;
        return OK;
    }
    if (answer_full(r)) {
        return stop_before(r, entry->key, step);
    }
    for (size_t i = 0; i < s->column_count; i++) {
        s->row[i] = s->decoder.values[s->sources[i]];
    }
    return emit(r);
}

static err group_end(struct sql_run *r)
{
    struct select_state *s = &r->select;

    for (size_t i = 0; i < s->column_count; i++) {
        if (s->aggregates[i].kind == ITEM_COLUMN) {
            s->row[i] = s->group_values[s->sources[i]];
            continue;
        }
        TRY(aggregate_result(&s->aggregates[i], &r->error, &s->row[i]));
    }
    s->in_group = false;
    return emit(r);
}

/* Keeps the group's columns: what the decoder has now is gone with the next row. */
static err keep_group_values(struct sql_run *r)
{
    struct select_state *s = &r->select;

    buf_clear(&s->group_octets);
    s->group_octets.max = GROUP_TEXT_BYTES_MAX;
    TRY(buf_reserve(&s->group_octets, KVS_KEY_BYTES_MAX)); /* texts of one key fit: none moves */
    for (uint16_t k = 0; k < s->group_keys; k++) {
        uint16_t column = r->table->key[k];
        struct sql_value *v = &s->group_values[column];
        *v = s->decoder.values[column];
        if (s->decoder.needed[column] && column_type_is_octets(r->table->columns[column].type)) {
            size_t at = s->group_octets.len;
            TRY(buf_append(&s->group_octets, v->octets));
            v->octets.ptr = s->group_octets.ptr + at;
        }
    }
    return OK;
}

static err group_begin(struct sql_run *r, const struct kvs_entry *entry)
{
    struct select_state *s = &r->select;
    struct bytes key = entry->key;
    size_t size = 0;

    TRY(decoder_prefix(&s->decoder, key, s->group_keys, &size));
    TRY(decoder_read(&s->decoder, key, entry->value)); /* the prefix took its scratch */
    s->group.max = KVS_KEY_BYTES_MAX;
    buf_clear(&s->group);
    TRY(buf_append(&s->group, (struct bytes){ key.ptr, size }));
    TRY(keep_group_values(r));
    for (size_t i = 0; i < s->column_count; i++) {
        aggregate_reset(&s->aggregates[i]);
    }
    s->in_group = true;
    return OK;
}

/* The escape of a zero makes other keys begin alike; no element begins with ff. */
static bool same_group(const struct select_state *s, struct bytes key)
{
    return bytes_have_prefix(key, buf_bytes(&s->group)) &&
           (key.len == s->group.len || key.ptr[s->group.len] != 0xff);
}

static err group_entry(struct sql_run *r, const struct kvs_entry *entry, enum scan_step *step)
{
    struct select_state *s = &r->select;

    if (r->statement.group_count > 0 && s->in_group && !same_group(s, entry->key)) {
        TRY(group_end(r));
    }
    if (!s->in_group) {
        if (enough(s)) {
            *step = SCAN_END;
            return OK;
        }
        if (answer_full(r)) {
            return stop_before(r, entry->key, step);
        }
        TRY(group_begin(r, entry));
    }
    for (size_t i = 0; i < s->column_count; i++) {
        if (s->aggregates[i].kind != ITEM_COLUMN) {
            TRY(aggregate_add(&s->aggregates[i], &s->decoder.values[s->sources[i]], &r->error));
        }
    }
    return OK;
}

static err select_entry(void *arg, const struct kvs_entry *entry, enum scan_step *step)
{
    struct sql_run *r = arg;
    struct select_state *s = &r->select;

    TRY(decoder_read(&s->decoder, entry->key, entry->value));
    if (!plan_matches(&s->plan, s->decoder.values)) {
        return OK;
    }
    return s->aggregated ? group_entry(r, entry, step) : plain_entry(r, entry, step);
}

/* --- pages --- */

static uint32_t page_keys(struct sql_run *r)
{
    struct select_state *s = &r->select;
    uint64_t wanted = PAGE_KEYS;

    if (s->scan.keys_only) {
        wanted = PAGE_KEYS_ONLY;
    }
    if (s->aggregated || s->plan.filter_count > 0) {
        return (uint32_t)wanted;
    }
    uint64_t left = s->limit - s->emitted;
    uint64_t of_answer = r->request.rows_max > 0 ? r->request.rows_max + 1 : UINT64_MAX;
    left = left < of_answer ? left : of_answer;
    left = left > UINT64_MAX - s->offset ? UINT64_MAX : left + s->offset;
    s->scan.one_page = left <= wanted && r->request.rows_max == 0;
    wanted = left < wanted ? left : wanted;
    return wanted > 0 ? (uint32_t)wanted : 1;
}

/* Asks for the next page. Where the answer may be full before its keys are through, the client may
 * come back for them, and finds the snapshot. */
static void set_page(struct sql_run *r)
{
    struct select_state *s = &r->select;
    uint64_t max = r->request.rows_max;

    s->scan.page_keys = page_keys(r);
    s->scan.keep = max > 0 && s->emitted - s->emitted_before + s->scan.page_keys > max;
}

static enum scan_step select_page(void *arg)
{
    struct sql_run *r = arg;
    struct select_state *s = &r->select;

    if (run_check(r).code || (!s->aggregated && enough(s))) {
        return SCAN_END;
    }
    set_page(r);
    if (!r->request.sink.full(r->request.sink.self)) {
        return SCAN_ON;
    }
    s->paused = true;
    return SCAN_PAUSE;
}

void run_select_resume(struct sql_run *r)
{
    if (!r->select.paused) {
        return;
    }
    r->select.paused = false;
    err e = run_check(r);
    if (e.code) {
        run_fail(r, e);
        return;
    }
    scan_go(&r->select.scan);
}

static err select_finish(struct sql_run *r)
{
    struct select_state *s = &r->select;

    if (r->error.state[0] != '\0') {
        return (err){ ERR_PROTO };
    }
    bool one_row = s->aggregated && r->statement.group_count == 0;
    if (s->in_group || (one_row && s->next.len == 0 && s->emitted == 0 && s->skipped == 0)) {
        return enough(s) ? OK : group_end(r);
    }
    return OK;
}

static void select_scanned(void *arg, err e, bool ended)
{
    struct sql_run *r = arg;

    (void)ended;
    if (!e.code) {
        e = select_finish(r);
    }
    if (e.code == ERR_CONFLICT && r->select.scan.lent) {
        sql_error_set(&r->error, "24000", SQL_NOWHERE,
                      "the state of the continuation in \"next\" is gone, begin anew");
    } else if (e.code == ERR_CONFLICT) {
        sql_error_set(&r->error, "40001", SQL_NOWHERE, "the state that was read is gone, try again");
    }
    if (e.code) {
        run_fail(r, e);
        return;
    }
    run_done_next(r, "SELECT ", r->select.emitted - r->select.emitted_before,
                  buf_bytes(&r->select.next));
}

/* --- binding --- */

static err bind_limits(struct sql_run *r)
{
    struct select_state *s = &r->select;
    const struct statement *st = &r->statement;

    s->limit = UINT64_MAX;
    if (st->limit != NULL) {
        TRY(literal_count(&r->values, st->limit, "LIMIT", &s->limit));
    }
    if (st->offset != NULL) {
        TRY(literal_count(&r->values, st->offset, "OFFSET", &s->offset));
        s->offset = s->offset == UINT64_MAX ? 0 : s->offset;
    }
    return OK;
}

static err bind_next(struct sql_run *r)
{
    struct select_state *s = &r->select;
    AUTO(buf_done) struct buf room = { .max = NEXT_TEXT_BYTES_MAX };
    struct next_place place;
    struct digest d;

    if (r->request.next.len == 0) {
        return OK;
    }
    TRY(request_digest(r, &d));
    err e = next_open(r->engine->sealer, DIGEST_VIEW(&d), run_now_us(r), r->request.next, &room,
                      &place);
    if (!e.code) {
        e = scan_seek(&s->scan, place.range, place.key, place.snapshot);
    }
    if (e.code) {
        SQL_FAIL(&r->error, "24000", SQL_NOWHERE, "the continuation in \"next\" is %s",
                 e.code == ERR_AGAIN ? "older than a minute" : "not one of this statement");
    }
    s->emitted = s->emitted_before = place.emitted;
    s->skipped = s->offset;
    return OK;
}

static err bind_columns(struct sql_run *r)
{
    struct select_state *s = &r->select;

    TRY(take_columns(r));
    for (size_t i = 0; i < r->statement.item_count; i++) {
        TRY(add_item(r, &r->statement.items[i]));
    }
    s->aggregated |= r->statement.group_count > 0;
    for (size_t i = 0; i < s->plan.filter_count; i++) {
        decoder_need(&s->decoder, s->plan.filters[i].column);
    }
    return s->aggregated ? bind_group(r) : OK;
}

err run_select(struct sql_run *r)
{
    struct select_state *s = &r->select;
    bool reverse;

    TRY(plan_make(&r->values, r->table, &r->statement, &s->plan));
    TRY(plan_order(&s->plan, &r->statement, &r->error, &reverse));
    TRY(decoder_init(&s->decoder, r->table, &r->arena));
    TRY(bind_columns(r));
    TRY(bind_limits(r));
    s->scan = (struct scan){ .store = &r->engine->options.store, .plan = &s->plan,
                             .reverse = reverse, .keys_only = !decoder_needs_row(&s->decoder),
                             .arg = r, .entry = select_entry, .page = select_page,
                             .done = select_scanned };
    TRY(bind_next(r));
    set_page(r);
    TRY(r->request.sink.columns(r->request.sink.self, s->columns, s->column_count));
    scan_go(&s->scan);
    return OK;
}
