/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "intake/collector/fake_store.h"
#include "intake/collector/sql_text.h"
#include "intake/collector/store_sql.h"
#include "lib/base/clock.h"
#include "lib/crypto/cert.h"
#include "lib/service/fake_host.h"
#include "lib/wire/intake.h"
#include "lib/wire/session.h"
#include "lib/wire/tables.h"

#define AUTH 10
#define METER UINT64_C(0x12345678) /* 305419896 */
#define UTC_S 1763823600u
#define STATEMENTS_MAX 16

/* A server that keeps statements until the test answers them. */
struct statement {
    char *text;
    sql_fn done;
    void *arg;
};

struct fixture {
    struct fake_host fake;
    struct store_sql *store;
    struct collector *c;
    uint64_t now_us;
    struct statement statements[STATEMENTS_MAX];
    size_t count;
    bool full; /* statements are not even taken */
    int later;
    int created;
    err created_result;
};

static err port_send(void *self, struct bytes statement, sql_fn done, void *arg)
{
    struct fixture *f = self;

    if (f->full) {
        FAIL(ERR_LIMIT, "too many statements");
    }
    assert_true(f->count < STATEMENTS_MAX);
    char *text = calloc(1, statement.len + 1);
    memcpy(text, statement.ptr, statement.len);
    f->statements[f->count++] = (struct statement){ text, done, arg };
    return OK;
}

static void port_soon(void *self)
{
    struct fixture *f = self;

    f->later++;
}

static uint64_t port_now_us(void *self)
{
    struct fixture *f = self;

    return f->now_us;
}

static void start(struct fixture *f)
{
    struct sql_port port = { f, port_send, port_soon, port_now_us };
    struct collector_options options = { 0 };

    memset(f, 0, sizeof *f);
    f->now_us = 1000 * US_PER_S;
    fake_host_init(&f->fake);
    f->fake.utc_us = UTC_S * US_PER_S;
    assert_ok(store_sql_new(&port, &f->store));
    assert_ok(collector_new(&f->fake.host, store_sql_store(f->store), &options, &f->c));
    store_sql_attach(f->store, f->c);
    assert_ok(collector_ops.opened(f->c, f->now_us, AUTH, false));
}

static void end(struct fixture *f)
{
    collector_free(f->c);
    store_sql_free(f->store);
    fake_host_done(&f->fake);
    for (size_t i = 0; i < f->count; i++) {
        free(f->statements[i].text);
    }
}

static struct statement take(struct fixture *f)
{
    assert_true(f->count > 0);
    struct statement s = f->statements[0];
    f->count--;
    memmove(f->statements, f->statements + 1, f->count * sizeof s);
    return s;
}

/* The oldest statement begins with `want`; it is answered with these rows. */
static void answer(struct fixture *f, const char *want, int64_t affected, const char *rows)
{
    struct statement s = take(f);
    json_t *parsed = json_loads(rows, 0, NULL);
    struct sql_answer a = { .rows = parsed, .affected = affected, .sqlstate = "" };

    assert_non_null(parsed);
    if (strncmp(s.text, want, strlen(want)) != 0) {
        fail_msg("'%s' was sent, '%s' is wanted", s.text, want);
    }
    s.done(s.arg, OK, &a);
    json_decref(parsed);
    free(s.text);
}

static void fail_statement(struct fixture *f, enum err_code code)
{
    struct statement s = take(f);
    struct sql_answer a = { .sqlstate = "", .message = "" };

    s.done(s.arg, (err){ code }, &a);
    free(s.text);
}

static void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    f->fake.utc_us += us;
    collector_ops.tick(f->c, f->now_us);
}

static struct record record_of(uint32_t sequence)
{
    struct record r = { .sequence = sequence, .meter = METER, .end_s = UTC_S + sequence * 900,
                        .interval_s = 900, .e_act = sequence, .e_cap = REGISTER_MISSING };

    for (int i = 0; i < RECORD_READS; i++) {
        r.reads[i] = i == 0 ? READ_MISSING : -i;
    }
    return r;
}

static void push(struct fixture *f, uint32_t sequence)
{
    struct report r = { .record = record_of(sequence), .newest = sequence, .oldest = 1 };
    struct intake_message m = { .kind = INTAKE_BLOCK, .meter = METER };
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };
    uint8_t block[NBR_RESPONSE_BYTES];

    report_encode(&r, block);
    m.block.type = ENVELOPE_PUSH;
    m.block.block = BYTES_OF(block);
    assert_ok(intake_encode(&m, &out));
    assert_ok(collector_ops.octets(f->c, f->now_us, AUTH, buf_bytes(&out)));
}

/* A meter that the store knows and has nothing of. */
static void recover_empty(struct fixture *f)
{
    answer(f, "SELECT certificate FROM meter WHERE meter_id = 305419896", 1, "[[\"none\"]]");
    answer(f, "SELECT stored FROM seal WHERE meter_id = 305419896 ORDER BY end_s DESC LIMIT 1", 0,
           "[]");
    answer(f, "SELECT first_seq, last_seq FROM gap WHERE meter_id = 305419896 AND first_seq > 0 "
              "AND last_seq > 0 ORDER BY first_seq LIMIT 500", 0, "[]");
    answer(f, "SELECT ts, seq FROM reading WHERE meter_id = 305419896 AND ts > 0 ORDER BY ts "
              "LIMIT 500", 0, "[]");
}

#define INSERT_READING "INSERT INTO reading (meter_id, ts, seq, "
#define SELECT_READING "SELECT meter_id, ts, seq, flags, "

static void a_reading_is_inserted_with_every_column(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    const char *text = f.statements[0].text;
    const char *values = strstr(text, "VALUES ");
    assert_non_null(values);
    assert_string_equal(values,
                        "VALUES (305419896,1763824500,1,0,0,900,1,NULL,-1,-2,-3,-4,-5,-6,-7,"
                        "-8,-9,-10,-11,-12,-13,-14,-15,-16,-17,-18,-19,-20,-21,-22,-23,-24,"
                        "-25,-26,1,0,NULL) ON CONFLICT DO NOTHING");
    answer(&f, INSERT_READING, 1, "[]");
    assert_int_equal(collector_mark(f.c, METER), 1);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_READINGS], 1);
    end(&f);
}

/* Row `sequence` as the server would print it, its energy changed by `more`. */
static void print_row(char *out, size_t size, uint32_t sequence, uint32_t more)
{
    int at = snprintf(out, size, "[[305419896,%u,%u,0,0,900,0,null", UTC_S + sequence * 900,
                      sequence);

    for (int i = 1; i < RECORD_READS; i++) {
        at += snprintf(out + at, size - (size_t)at, ",%d", -i);
    }
    snprintf(out + at, size - (size_t)at, ",%u,0,null]]", sequence + more);
}

static void rows_that_were_there_are_read_back_and_compared(void **state)
{
    struct fixture f;
    char row[512];

    (void)state;
    start(&f);
    push(&f, 1);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 0, "[]");
    print_row(row, sizeof row, 1, 0);
    assert_non_null(strstr(f.statements[0].text,
                           "WHERE meter_id = 305419896 AND ts IN (1763824500)"));
    answer(&f, SELECT_READING, 1, row);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_DUPLICATES], 1);
    assert_int_equal(collector_mark(f.c, METER), 1);
    push(&f, 2);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 0, "[]");
    print_row(row, sizeof row, 2, 7);
    answer(&f, SELECT_READING, 1, row);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_CONFLICTS], 1);
    assert_int_equal(collector_mark(f.c, METER), 2); /* the first stays and counts */
    pass(&f, COLLECTOR_BATCH_US);
    assert_non_null(strstr(f.statements[0].text, "'conflict',2)"));
    answer(&f, "INSERT INTO event (meter_id, at_s, n, code, value) VALUES ", 1, "[]");
    end(&f);
}

static void a_duplicate_of_a_settled_reading_is_only_looked_for(void **state)
{
    struct fixture f;
    char row[512];

    (void)state;
    start(&f);
    push(&f, 1);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 1, "[]");
    push(&f, 1);
    pass(&f, COLLECTOR_BATCH_US);
    print_row(row, sizeof row, 1, 0);
    answer(&f, SELECT_READING, 1, row);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_DUPLICATES], 1);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_READINGS], 1);
    assert_int_equal(f.count, 0);
    end(&f);
}

static void some_new_and_some_old_rows_are_told_apart_in_number(void **state)
{
    struct fixture f;
    char one[512], two[512], both[1100];

    (void)state;
    start(&f);
    push(&f, 1);
    push(&f, 2);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 1, "[]");
    print_row(one, sizeof one, 1, 0);
    print_row(two, sizeof two, 2, 0);
    one[strlen(one) - 1] = '\0';
    snprintf(both, sizeof both, "%s,%s", one, two + 1);
    answer(&f, SELECT_READING, 2, both);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_READINGS], 1);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_DUPLICATES], 1);
    assert_int_equal(collector_mark(f.c, METER), 2);
    end(&f);
}

static void an_unknown_outcome_is_written_again_and_never_acknowledged(void **state)
{
    static const enum err_code codes[] = { ERR_IO, ERR_CLOSED, ERR_LIMIT, ERR_PROTO };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct fixture f;
        start(&f);
        push(&f, 1);
        recover_empty(&f);
        pass(&f, COLLECTOR_BATCH_US);
        fail_statement(&f, codes[i]);
        assert_int_equal(collector_mark(f.c, METER), 0);
        assert_int_equal(f.count, 0);
        pass(&f, 100000);
        answer(&f, INSERT_READING, 1, "[]");
        assert_int_equal(collector_mark(f.c, METER), 1);
        end(&f);
    }
}

static void a_row_that_is_nowhere_is_a_failure_not_a_success(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 0, "[]");
    answer(&f, SELECT_READING, 0, "[]");
    assert_int_equal(collector_mark(f.c, METER), 0);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_STORE_FAILURES], 1);
    end(&f);
}

static void an_answer_of_another_shape_is_a_failure(void **state)
{
    static const char *const shapes[] = { "[[1]]", "[1]", "[[\"a\",2,3]]", "[null]" };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct fixture f;
        start(&f);
        push(&f, 1);
        recover_empty(&f);
        pass(&f, COLLECTOR_BATCH_US);
        answer(&f, INSERT_READING, 0, "[]");
        answer(&f, SELECT_READING, 1, shapes[i]);
        assert_int_equal(collector_mark(f.c, METER), 0);
        assert_int_equal(collector_counts(f.c)[COLLECTOR_STORE_FAILURES], 1);
        end(&f);
    }
}

static void a_client_that_takes_nothing_is_tried_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.full = true;
    push(&f, 1);
    assert_int_equal(f.later, 1); /* the core is not answered from inside its call */
    assert_int_equal(collector_counts(f.c)[COLLECTOR_STORE_FAILURES], 0);
    store_sql_later(f.store);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_STORE_FAILURES], 1);
    f.full = false;
    pass(&f, 100000);
    recover_empty(&f);
    pass(&f, COLLECTOR_BATCH_US);
    answer(&f, INSERT_READING, 1, "[]");
    assert_int_equal(collector_mark(f.c, METER), 1);
    end(&f);
}

static void the_state_of_a_meter_is_read_in_pages(void **state)
{
    struct fixture f;
    AUTO(buf_done) struct buf page = { .max = 1 << 20 };

    (void)state;
    start(&f);
    push(&f, 502);
    answer(&f, "SELECT certificate", 1, "[[\"none\"]]");
    answer(&f, "SELECT stored FROM seal", 0, "[]");
    answer(&f, "SELECT first_seq", 1, "[[1,1]]");
    assert_ok(buf_string(&page, "["));
    for (uint32_t s = 2; s <= 501; s++) {
        assert_ok(buf_printf(&page, "%s[%u,%u]", s > 2 ? "," : "", UTC_S + s * 900, s));
    }
    assert_ok(buf_u8(&page, ']'));
    assert_ok(buf_u8(&page, 0));
    answer(&f, "SELECT ts, seq FROM reading", 500, (const char *)page.ptr);
    answer(&f, "SELECT ts, seq FROM reading WHERE meter_id = 305419896 AND ts > 1764274500", 0,
           "[]");
    assert_int_equal(collector_mark(f.c, METER), 501);
    end(&f);
}

static void a_meter_that_is_not_registered_is_unknown(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    push(&f, 1);
    answer(&f, "SELECT certificate", 0, "[]");
    assert_int_equal(collector_meters(f.c), 0);
    assert_int_equal(collector_counts(f.c)[COLLECTOR_UNKNOWN], 1);
    assert_int_equal(f.count, 0);
    end(&f);
}

static bool next_meter_entry(struct fixture *f, struct intake_message *out)
{
    struct bytes in = fake_host_sent(&f->fake, AUTH);

    return in.len > 0 && !intake_take(&in, out).code && out->kind == INTAKE_METER;
}

static void a_lookup_reads_the_register(void **state)
{
    struct fixture f;
    struct intake_message m = { .kind = INTAKE_LOOKUP, .meter = METER }, got;
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    (void)state;
    start(&f);
    assert_ok(intake_encode(&m, &out));
    assert_ok(collector_ops.octets(f.c, f.now_us, AUTH, buf_bytes(&out)));
    answer(&f, "SELECT suite, spki FROM meter WHERE meter_id = 305419896", 1,
           "[[3,\"\\\\x0a0b\"]]");
    assert_true(next_meter_entry(&f, &got));
    assert_true(got.meter_entry.known);
    assert_int_equal(got.meter_entry.suite, 3);
    assert_hex(got.meter_entry.spki, "0a0b");
    end(&f);
}

static void on_created(void *arg, err e)
{
    struct fixture *f = arg;

    f->created++;
    f->created_result = e;
}

static void tables_are_created_in_their_order(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    store_sql_create_tables(f.store, on_created, &f);
    answer(&f, "CREATE TABLE IF NOT EXISTS reading", 0, "[]");
    answer(&f, "CREATE TABLE IF NOT EXISTS seal", 0, "[]");
    answer(&f, "CREATE TABLE IF NOT EXISTS gap", 0, "[]");
    answer(&f, "CREATE TABLE IF NOT EXISTS event", 0, "[]");
    answer(&f, "CREATE TABLE IF NOT EXISTS meter", 0, "[]");
    assert_int_equal(f.created, 0);
    answer(&f, "CREATE TABLE IF NOT EXISTS contract", 0, "[]");
    assert_int_equal(f.created, 1);
    assert_ok(f.created_result);
    store_sql_create_tables(f.store, on_created, &f);
    fail_statement(&f, ERR_IO);
    assert_int_equal(f.created, 2);
    assert_err(f.created_result, ERR_IO);
    end(&f);
}

/* --- rows as text --- */

static struct collector_batch *new_batch(void)
{
    struct collector_batch *b = calloc(1, sizeof *b);

    assert_non_null(b);
    return b;
}

static void seals_are_written_in_their_stored_form_and_compared_by_their_body(void **state)
{
    struct collector_batch *b = new_batch();
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(buf_done) struct buf text = { .max = SQL_TEXT_BYTES_MAX };
    struct seal s = { .alg = SIGN_P256, .meter = METER, .start_s = 100, .end_s = 200, .first = 1,
                      .last = 2, .count = 2, .flags = SEAL_FIRST };
    size_t count;

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &key));
    assert_ok(seal_sign(&s, key, &b->seals[0].day));
    b->seal_count = 1;
    assert_ok(sql_insert_seals(b, &text, &count));
    assert_int_equal(count, 1);
    assert_ok(buf_u8(&text, 0));
    const char *values = strstr((const char *)text.ptr, "VALUES (305419896,200,100,1,2,2,'\\x01");
    assert_non_null(values);

    /* The server answers with what was written, signed again. */
    struct sealed_day again;
    assert_ok(seal_sign(&s, key, &again));
    AUTO(buf_done) struct buf stored = { .max = SEAL_STORED_BYTES_MAX };
    char hex[2 * SEAL_STORED_BYTES_MAX + 1], row[2 * SEAL_STORED_BYTES_MAX + 32];
    assert_ok(sealed_day_encode(&again, &stored));
    hex_encode(buf_bytes(&stored), hex);
    snprintf(row, sizeof row, "[[\"\\\\x%s\"]]", hex);
    json_t *rows = json_loads(row, 0, NULL);
    assert_ok(sql_compare_seal(&b->seals[0], rows));
    assert_int_equal(b->seals[0].outcome, ROW_SAME);
    b->seals[0].day.seal.e_act = 1;
    assert_ok(sql_compare_seal(&b->seals[0], rows));
    assert_int_equal(b->seals[0].outcome, ROW_OTHER);
    json_decref(rows);
    free(b);
}

static void extreme_numbers_are_printed_as_they_are(void **state)
{
    struct collector_batch *b = new_batch();
    AUTO(buf_done) struct buf text = { .max = SQL_TEXT_BYTES_MAX };
    size_t count;

    (void)state;
    b->event_count = 1;
    b->events[0] = (struct event_row){ UINT64_MAX, UINT32_MAX, 0, "clock", INT64_MIN };
    assert_ok(sql_insert_events(b, &text, &count));
    assert_ok(buf_u8(&text, 0));
    assert_non_null(strstr((const char *)text.ptr,
                           "(-1,4294967295,0,'clock',-9223372036854775808)"));
    free(b);
}

static void a_full_batch_fits_its_statement(void **state)
{
    struct collector_batch *b = new_batch();
    AUTO(buf_done) struct buf text = { .max = SQL_TEXT_BYTES_MAX };
    size_t count;

    (void)state;
    for (size_t i = 0; i < BATCH_READINGS_MAX; i++) {
        struct record *r = &b->readings[i].record;
        *r = (struct record){ .sequence = UINT32_MAX, .meter = UINT64_MAX, .end_s = UINT32_MAX,
                              .e_act = INT64_MAX, .e_ind = INT64_MAX, .e_cap = INT64_MAX };
        for (int n = 0; n < RECORD_READS; n++) {
            r->reads[n] = INT32_MIN + 1;
        }
    }
    b->reading_count = BATCH_READINGS_MAX;
    assert_ok(sql_insert_readings(b, &text, &count));
    assert_int_equal(count, BATCH_READINGS_MAX);
    assert_true(text.len < SQL_TEXT_BYTES_MAX / 2);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_is_inserted_with_every_column),
        cmocka_unit_test(rows_that_were_there_are_read_back_and_compared),
        cmocka_unit_test(a_duplicate_of_a_settled_reading_is_only_looked_for),
        cmocka_unit_test(some_new_and_some_old_rows_are_told_apart_in_number),
        cmocka_unit_test(an_unknown_outcome_is_written_again_and_never_acknowledged),
        cmocka_unit_test(a_row_that_is_nowhere_is_a_failure_not_a_success),
        cmocka_unit_test(an_answer_of_another_shape_is_a_failure),
        cmocka_unit_test(a_client_that_takes_nothing_is_tried_again),
        cmocka_unit_test(the_state_of_a_meter_is_read_in_pages),
        cmocka_unit_test(a_meter_that_is_not_registered_is_unknown),
        cmocka_unit_test(a_lookup_reads_the_register),
        cmocka_unit_test(tables_are_created_in_their_order),
        cmocka_unit_test(seals_are_written_in_their_stored_form_and_compared_by_their_body),
        cmocka_unit_test(extreme_numbers_are_printed_as_they_are),
        cmocka_unit_test(a_full_batch_fits_its_statement),
    };
    return cmocka_run_group_tests_name("store_sql", tests, NULL, NULL);
}
