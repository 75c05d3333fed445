/* SPDX-License-Identifier: Apache-2.0 */
/* The engine among other writers, with faults of the store and of memory, and with slow readers. */
#include "store/sql/engine.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/tuple.h"
#include "store/sql/test_db.h"

/* --- other writers --- */

static void another_service_sees_and_changes_the_same_tables(void **state)
{
    struct test_db *db = *state;
    struct test_db other;

    test_db_share(&other, db);
    assert_command(db, "CREATE TABLE a (k int4 PRIMARY KEY, v int4)", "CREATE TABLE");
    assert_command(&other, "INSERT INTO a VALUES (1, 1)", "INSERT 0 1");
    assert_command(&other, "CREATE TABLE b (k int4 PRIMARY KEY)", "CREATE TABLE");
    assert_command(db, "INSERT INTO b VALUES (1)", "INSERT 0 1");
    /* `a` is another table now; neither writes to nor reads what is gone. */
    assert_command(&other, "DROP TABLE a", "DROP TABLE");
    assert_command(&other, "CREATE TABLE a (k text PRIMARY KEY)", "CREATE TABLE");
    assert_refused(db, "INSERT INTO a VALUES (2, 2)", "42804", 23);
    assert_command(db, "INSERT INTO a VALUES ('x')", "INSERT 0 1");
    assert_rows(&other, "SELECT k FROM a", "[[\"x\"]]");
    test_db_done(&other);
}

struct intruder {
    struct test_db *db;
    struct bytes key;
    struct bytes value;
    int times; /* from now on */
    int after; /* batches let pass first */
};

static void intrude(void *arg)
{
    struct intruder *i = arg;

    if (i->after > 0) {
        i->after--;
    } else if (i->times-- > 0) {
        fake_store_put(i->db->store, i->key, i->value);
    }
}

static void an_update_meets_another_writer_and_begins_anew(void **state)
{
    struct test_db *db = *state;
    struct intruder i = { .db = db, .times = 2 };

    test_db_fill(db);
    struct fake_entry *row = &db->store->entries[2];
    AUTO(buf_done) struct buf key = { .max = 64 };
    AUTO(buf_done) struct buf value = { .max = 640 };
    assert_ok(buf_append(&key, (struct bytes){ row->key, row->key_bytes }));
    assert_ok(buf_append(&value, (struct bytes){ row->value, row->value_bytes }));
    i.key = buf_bytes(&key);
    i.value = buf_bytes(&value);
    db->store->meanwhile = intrude;
    db->store->meanwhile_arg = &i;
    assert_command(db, "UPDATE rd SET note = 'mine' WHERE m = 1 AND ts <= 1800", "UPDATE 2");
    i.times = 1000;
    assert_refused(db, "UPDATE rd SET note = 'mine' WHERE m = 1 AND ts = 900", "40001", 0);
    db->store->meanwhile = NULL;
}

static void a_row_that_comes_between_is_not_overwritten(void **state)
{
    struct test_db *db = *state;
    struct intruder i = { .db = db, .times = 1 };

    test_db_fill(db);
    struct fake_entry *row = &db->store->entries[2];
    AUTO(buf_done) struct buf key = { .max = 64 };
    AUTO(buf_done) struct buf value = { .max = 640 };
    assert_ok(table_rows_prefix(1, &key));
    assert_ok(tuple_put_int(&key, 50));
    assert_ok(tuple_put_int(&key, 1));
    assert_ok(buf_append(&value, (struct bytes){ row->value, row->value_bytes }));
    i.key = buf_bytes(&key);
    i.value = buf_bytes(&value);
    db->store->meanwhile = intrude;
    db->store->meanwhile_arg = &i;
    assert_command(db, "INSERT INTO rd (m, ts, note) VALUES (50, 1, 'mine'), (50, 2, 'mine') "
                       "ON CONFLICT DO NOTHING", "INSERT 0 1");
    assert_rows(db, "SELECT note FROM rd WHERE m = 50", "[[\"a\"],[\"mine\"]]");
    db->store->meanwhile = NULL;
}

/* --- faults and bad data --- */

static void a_failing_store_fails_the_statement_and_no_more(void **state)
{
    struct test_db *db = *state;
    static const char *const statements[] = {
        "CREATE TABLE x (k int4 PRIMARY KEY)", "INSERT INTO rd (m, ts) VALUES (9, 9)",
        "SELECT * FROM rd", "SELECT count(*) FROM rd WHERE m = 1 AND ts = 900",
        "UPDATE rd SET kwh = 1 WHERE m = 1", "DELETE FROM rd WHERE m = 3", "SHOW TABLES",
        "INSERT INTO rd (m, ts) VALUES (1, 900) ON CONFLICT (m, ts) DO UPDATE SET kwh = 3",
        "DROP TABLE rd",
    };

    test_db_fill(db);
    db->store->page_max = 2;
    for (size_t s = 0; s < sizeof statements / sizeof *statements; s++) {
        for (long n = 0;; n++) {
            assert_true(n < 50);
            db->store->fail_in = n;
            db->now_us += 2000000; /* the dictionary is read again */
            test_db_run(db, statements[s]);
            bool reached = db->store->fail_in < 0;
            db->store->fail_in = -1;
            if (db->error.state[0] == '\0' || !reached) {
                break;
            }
            if (strcmp(db->error.state, "58030") != 0 && strcmp(db->error.state, "42P07") != 0) {
                fail_msg("%s, call %ld: %s", statements[s], n, (const char *)db->text.ptr);
            }
            if (db->error.state[0] == '4') {
                break; /* made, though the answer was lost */
            }
        }
    }
}

static void a_failed_allocation_fails_the_statement_and_no_more(void **state)
{
    struct test_db *db = *state;
    static const char *const statements[] = {
        "INSERT INTO rd VALUES (9, 9, 1, 'it''s')",
        "SELECT m, sum(kwh), max(note) FROM rd GROUP BY m",
        "UPDATE rd SET note = 'x' WHERE m = 1",
        "INSERT INTO rd (m, ts) VALUES (1, 900) ON CONFLICT (m, ts) DO UPDATE SET kwh = 3",
    };

    test_db_fill(db);
    for (size_t s = 0; s < sizeof statements / sizeof *statements; s++) {
        EACH_FAILURE(n) {
            mem_fail_after(-1); /* the test's own buffers are had */
            assert_ok(buf_reserve(&db->text, 65536));
            db->answer.out.max = ANSWER_BYTES_MAX;
            assert_ok(buf_reserve(&db->answer.out, 65536));
            mem_fail_after(n + 1); /* the run itself is had */
            test_db_run(db, statements[s]);
            mem_fail_after(-1);
            if (db->error.state[0] == '\0') {
                break;
            }
            assert_true(strcmp(db->error.state, "53200") == 0 ||
                        strcmp(db->error.state, "54000") == 0);
        }
        mem_fail_after(-1);
    }
}

static void a_damaged_row_ends_the_statement(void **state)
{
    struct test_db *db = *state;
    static const char *const damages[] = { "00", "0100020002000000" };
    uint8_t octets[16];

    test_db_fill(db);
    struct fake_entry *row = &db->store->entries[3];
    AUTO(buf_done) struct buf key = { .max = 64 };
    assert_ok(buf_append(&key, (struct bytes){ row->key, row->key_bytes }));
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(damages[i]) / 2;
        assert_ok(hex_decode(bytes_of_string(damages[i]), octets, size));
        fake_store_put(db->store, buf_bytes(&key), (struct bytes){ octets, size });
        assert_refused(db, "SELECT * FROM rd", "XX001", 0);
        assert_refused(db, "UPDATE rd SET kwh = 1", "XX001", 0);
    }
    fake_store_delete(db->store, buf_bytes(&key));
    assert_ok(buf_u8(&key, 0)); /* one more element than the key has */
    fake_store_put(db->store, buf_bytes(&key), (struct bytes){ octets, 8 });
    assert_refused(db, "SELECT m, ts FROM rd", "XX001", 0);
}

static void a_damaged_dictionary_is_told(void **state)
{
    struct test_db *db = *state;
    AUTO(buf_done) struct buf key = { .max = 64 };

    assert_ok(dictionary_version_key(&key));
    fake_store_put(db->store, buf_bytes(&key), BYTES_LIT("short"));
    assert_refused(db, "SHOW TABLES", "XX001", 0);
}

/* --- time, cancelling, readers that do not keep up --- */

static void a_statement_that_takes_too_long_is_ended(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    test_db_start(db, "SELECT count(*) FROM rd");
    db->store->page_max = 1;
    db->now_us += 10000000;
    fake_store_run(db->store);
    assert_true(db->ended);
    assert_string_equal(db->error.state, "57014");
}

static void a_cancelled_statement_ends_when_the_store_answers(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    struct sql_run *run = test_db_start(db, "SELECT * FROM rd");
    assert_non_null(run);
    sql_run_cancel(run);
    assert_false(db->ended);
    fake_store_run(db->store);
    assert_true(db->ended);
    assert_string_equal(db->error.state, "57014");
}

static void rows_wait_for_a_reader_that_does_not_keep_up(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    db->store->page_max = 5;
    db->full = true;
    struct sql_run *run = test_db_start(db, "SELECT ts FROM rd");
    fake_store_run(db->store);
    assert_false(db->ended);
    size_t size = db->answer.out.len;
    fake_store_run(db->store);
    assert_int_equal(db->answer.out.len, size);
    sql_run_resume(run);
    fake_store_run(db->store);
    assert_false(db->ended);
    db->full = false;
    sql_run_resume(run);
    fake_store_run(db->store);
    assert_true(db->ended);
    assert_non_null(strstr((const char *)db->text.ptr, "SELECT 12"));
    db->full = true;
    run = test_db_start(db, "SELECT ts FROM rd");
    fake_store_run(db->store);
    sql_run_cancel(run); /* also while it waits */
    assert_true(db->ended);
}

static void no_more_statements_than_the_bound_are_under_way(void **state)
{
    struct test_db *db = *state;
    struct sql_run *run = NULL;
    struct sql_request request;

    test_db_fill(db);
    db->full = true;
    db->store->page_max = 1;
    struct test_db *readers = calloc(16, sizeof *readers);
    for (int i = 0; i < 16; i++) {
        readers[i] = *db;
        readers[i].answer = (struct answer){ 0 };
        readers[i].text = (struct buf){ .max = 4096 };
        assert_non_null(test_db_start(&readers[i], "SELECT ts FROM rd"));
    }
    memset(&request, 0, sizeof request);
    assert_err(sql_run_start(db->engine, &request, &run), ERR_LIMIT);
    for (int i = 0; i < 16; i++) {
        readers[i].full = false;
    }
    fake_store_run(db->store);
    for (int i = 0; i < 16; i++) {
        assert_true(readers[i].ended);
        answer_free(&readers[i].answer);
        buf_done(&readers[i].text);
    }
    free(readers);
    db->full = false;
}

static void a_start_takes_up_a_drop_that_was_cut_short(void **state)
{
    struct test_db *db = *state;
    struct test_db later;

    test_db_fill(db);
    db->store->fail_in = 4; /* version, batch, dictionary (3), then rows */
    test_db_run(db, "DROP TABLE rd");
    db->store->fail_in = -1;
    assert_true(db->store->count > 3);
    test_db_share(&later, db);
    assert_rows(&later, "SHOW TABLES", "[]");
    test_db_done(&later);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(another_service_sees_and_changes_the_same_tables),
        T(an_update_meets_another_writer_and_begins_anew),
        T(a_row_that_comes_between_is_not_overwritten),
        T(a_failing_store_fails_the_statement_and_no_more),
        T(a_failed_allocation_fails_the_statement_and_no_more),
        T(a_damaged_row_ends_the_statement),
        T(a_damaged_dictionary_is_told),
        T(a_statement_that_takes_too_long_is_ended),
        T(a_cancelled_statement_ends_when_the_store_answers),
        T(rows_wait_for_a_reader_that_does_not_keep_up),
        T(no_more_statements_than_the_bound_are_under_way),
        T(a_start_takes_up_a_drop_that_was_cut_short),
    };
    return cmocka_run_group_tests_name("engine_faults", tests, NULL, NULL);
}
