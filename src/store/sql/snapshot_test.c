/* SPDX-License-Identifier: Apache-2.0 */
/* A statement reads one state of the store, however many pages it takes, and leaves no handle. */
#include "store/sql/engine.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/tuple.h"
#include "store/sql/test_db.h"

static struct test_db db;
static struct fake_entry row; /* octets of one in the table, to be put again under other keys */

/* Meters 1 to 12, one row each: twelve keys, in pages of two. */
static int setup(void **state)
{
    char sql[64];

    (void)state;
    test_db_init(&db);
    assert_command(&db, "CREATE TABLE rd (m int8, v int8, PRIMARY KEY (m))", "CREATE TABLE");
    for (int m = 1; m <= 12; m++) {
        snprintf(sql, sizeof sql, "INSERT INTO rd VALUES (%d, 1)", m);
        assert_command(&db, sql, "INSERT 0 1");
    }
    row = db.store->entries[db.store->count - 1];
    db.store->page_max = 2;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_db_done(&db);
    return 0;
}

static void key_of(int64_t m, struct buf *out)
{
    out->max = 64;
    buf_clear(out);
    assert_ok(table_rows_prefix(1, out));
    assert_ok(tuple_put_int(out, m));
}

/* What another service does between two pages: a row comes in front of all, one behind them, and
 * one goes that was not read yet. */
static void disturb(void *arg)
{
    AUTO(buf_done) struct buf key = { 0 };
    AUTO(buf_done) struct buf value = { .max = 64 };
    int *times = arg;

    if (++*times == 1) {
        return; /* the first page was not read yet */
    }
    row = db.store->entries[db.store->count - 1];
    assert_ok(buf_append(&value, (struct bytes){ row.value, row.value_bytes }));
    key_of(100 + *times, &key);
    fake_store_put(db.store, buf_bytes(&key), buf_bytes(&value));
    key_of(-*times, &key);
    fake_store_put(db.store, buf_bytes(&key), buf_bytes(&value));
    key_of(5, &key);
    fake_store_delete(db.store, buf_bytes(&key));
}

static void forget_at_the_third(void *arg)
{
    int *times = arg;

    if (++*times == 3) {
        assert_int_equal(fake_store_forget(db.store), 1);
    }
}

/* Runs it with something happening before each page. */
static const char *run_among(const char *sql, void (*happens)(void *arg))
{
    int times = 0;

    db.store->paged = happens;
    db.store->paged_arg = &times;
    const char *text = test_db_run(&db, sql);
    db.store->paged = NULL;
    assert_true(times > 1);
    return text;
}

static unsigned handles(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < FAKE_SNAPSHOTS_MAX; i++) {
        count += db.store->snapshots[i].handle != 0;
    }
    return count;
}

/* --- what is seen --- */

static void writes_between_pages_are_not_seen(void **state)
{
    (void)state;
    assert_non_null(strstr(run_among("SELECT count(*), min(m), max(m) FROM rd", disturb),
                           "[[12,1,12]]"));
    assert_rows(&db, "SELECT count(*), min(m), max(m) FROM rd", "[[21,-6,106]]");
    assert_int_equal(handles(), 0);
}

static void the_way_back_is_one_state_too(void **state)
{
    (void)state;
    assert_non_null(strstr(run_among("SELECT m FROM rd ORDER BY m DESC", disturb),
                           "[[12],[11],[10],[9],[8],[7],[6],[5],[4],[3],[2],[1]]"));
    assert_int_equal(handles(), 0);
}

static void lose_a_row(void *arg)
{
    AUTO(buf_done) struct buf key = { .max = 64 };
    int *times = arg;

    if (++*times == 2) {
        assert_ok(table_rows_prefix(2, &key));
        assert_ok(tuple_put_int(&key, 3));
        assert_ok(tuple_put_int(&key, 1));
        fake_store_delete(db.store, buf_bytes(&key));
    }
}

static void several_ranges_are_one_state_too(void **state)
{
    static const char sql[] = "SELECT m, ts FROM two WHERE m IN (1, 3)";

    (void)state;
    assert_command(&db, "CREATE TABLE two (m int8, ts int8, PRIMARY KEY (m, ts))", "CREATE TABLE");
    assert_command(&db, "INSERT INTO two VALUES (1, 1), (2, 1), (3, 1), (3, 2)", "INSERT 0 4");
    assert_non_null(strstr(run_among(sql, lose_a_row), "[[1,1],[3,1],[3,2]]"));
    assert_rows(&db, sql, "[[1,1],[3,2]]");
    assert_int_equal(handles(), 0);
}

static void an_answer_goes_on_in_the_state_it_began_with(void **state)
{
    char next[4096];

    (void)state;
    db.rows_max = 5;
    const char *text = test_db_run(&db, "SELECT m FROM rd");
    assert_non_null(strstr(text, "[[1],[2],[3],[4],[5]]"));
    for (unsigned i = 0; i < 2; i++) {
        snprintf(next, sizeof next, "%s", strstr(text, "\"next\":\"") + 8);
        *strchr(next, '"') = '\0';
        db.next = (struct bytes){ 0 };
        test_db_run(&db, i == 0 ? "DELETE FROM rd WHERE m = 7" : "DELETE FROM rd WHERE m = 11");
        assert_string_equal(db.error.state, "");
        db.next = bytes_of_string(next);
        text = test_db_run(&db, "SELECT m FROM rd");
        assert_non_null(strstr(text, i == 0 ? "[[6],[7],[8],[9],[10]]" : "[[11],[12]]"));
    }
    /* The same place may be asked for again: the answer may have been lost. */
    text = test_db_run(&db, "SELECT m FROM rd");
    assert_non_null(strstr(text, "[[11],[12]]"));
    assert_int_equal(handles(), 1); /* it ends by itself */
    db.next = (struct bytes){ 0 };
    db.rows_max = 0;
}

/* Of what it read, one row is not as it was any more: the write says so. */
static void an_update_that_met_a_write_begins_anew(void **state)
{
    (void)state;
    assert_non_null(strstr(run_among("UPDATE rd SET v = 2 WHERE m >= 1 AND m <= 12", disturb),
                           "UPDATE 11"));
    assert_int_equal(handles(), 0);
}

/* --- when the state is gone --- */

static void a_statement_whose_state_is_gone_is_to_be_repeated(void **state)
{
    (void)state;
    run_among("SELECT sum(v) FROM rd", forget_at_the_third);
    assert_string_equal(db.error.state, "40001");
    run_among("UPDATE rd SET v = 3", forget_at_the_third);
    assert_string_equal(db.error.state, "40001");
    assert_rows(&db, "SELECT sum(v) FROM rd", "[[\"12\"]]");
    assert_int_equal(handles(), 0);
}

static void a_continuation_whose_state_is_gone_is_24000(void **state)
{
    char next[4096];

    (void)state;
    db.rows_max = 5;
    const char *text = test_db_run(&db, "SELECT m FROM rd");
    snprintf(next, sizeof next, "%s", strstr(text, "\"next\":\"") + 8);
    *strchr(next, '"') = '\0';
    assert_int_equal(fake_store_forget(db.store), 1);
    db.next = bytes_of_string(next);
    assert_refused(&db, "SELECT m FROM rd", "24000", 0);
    db.next = (struct bytes){ 0 };
    db.rows_max = 0;
}

/* --- what it costs --- */

static void one_page_asks_for_no_snapshot(void **state)
{
    (void)state;
    test_db_run(&db, "SELECT m FROM rd LIMIT 2");
    test_db_run(&db, "SELECT m FROM rd WHERE m = 3");
    test_db_run(&db, "SELECT m FROM rd WHERE m IN (3, 4, 9)");
    assert_int_equal(db.store->snapshots_made, 0);
    db.store->page_max = 0;
    test_db_run(&db, "SELECT * FROM rd");
    test_db_run(&db, "SELECT m FROM rd LIMIT 5 OFFSET 2");
    assert_int_equal(db.store->snapshots_made, 0);
}

static void a_page_cut_short_is_read_again_with_a_snapshot(void **state)
{
    (void)state;
    uint64_t before = db.store->scans;
    assert_rows(&db, "SELECT m FROM rd LIMIT 5", "[[1],[2],[3],[4],[5]]");
    assert_int_equal(db.store->scans - before, 1 + 3);
    assert_int_equal(db.store->snapshots_made, 1);
    assert_int_equal(handles(), 0);
    assert_rows(&db, "SELECT m FROM rd ORDER BY m DESC LIMIT 3", "[[12],[11],[10]]");
    assert_int_equal(handles(), 0);
}

static void a_statement_that_ends_early_leaves_nothing(void **state)
{
    (void)state;
    assert_rows(&db, "SELECT m FROM rd WHERE v = 1 LIMIT 3", "[[1],[2],[3]]");
    assert_int_equal(handles(), 0);
    db.rows_max = 20; /* more than there are: kept in case, let go at the end */
    assert_rows(&db, "SELECT count(*) FROM rd", "[[12]]");
    db.rows_max = 0;
    assert_int_equal(handles(), 0);
    db.store->fail_in = 2;
    assert_refused(&db, "SELECT sum(v) FROM rd", "58030", 0);
    assert_int_equal(handles(), 0);
    sql_run_cancel(test_db_start(&db, "SELECT sum(v) FROM rd"));
    fake_store_run(db.store);
    assert_string_equal(db.error.state, "57014");
    assert_int_equal(handles(), 0);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(writes_between_pages_are_not_seen),
        HERE(the_way_back_is_one_state_too),
        HERE(several_ranges_are_one_state_too),
        HERE(an_answer_goes_on_in_the_state_it_began_with),
        HERE(an_update_that_met_a_write_begins_anew),
        HERE(a_statement_whose_state_is_gone_is_to_be_repeated),
        HERE(a_continuation_whose_state_is_gone_is_24000),
        HERE(one_page_asks_for_no_snapshot),
        HERE(a_page_cut_short_is_read_again_with_a_snapshot),
        HERE(a_statement_that_ends_early_leaves_nothing),
    };
    return cmocka_run_group_tests_name("sql snapshot", tests, NULL, NULL);
}
