/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/store_sql.h"

#include <assert.h>
#include <string.h>

#include "intake/collector/sql_text.h"
#include "lib/base/mem.h"
#include "lib/crypto/cert.h"
#include "lib/wire/tables.h"

#define TASKS_MAX (COLLECTOR_BATCHES_MAX + COLLECTOR_LOOKUPS_MAX + COLLECTOR_RECOVERS_MAX)
#define RANGES_FOUND_MAX 65536 /* of one meter */

/* Tasks go through steps; each step sends one statement and takes its answer. */
enum step {
    STEP_DONE,
    STEP_READINGS,   /* write: insert */
    STEP_READ_BACK,  /* compare what was there before */
    STEP_SEALS,
    STEP_SEAL_BACK,
    STEP_GAPS,
    STEP_GAP_BACK,
    STEP_EVENTS,
    STEP_REGISTER,   /* lookup */
    STEP_CERTIFICATE, /* recover */
    STEP_NEWEST_SEAL,
    STEP_MISSING,
    STEP_SEQUENCES,
    STEP_TABLES,
    STEP_COUNT
};

enum task_kind { TASK_NONE, TASK_WRITE, TASK_LOOKUP, TASK_RECOVER, TASK_TABLES };

struct task {
    struct store_sql *owner;
    uint8_t kind;
    uint8_t step;
    bool over; /* store_sql_later tells the result */
    err result;
    uint64_t tag;
    uint64_t meter;
    size_t at;     /* row that is looked at, or table */
    size_t count;  /* rows of the statement under way */
    uint8_t suite;
    struct collector_batch *batch;
    int64_t after; /* key of the last row of a page */
    struct recovery recovery;
    struct buf found; /* octets of the answer: a key, or ranges */
    struct buf key;
};

struct store_sql {
    struct collector_store store;
    struct sql_port port;
    struct collector *core;
    struct task tasks[TASKS_MAX];
    struct task creation;
    void (*created)(void *arg, err e);
    void *created_arg;
    struct buf statement;
};

static const char *const tables[] = { TABLE_READING, TABLE_SEAL,  TABLE_GAP,
                                      TABLE_EVENT,   TABLE_METER, TABLE_CONTRACT };
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

static void go_on(struct task *t, bool asked);

/* --- the end of a task --- */

static void task_clear(struct task *t)
{
    buf_done(&t->found);
    buf_done(&t->key);
    *t = (struct task){ .owner = t->owner };
}

static void answer_lookup(struct store_sql *s, const struct task *t, err e)
{
    struct register_entry entry = { t->suite, buf_bytes(&t->key) };
    bool known = t->key.len > 0;

    collector_looked_up(s->core, s->port.now_us(s->port.self), t->tag, e,
                        !e.code && known ? &entry : NULL);
}

static void answer_recover(struct store_sql *s, struct task *t, err e)
{
    t->recovery.signing_spki = buf_bytes(&t->key);
    t->recovery.settled = (const struct range *)(const void *)t->found.ptr;
    t->recovery.settled_count = t->found.len / sizeof(struct range);
    collector_recovered(s->core, s->port.now_us(s->port.self), t->tag, e, &t->recovery);
}

/* The core may start new tasks from here, so this one is taken off the table first. */
static void finish(struct task *t, err e)
{
    struct store_sql *s = t->owner;
    struct task over = *t;

    *t = (struct task){ .owner = s };
    if (over.kind == TASK_TABLES) {
        s->created(s->created_arg, e);
    } else if (s->core != NULL && over.kind == TASK_WRITE) {
        collector_written(s->core, s->port.now_us(s->port.self), over.tag, e);
    } else if (s->core != NULL && over.kind == TASK_LOOKUP) {
        answer_lookup(s, &over, e);
    } else if (s->core != NULL) {
        answer_recover(s, &over, e);
    }
    task_clear(&over);
}

/* The core is never answered from inside its own request. */
static void finish_later(struct task *t, err e)
{
    t->over = true;
    t->result = e;
    t->owner->port.soon(t->owner->port.self);
}

void store_sql_later(struct store_sql *s)
{
    for (size_t i = 0; i <= TASKS_MAX; i++) {
        struct task *t = i < TASKS_MAX ? &s->tasks[i] : &s->creation;
        if (t->kind != TASK_NONE && t->over) {
            finish(t, t->result);
        }
    }
}

/* --- statements --- */

static err build(struct task *t, struct buf *out)
{
    struct collector_batch *b = t->batch;

    switch (t->step) {
    case STEP_READINGS:    return sql_insert_readings(b, out, &t->count);
    case STEP_READ_BACK:   return sql_select_readings(b, t->at, out);
    case STEP_SEALS:       return sql_insert_seals(b, out, &t->count);
    case STEP_SEAL_BACK:   return sql_select_seal(&b->seals[t->at].day.seal, out);
    case STEP_GAPS:        return sql_insert_gaps(b, out, &t->count);
    case STEP_GAP_BACK:    return sql_select_gap(&b->gaps[t->at], out);
    case STEP_EVENTS:      return sql_insert_events(b, out, &t->count);
    case STEP_REGISTER:    return sql_select_register(t->meter, out);
    case STEP_CERTIFICATE: return sql_select_certificate(t->meter, out);
    case STEP_NEWEST_SEAL: return sql_select_newest_seal(t->meter, out);
    case STEP_MISSING:
        return sql_select_gaps(t->meter, t->recovery.has_seal ? t->recovery.seal.last : 0,
                               t->after, out);
    case STEP_SEQUENCES: return sql_select_sequences(t->meter, t->after, out);
    default:             return buf_string(out, tables[t->at]);
    }
}

/* --- answers: writing --- */

/* How many rows of a kind the batch has: an empty INSERT is no statement. */
static bool step_is_empty(const struct task *t)
{
    const struct collector_batch *b = t->batch;

    switch (t->step) {
    case STEP_READINGS:
        for (size_t i = 0; i < b->reading_count; i++) {
            if (!b->readings[i].look_only) {
                return false;
            }
        }
        return true;
    case STEP_READ_BACK: return t->at >= b->reading_count;
    case STEP_SEALS:     return b->seal_count == 0;
    case STEP_SEAL_BACK: return t->at >= b->seal_count;
    case STEP_GAPS:      return b->gap_count == 0;
    case STEP_GAP_BACK:  return t->at >= b->gap_count;
    case STEP_EVENTS:    return b->event_count == 0;
    default:             return false;
    }
}

static size_t next_open(const struct collector_batch *b, size_t from)
{
    while (from < b->reading_count && b->readings[from].outcome != ROW_OPEN) {
        from++;
    }
    return from;
}

static void readings_answered(struct task *t, int64_t affected)
{
    struct collector_batch *b = t->batch;

    if ((size_t)affected == t->count) {
        for (size_t i = 0; i < b->reading_count; i++) {
            b->readings[i].outcome = b->readings[i].look_only ? ROW_OPEN : ROW_STORED;
        }
    }
    t->count = (size_t)affected; /* of those that will be found, so many are new */
    t->step = STEP_READ_BACK;
    t->at = next_open(b, 0);
}

/* Which of the rows are the new ones is not told; the counts come out right. */
static void count_new(struct task *t)
{
    struct collector_batch *b = t->batch;

    for (size_t i = 0; i < b->reading_count && t->count > 0; i++) {
        struct reading_row *row = &b->readings[i];
        if (row->outcome == ROW_SAME && !row->look_only) {
            row->outcome = ROW_STORED;
            t->count--;
        }
    }
}

static err read_back_answered(struct task *t, const json_t *rows)
{
    TRY(sql_compare_readings(t->batch, t->at, rows));
    for (size_t i = 0; i < t->batch->reading_count; i++) {
        const struct reading_row *row = &t->batch->readings[i];
        if (row->outcome == ROW_ABSENT && !row->look_only) {
            FAIL(ERR_PROTO, "a reading was neither written nor there before");
        }
    }
    t->at = next_open(t->batch, t->at);
    return OK;
}

static void seals_answered(struct task *t, int64_t affected)
{
    bool all = (size_t)affected == t->count;

    for (size_t i = 0; i < t->batch->seal_count && all; i++) {
        t->batch->seals[i].outcome = ROW_STORED;
    }
    t->step = all ? STEP_GAPS : STEP_SEAL_BACK;
    t->at = 0;
}

static void gaps_answered(struct task *t, int64_t affected)
{
    bool all = (size_t)affected == t->count;

    for (size_t i = 0; i < t->batch->gap_count && all; i++) {
        t->batch->gaps[i].stored_last = t->batch->gaps[i].last;
    }
    t->step = all ? STEP_EVENTS : STEP_GAP_BACK;
    t->at = 0;
}

/* --- answers: reading --- */

static err register_answered(struct task *t, const json_t *rows)
{
    int64_t suite;

    t->step = STEP_DONE;
    if (json_array_size(rows) == 0) {
        return OK;
    }
    TRY(sql_cell_int(json_array_get(rows, 0), 0, 0, UINT8_MAX, &suite));
    t->suite = (uint8_t)suite;
    t->key.max = SPKI_BYTES_MAX;
    return sql_cell_bytea(json_array_get(rows, 0), 1, &t->key);
}

static err signing_key(struct bytes pem, struct buf *out)
{
    AUTO(cert_freep) struct cert *c = NULL;
    AUTO(public_key_freep) struct public_key *key = NULL;

    TRY(cert_from_pem(pem, &c));
    TRY(cert_public_key(c, &key));
    return public_key_to_spki(key, out);
}

static err certificate_answered(struct task *t, const json_t *rows)
{
    struct bytes pem;

    t->recovery.known = json_array_size(rows) > 0;
    t->step = t->recovery.known ? STEP_NEWEST_SEAL : STEP_DONE;
    if (!t->recovery.known) {
        return OK;
    }
    TRY(sql_cell_text(json_array_get(rows, 0), 0, &pem));
    t->key.max = SPKI_BYTES_MAX;
    if (signing_key(pem, &t->key).code) {
        /* Readings are taken all the same; its seals are refused, with an event. */
        buf_clear(&t->key);
    }
    return OK;
}

static err newest_seal_answered(struct task *t, const json_t *rows)
{
    AUTO(buf_done) struct buf stored = { .max = SEAL_STORED_BYTES_MAX };
    struct sealed_day day;

    t->step = STEP_MISSING;
    t->after = 0;
    if (json_array_size(rows) == 0) {
        return OK;
    }
    TRY(sql_cell_bytea(json_array_get(rows, 0), 0, &stored));
    struct bytes in = buf_bytes(&stored);
    TRY(sealed_day_parse(&in, &day));
    t->recovery.has_seal = true;
    t->recovery.seal = day.seal;
    return OK;
}

static err range_found(struct task *t, uint32_t first, uint32_t last)
{
    struct range r = { first, last };

    t->found.max = RANGES_FOUND_MAX * sizeof r;
    if (t->found.len > 0) {
        struct range newest;
        memcpy(&newest, t->found.ptr + t->found.len - sizeof newest, sizeof newest);
        if (newest.last + 1 == first) {
            r.first = newest.first;
            t->found.len -= sizeof newest;
        }
    }
    return buf_append(&t->found, (struct bytes){ (const uint8_t *)&r, sizeof r });
}

static err missing_answered(struct task *t, const json_t *rows)
{
    size_t count = json_array_size(rows);

    for (size_t i = 0; i < count; i++) {
        int64_t first, last;
        TRY(sql_cell_int(json_array_get(rows, i), 0, 1, UINT32_MAX - 1, &first));
        TRY(sql_cell_int(json_array_get(rows, i), 1, first, UINT32_MAX - 1, &last));
        TRY(range_found(t, (uint32_t)first, (uint32_t)last));
        t->after = first;
    }
    if (count < SQL_PAGE_ROWS) {
        t->step = STEP_SEQUENCES;
        t->after = t->recovery.has_seal ? t->recovery.seal.end_s : 0;
    }
    return OK;
}

static err sequences_answered(struct task *t, const json_t *rows)
{
    size_t count = json_array_size(rows);

    for (size_t i = 0; i < count; i++) {
        int64_t ts, sequence;
        TRY(sql_cell_int(json_array_get(rows, i), 0, 0, UINT32_MAX, &ts));
        TRY(sql_cell_int(json_array_get(rows, i), 1, 1, UINT32_MAX - 1, &sequence));
        TRY(range_found(t, (uint32_t)sequence, (uint32_t)sequence));
        t->after = ts;
    }
    t->step = count < SQL_PAGE_ROWS ? STEP_DONE : t->step;
    return OK;
}

/* --- steps --- */

static err take_answer(struct task *t, const struct sql_answer *a)
{
    switch (t->step) {
    case STEP_READINGS:  readings_answered(t, a->affected); return OK;
    case STEP_READ_BACK: return read_back_answered(t, a->rows);
    case STEP_SEALS:     seals_answered(t, a->affected); return OK;
    case STEP_SEAL_BACK: return sql_compare_seal(&t->batch->seals[t->at++], a->rows);
    case STEP_GAPS:      gaps_answered(t, a->affected); return OK;
    case STEP_GAP_BACK:  return sql_read_gap(&t->batch->gaps[t->at++], a->rows);
    case STEP_EVENTS:    t->step = STEP_DONE; return OK;
    case STEP_REGISTER:  return register_answered(t, a->rows);
    case STEP_CERTIFICATE: return certificate_answered(t, a->rows);
    case STEP_NEWEST_SEAL: return newest_seal_answered(t, a->rows);
    case STEP_MISSING:     return missing_answered(t, a->rows);
    case STEP_SEQUENCES:   return sequences_answered(t, a->rows);
    default:
        t->at++;
        t->step = t->at < TABLE_COUNT ? STEP_TABLES : STEP_DONE;
        return OK;
    }
}

/* Steps without rows are passed over. */
static void skip_empty(struct task *t)
{
    static const uint8_t after[STEP_COUNT] = {
        [STEP_READINGS] = STEP_READ_BACK, [STEP_READ_BACK] = STEP_SEALS,
        [STEP_SEALS] = STEP_GAPS,         [STEP_SEAL_BACK] = STEP_GAPS,
        [STEP_GAPS] = STEP_EVENTS,        [STEP_GAP_BACK] = STEP_EVENTS,
        [STEP_EVENTS] = STEP_DONE,
    };

    while (t->batch != NULL && t->step != STEP_DONE && step_is_empty(t)) {
        if (t->step == STEP_READINGS) {
            t->count = 0;
            t->at = next_open(t->batch, 0);
        } else if (t->step == STEP_READ_BACK) {
            count_new(t);
        }
        t->step = after[t->step];
    }
}

static void on_answer(void *arg, err e, const struct sql_answer *a)
{
    struct task *t = arg;

    if (!e.code) {
        e = take_answer(t, a);
    }
    if (e.code) {
        finish(t, e);
        return;
    }
    go_on(t, false);
}

static err send(struct task *t)
{
    struct store_sql *s = t->owner;

    buf_clear(&s->statement);
    TRY(build(t, &s->statement));
    return s->port.send(s->port.self, buf_bytes(&s->statement), on_answer, t);
}

/* The next statement, or the end; from inside a request of the core both come later. */
static void go_on(struct task *t, bool asked)
{
    skip_empty(t);
    err e = t->step == STEP_DONE ? OK : send(t);
    if (t->step != STEP_DONE && !e.code) {
        return;
    }
    if (asked) {
        finish_later(t, e);
    } else {
        finish(t, e);
    }
}

/* --- what the core asks --- */

static struct task *task_new(struct store_sql *s, enum task_kind kind, enum step step, uint64_t tag)
{
    struct task *t = s->tasks;

    while (t < s->tasks + TASKS_MAX && t->kind != TASK_NONE) {
        t++;
    }
    assert(t < s->tasks + TASKS_MAX); /* the core asks no more than its own bounds allow */
    *t = (struct task){ .owner = s, .kind = (uint8_t)kind, .step = (uint8_t)step, .tag = tag };
    return t;
}

static void ask_write(void *self, struct collector_batch *batch, uint64_t tag)
{
    struct task *t = task_new(self, TASK_WRITE, STEP_READINGS, tag);

    t->batch = batch;
    for (size_t i = 0; i < batch->reading_count; i++) {
        batch->readings[i].outcome = ROW_OPEN;
    }
    go_on(t, true);
}

static void ask_lookup(void *self, uint64_t meter, uint64_t tag)
{
    struct task *t = task_new(self, TASK_LOOKUP, STEP_REGISTER, tag);

    t->meter = meter;
    go_on(t, true);
}

static void ask_recover(void *self, uint64_t meter, uint64_t tag)
{
    struct task *t = task_new(self, TASK_RECOVER, STEP_CERTIFICATE, tag);

    t->meter = meter;
    go_on(t, true);
}

void store_sql_create_tables(struct store_sql *s, void (*done)(void *arg, err e), void *arg)
{
    struct task *t = &s->creation;

    assert(t->kind == TASK_NONE);
    s->created = done;
    s->created_arg = arg;
    *t = (struct task){ .owner = s, .kind = TASK_TABLES, .step = STEP_TABLES };
    go_on(t, true);
}

/* --- life --- */

err store_sql_new(const struct sql_port *port, struct store_sql **out)
{
    struct store_sql *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a store");
    }
    s->store = (struct collector_store){ s, ask_write, ask_lookup, ask_recover };
    s->port = *port;
    s->statement.max = SQL_TEXT_BYTES_MAX;
    *out = s;
    return OK;
}

void store_sql_free(struct store_sql *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < TASKS_MAX; i++) {
        task_clear(&s->tasks[i]);
    }
    buf_done(&s->statement);
    mem_give(s);
}

const struct collector_store *store_sql_store(const struct store_sql *s)
{
    return &s->store;
}

void store_sql_attach(struct store_sql *s, struct collector *c)
{
    s->core = c;
}
