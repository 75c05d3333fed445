/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/engine.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/tables.h"
#include "lib/wire/tuple.h"
#include "store/sql/test_db.h"

static void a_table_is_made_filled_and_read(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_answer(
        db, "SELECT * FROM rd WHERE m = 2",
        "{\"columns\":[{\"name\":\"m\",\"type\":\"int8\"},{\"name\":\"ts\",\"type\":\"int8\"},"
        "{\"name\":\"kwh\",\"type\":\"numeric(12,3)\"},{\"name\":\"note\",\"type\":\"text\"}],"
        "\"rows\":[[2,900,\"2.500\",\"a\"],[2,1800,\"2.000\",null],"
        "[2,2700,\"-0.125\",\"it's\"],[2,3600,null,\"\"]],"
        "\"command\":\"SELECT 4\",\"next\":null}");
}

static void rows_lie_at_the_published_keys_in_the_published_form(void **state)
{
    struct test_db *db = *state;
    AUTO(buf_done) struct buf key = { .max = 64 };

    assert_command(db, "CREATE TABLE t (k int8 PRIMARY KEY, a int8, b float8, c text, d bool, "
                       "e numeric(12,3))", "CREATE TABLE");
    assert_command(db, "INSERT INTO t VALUES (12345, -7, 1.5, 'kWh', NULL, 1234.567)",
                   "INSERT 0 1");
    /* dictionary version, descriptor, row */
    assert_int_equal(db->store->count, 3);
    assert_ok(tuple_put_int(&key, 1));
    assert_ok(tuple_put_int(&key, 1));
    assert_ok(tuple_put_int(&key, 12345));
    struct fake_entry *row = &db->store->entries[2];
    assert_true(bytes_equal((struct bytes){ row->key, row->key_bytes }, buf_bytes(&key)));
    assert_hex(((struct bytes){ row->value, row->value_bytes }),
               "01000100050000000800000000000000"
               "f9ffffffffffffff000000000000f83f3800000003000000000000000000000087d6120000000000"
               "6b5768");
}

static void all_types_come_back_as_they_went_in(void **state)
{
    struct test_db *db = *state;

    assert_command(db,
                   "CREATE TABLE t (k text, a int2, b int4, c float8, d bool, e bytea, f date, "
                   "g timestamp, h timestamptz, i varchar(3), PRIMARY KEY (k))",
                   "CREATE TABLE");
    assert_command(
        db,
        "INSERT INTO t VALUES ('x', -32768, 2147483647, 0.1, true, '\\x00ff', "
        "'2024-02-29', '2024-02-29 12:34:56.5', '2024-02-29T12:34:56-03:00', 'h\xc3\xa9y')",
        "INSERT 0 1");
    assert_rows(db, "SELECT * FROM t",
                "[[\"x\",-32768,2147483647,0.1,true,\"\\\\x00ff\",\"2024-02-29\","
                "\"2024-02-29T12:34:56.500000\",\"2024-02-29T15:34:56Z\",\"h\xc3\xa9y\"]]");
    assert_command(db, "INSERT INTO t (k, c) VALUES ('y', 'Infinity')", "INSERT 0 1");
    assert_rows(db, "SELECT c, d FROM t WHERE k = 'y'", "[[\"Infinity\",null]]");
}

static void keys_of_any_type_select_their_rows(void **state)
{
    struct test_db *db = *state;

    assert_command(db, "CREATE TABLE t (a text, b bool, c float8, d bytea, e date, f int2, "
                       "PRIMARY KEY (a, b, c, d, e))", "CREATE TABLE");
    assert_command(db, "INSERT INTO t VALUES ('x', true, -1.5, '\\x61', '2000-01-01', 1), "
                       "('x', true, -1.5, '\\x6100', '1999-12-31', 2), "
                       "('x', false, 2, '\\x', '2000-01-02', 3)", "INSERT 0 3");
    assert_rows(db, "SELECT f FROM t WHERE a = 'x' AND b = true AND c = -1.5 AND d = '\\x61'",
                "[[1]]");
    assert_rows(db, "SELECT f FROM t WHERE a = 'x' AND b = true AND c = -1.5 AND d > '\\x61'",
                "[[2]]");
    assert_rows(db, "SELECT f FROM t WHERE a = 'x' AND b = true AND c = -1.5 AND d <= '\\x61'",
                "[[1]]");
    assert_rows(db, "SELECT d, e FROM t WHERE a = 'x' AND b = 't'",
                "[[\"\\\\x61\",\"2000-01-01\"],[\"\\\\x6100\",\"1999-12-31\"]]");
    assert_rows(db, "SELECT f FROM t WHERE a IN ('y', 'x') AND b IN (true, false)",
                "[[3],[1],[2]]");
}

static void conditions_on_the_key_choose_ranges(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND ts > 900 AND ts <= 2700", "[[1800],[2700]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND ts BETWEEN 1800 AND 1800", "[[1800]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND ts >= 900.5 AND ts < 2699.5", "[[1800]]");
    assert_rows(db, "SELECT m FROM rd WHERE m > 1 AND ts = 900", "[[2],[3]]");
    assert_rows(db, "SELECT m, ts FROM rd WHERE m IN (3, 1, 3) AND ts IN (900, 5, 3600)",
                "[[1,900],[1,3600],[3,900],[3,3600]]");
    assert_rows(db, "SELECT m FROM rd WHERE m IN (3, 1) AND ts > 2700", "[[1],[3]]");
    assert_rows(db, "SELECT m FROM rd WHERE m = 1 AND m = 2", "[]");
    assert_rows(db, "SELECT m FROM rd WHERE m > 2 AND m < 2", "[]");
    assert_rows(db, "SELECT m FROM rd WHERE m = NULL", "[]");
    assert_rows(db, "SELECT m FROM rd WHERE m IN (NULL)", "[]");
    assert_rows(db, "SELECT m FROM rd WHERE m IS NULL", "[]");
    assert_rows(db, "SELECT ts FROM rd WHERE (m = 1) AND ((ts = 900 AND m IS NOT NULL))",
                "[[900]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = '1' AND ts = 900", "[[900]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND ts < 99999999999999999999 AND ts > 2700",
                "[[3600]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND ts = 99999999999999999999", "[]");
}

static void conditions_on_other_columns_are_checked_row_by_row(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_rows(db, "SELECT m, ts FROM rd WHERE kwh > 2.4999", "[[2,900],[3,900]]");
    assert_rows(db, "SELECT m, ts FROM rd WHERE kwh = -.125 AND m = 2", "[[2,2700]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND kwh IS NULL", "[[3600]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND note IS NOT NULL", "[[900],[2700],[3600]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND note IN ('it''s', 'a')", "[[900],[2700]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND note <> 'a'", "[[2700],[3600]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND kwh <> 0.0001", "[[900],[1800],[2700]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 AND kwh < 1e30", "[[900],[1800],[2700]]");
}

static void rows_are_ordered_limited_and_skipped(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 ORDER BY ts DESC",
                "[[3600],[2700],[1800],[900]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 ORDER BY m, ts DESC LIMIT 1", "[[3600]]");
    assert_rows(db, "SELECT ts FROM rd WHERE m = 1 ORDER BY ts LIMIT 2 OFFSET 1",
                "[[1800],[2700]]");
    assert_rows(db, "SELECT m, ts FROM rd ORDER BY m DESC, ts DESC OFFSET 10",
                "[[1,1800],[1,900]]");
    assert_rows(db, "SELECT m FROM rd WHERE m IN (1,2) AND ts = 900 ORDER BY m DESC", "[[2],[1]]");
    assert_rows(db, "SELECT m FROM rd LIMIT 0", "[]");
    assert_rows(db, "SELECT m FROM rd LIMIT NULL OFFSET 11", "[[3]]");
    assert_refused(db, "SELECT m FROM rd ORDER BY ts", "0A000", 27);
    assert_refused(db, "SELECT m FROM rd ORDER BY m, ts DESC", "0A000", 30);
    assert_refused(db, "SELECT m FROM rd ORDER BY kwh", "0A000", 27);
    assert_refused(db, "SELECT m FROM rd LIMIT -1", "2201W", 24);
    assert_refused(db, "SELECT m FROM rd OFFSET 'x'", "22P02", 25);
}

static void aggregates_are_exact(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_rows(db,
                "SELECT count(*), count(kwh), sum(kwh), min(kwh), max(kwh), avg(kwh) FROM rd "
                "WHERE m = 1",
                "[[4,3,\"3.375\",\"-0.125\",\"2.000\",\"1.12500000000000000000\"]]");
    assert_rows(db, "SELECT sum(ts), avg(ts), min(note), max(note) FROM rd WHERE m = 1",
                "[[\"9000\",\"2250.0000000000000000\",\"\",\"it's\"]]");
    assert_rows(db, "SELECT count(*), sum(kwh), min(ts) FROM rd WHERE m = 9", "[[0,null,null]]");
    assert_rows(db, "SELECT count(*) AS n FROM rd WHERE m IN (1,3)", "[[8]]");
    assert_rows(db, "SELECT count(*) FROM rd LIMIT 0", "[]");
    assert_refused(db, "SELECT sum(note) FROM rd", "42883", 12);
    assert_refused(db, "SELECT m, count(*) FROM rd", "42803", 0);
}

static void sums_of_small_integers_are_int8_and_of_int8_numeric(void **state)
{
    struct test_db *db = *state;

    assert_command(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4, b int8, c float8)",
                   "CREATE TABLE");
    assert_command(db, "INSERT INTO t VALUES (1, 2147483647, 9223372036854775807, 0.1), "
                       "(2, 2147483647, 9223372036854775807, 0.2)", "INSERT 0 2");
    assert_answer(db, "SELECT sum(a), sum(b), avg(c) FROM t",
                  "{\"columns\":[{\"name\":\"sum\",\"type\":\"int8\"},"
                  "{\"name\":\"sum\",\"type\":\"numeric\"},{\"name\":\"avg\",\"type\":\"float8\"}],"
                  "\"rows\":[[4294967294,\"18446744073709551614\",0.15000000000000002]],"
                  "\"command\":\"SELECT 1\",\"next\":null}");
}

static void groups_follow_the_key(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    db->store->page_max = 3; /* groups go over the ends of pages */
    assert_rows(db, "SELECT m, count(*), sum(kwh) FROM rd GROUP BY m",
                "[[1,4,\"3.375\"],[2,4,\"4.375\"],[3,4,\"5.375\"]]");
    assert_rows(db, "SELECT m FROM rd GROUP BY m ORDER BY m DESC LIMIT 2", "[[3],[2]]");
    assert_rows(db, "SELECT count(*), m FROM rd WHERE kwh > 1.9 GROUP BY m OFFSET 1",
                "[[2,2],[2,3]]");
    assert_rows(db, "SELECT ts, max(kwh) FROM rd WHERE m = 3 GROUP BY ts LIMIT 2",
                "[[900,\"3.500\"],[1800,\"2.000\"]]");
    assert_rows(db, "SELECT m, ts FROM rd WHERE ts = 900 GROUP BY m, ts",
                "[[1,900],[2,900],[3,900]]");
    assert_refused(db, "SELECT ts FROM rd GROUP BY ts", "0A000", 28);
    assert_refused(db, "SELECT note FROM rd GROUP BY note", "0A000", 30);
    assert_refused(db, "SELECT ts FROM rd GROUP BY m", "42803", 0);
}

static void groups_on_texts_keep_their_values(void **state)
{
    struct test_db *db = *state;

    assert_command(db, "CREATE TABLE t (a text, b bytea, n int4, PRIMARY KEY (a, b, n))",
                   "CREATE TABLE");
    assert_command(db, "INSERT INTO t VALUES ('x', 'p', 1), ('x', 'p', 2), ('x', '\\x7000', 3), "
                       "('y', 'p', 4)", "INSERT 0 4");
    db->store->page_max = 1;
    assert_rows(db, "SELECT a, b, count(*) FROM t GROUP BY a, b",
                "[[\"x\",\"\\\\x70\",2],[\"x\",\"\\\\x7000\",1],[\"y\",\"\\\\x70\",1]]");
}

static void pages_join_without_loss(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    for (uint32_t page = 1; page < 6; page++) {
        db->store->page_max = page;
        assert_rows(db, "SELECT m, ts FROM rd WHERE m >= 2",
                    "[[2,900],[2,1800],[2,2700],[2,3600],[3,900],[3,1800],[3,2700],[3,3600]]");
        assert_rows(db, "SELECT ts FROM rd WHERE m = 2 ORDER BY ts DESC",
                    "[[3600],[2700],[1800],[900]]");
    }
}

static void a_page_that_does_not_follow_ends_the_statement(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    db->store->page_max = 2;
    db->store->bad_next = true;
    assert_refused(db, "SELECT m FROM rd", "XX001", 0);
}

static void a_limited_answer_goes_on_where_it_stopped(void **state)
{
    struct test_db *db = *state;
    const char *const statements[] = {
        "SELECT m, ts FROM rd OFFSET 1", "SELECT m, ts FROM rd ORDER BY m DESC, ts DESC LIMIT 11",
        "SELECT m, ts FROM rd WHERE m IN (1,2,3) AND ts IN (900,1800,2700,3600)",
        "SELECT m, count(*) FROM rd GROUP BY m"
    };
    const unsigned rows[] = { 11, 11, 12, 3 };
    char next[4096];

    test_db_fill(db);
    for (size_t s = 0; s < 4; s++) {
        unsigned count = 0;
        char whole[4096] = "", all[4096];
        snprintf(all, sizeof all, "%s", strstr(test_db_run(db, statements[s]), "[["));
        *strstr(all, "],\"command") = '\0';
        next[0] = '\0';
        do {
            db->rows_max = 2;
            db->next = bytes_of_string(next);
            const char *text = test_db_run(db, statements[s]);
            const char *at = strstr(text, "\"rows\":[");
            const char *end = strstr(text, "],\"command");
            assert_non_null(at);
            assert_non_null(end);
            snprintf(whole + strlen(whole), sizeof whole - strlen(whole), "%s%.*s",
                     count > 0 ? "," : "[", (int)(end - at - 8), at + 8);
            count++;
            const char *token = strstr(text, "\"next\":\"");
            snprintf(next, sizeof next, "%s", token != NULL ? token + 8 : "");
            if (token != NULL) {
                *strchr(next, '"') = '\0';
            }
        } while (next[0] != '\0');
        db->rows_max = 0;
        db->next = (struct bytes){ 0 };
        assert_string_equal(whole, all);
        assert_int_equal(count, (rows[s] + 1) / 2);
    }
}

static void a_forged_foreign_or_old_continuation_is_refused(void **state)
{
    struct test_db *db = *state;
    char next[4096];

    test_db_fill(db);
    db->rows_max = 1;
    const char *text = test_db_run(db, "SELECT m FROM rd");
    snprintf(next, sizeof next, "%s", strstr(text, "\"next\":\"") + 8);
    *strchr(next, '"') = '\0';
    db->next = bytes_of_string(next);
    assert_refused(db, "SELECT m  FROM rd", "24000", 0);
    assert_refused(db, "SELECT ts FROM rd", "24000", 0);
    db->now_us += 59000000;
    test_db_run(db, "SELECT m FROM rd");
    assert_string_equal(db->error.state, "");
    db->now_us += 1000000;
    assert_refused(db, "SELECT m FROM rd", "24000", 0);
    db->now_us -= 60000000;
    next[10] = next[10] == '0' ? '1' : '0';
    assert_refused(db, "SELECT m FROM rd", "24000", 0);
    db->next = BYTES_LIT("zz");
    assert_refused(db, "SELECT m FROM rd", "24000", 0);
}

static void a_key_that_exists_is_refused_and_nothing_is_written(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (7, 1), (1, 900)", "23505", 0);
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (7, 1), (7, 1)", "23505", 0);
    assert_rows(db, "SELECT count(*) FROM rd WHERE m = 7", "[[0]]");
}

static void do_nothing_writes_what_is_new(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_command(db, "INSERT INTO rd (m, ts) VALUES (1, 900), (7, 1), (7, 2), (1, 3600) "
                       "ON CONFLICT DO NOTHING", "INSERT 0 2");
    assert_command(db, "INSERT INTO rd (m, ts) VALUES (1, 900) ON CONFLICT (m, ts) DO NOTHING",
                   "INSERT 0 0");
    assert_command(db, "INSERT INTO rd (m, ts, note) VALUES (8, 1, 'first'), (8, 1, 'second') "
                       "ON CONFLICT DO NOTHING", "INSERT 0 1");
    assert_rows(db, "SELECT note FROM rd WHERE m = 8", "[[\"first\"]]");
    assert_rows(db, "SELECT kwh FROM rd WHERE m = 1 AND ts = 900", "[[\"1.500\"]]");
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (1, 1) ON CONFLICT (m) DO NOTHING", "42P10",
                   51);
}

/* More rows in the way than one answer of the store names. */
static void do_nothing_finds_many_rows_in_the_way(void **state)
{
    struct test_db *db = *state;
    char sql[4096] = "INSERT INTO t VALUES (0)";

    assert_command(db, "CREATE TABLE t (k int4 PRIMARY KEY)", "CREATE TABLE");
    for (int i = 1; i < 60; i++) {
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ",(%d)", i);
    }
    test_db_run(db, sql);
    snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ",(100),(101) ON CONFLICT DO NOTHING");
    uint64_t batches = db->store->batches;
    assert_command(db, sql, "INSERT 0 2");
    assert_int_equal(db->store->batches - batches, 3); /* try, look, try */
    assert_rows(db, "SELECT count(*) FROM t", "[[62]]");
}

static void do_update_takes_the_new_values(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_command(db,
                   "INSERT INTO rd VALUES (1, 900, 9, 'new'), (7, 1, 1, 'new') ON CONFLICT (m, ts) "
                   "DO UPDATE SET kwh = EXCLUDED.kwh",
                   "INSERT 0 2");
    assert_rows(db, "SELECT kwh, note FROM rd WHERE m IN (1, 7) AND ts IN (1, 900)",
                "[[\"9.000\",\"a\"],[\"1.000\",\"new\"]]");
    assert_command(db, "INSERT INTO rd VALUES (1, 900, 9, 'x') ON CONFLICT (ts, m) "
                       "DO UPDATE SET note = 'met', kwh = NULL", "INSERT 0 1");
    assert_rows(db, "SELECT kwh, note FROM rd WHERE m = 1 AND ts = 900", "[[null,\"met\"]]");
    assert_refused(db,
                   "INSERT INTO rd (m, ts) VALUES (1, 1), (1, 1) ON CONFLICT (m, ts) DO UPDATE SET "
                   "kwh = 1",
                   "21000", 0);
    assert_refused(db,
                   "INSERT INTO rd (m, ts) VALUES (1, 1) ON CONFLICT (m, ts) DO UPDATE SET ts = 1",
                   "0A000", 72);
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (1, 1) ON CONFLICT (m, ts) DO UPDATE SET "
                       "kwh = EXCLUDED.note", "42804", 87);
}

static void rows_are_updated_and_deleted(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_command(db, "UPDATE rd SET kwh = 7, note = NULL WHERE m = 1 AND ts >= 2700", "UPDATE 2");
    assert_rows(db, "SELECT kwh, note FROM rd WHERE m = 1 AND ts > 900",
                "[[\"2.000\",null],[\"7.000\",null],[\"7.000\",null]]");
    assert_command(db, "UPDATE rd SET kwh = 1 WHERE m = 9", "UPDATE 0");
    assert_command(db, "DELETE FROM rd WHERE kwh = 7", "DELETE 2");
    assert_command(db, "DELETE FROM rd WHERE m = 2 AND ts = 900", "DELETE 1");
    assert_command(db, "DELETE FROM rd WHERE m = 2 AND ts = 900", "DELETE 0");
    assert_rows(db, "SELECT count(*) FROM rd", "[[9]]");
    assert_command(db, "DELETE FROM rd", "DELETE 9");
    assert_refused(db, "UPDATE rd SET ts = 1", "0A000", 15);
    assert_refused(db, "UPDATE rd SET kwh = 1, kwh = 2", "42601", 24);
    assert_refused(db, "UPDATE rd SET nope = 1", "42703", 15);
}

static void tables_are_shown_and_dropped_with_their_rows(void **state)
{
    struct test_db *db = *state;

    test_db_fill(db);
    assert_command(db, "CREATE TABLE b (k text PRIMARY KEY)", "CREATE TABLE");
    assert_rows(db, "SHOW TABLES", "[[\"rd\"],[\"b\"]]");
    db->denied = "b";
    assert_rows(db, "SHOW TABLES", "[[\"rd\"]]");
    db->denied = NULL;
    assert_command(db, "DROP TABLE rd", "DROP TABLE");
    assert_rows(db, "SHOW TABLES", "[[\"b\"]]");
    assert_refused(db, "SELECT * FROM rd", "42P01", 15);
    fake_store_run(db->store);
    assert_int_equal(db->store->count, 2); /* the version and b */
    assert_command(db, "DROP TABLE IF EXISTS rd", "DROP TABLE");
    assert_refused(db, "DROP TABLE rd", "42P01", 12);
    assert_command(db, TEST_DB_TABLE, "CREATE TABLE"); /* under another id: no old row comes back */
    assert_rows(db, "SELECT count(*) FROM rd", "[[0]]");
}

static void a_table_is_made_once(void **state)
{
    struct test_db *db = *state;

    assert_command(db, TEST_DB_TABLE, "CREATE TABLE");
    assert_refused(db, TEST_DB_TABLE, "42P07", 14);
    assert_command(db, "CREATE TABLE IF NOT EXISTS rd (x int4 PRIMARY KEY)", "CREATE TABLE");
    assert_command(db, "CREATE TABLE \"TEST_DB_TABLE\" (\"X y\" int4 PRIMARY KEY)", "CREATE TABLE");
    assert_command(db, "INSERT INTO \"TEST_DB_TABLE\" (\"X y\") VALUES (1)", "INSERT 0 1");
    assert_command(db, "INSERT INTO public.Rd (M, TS) VALUES (1, 1)", "INSERT 0 1");
    assert_refused(db, "INSERT INTO \"Rd\" (M, TS) VALUES (1, 1)", "42P01", 13);
}

static void the_tables_of_metering_can_be_made(void **state)
{
    struct test_db *db = *state;

    assert_command(db, TABLE_READING, "CREATE TABLE");
    assert_command(db, TABLE_SEAL, "CREATE TABLE");
    assert_command(db, TABLE_GAP, "CREATE TABLE");
    assert_command(db, TABLE_EVENT, "CREATE TABLE");
    assert_command(db, TABLE_METER, "CREATE TABLE");
    assert_command(db, TABLE_CONTRACT, "CREATE TABLE");
    assert_command(db, TABLE_CONTRACT, "CREATE TABLE");
}

static void a_table_that_makes_no_sense_is_refused(void **state)
{
    struct test_db *db = *state;

    assert_refused(db, "CREATE TABLE t (a int4)", "0A000", 14);
    assert_refused(db, "CREATE TABLE t (PRIMARY KEY (a))", "0A000", 14);
    assert_refused(db, "CREATE TABLE t (a int4, PRIMARY KEY (b))", "42703", 38);
    assert_refused(db, "CREATE TABLE t (a int4, A int8, PRIMARY KEY (a))", "42701", 25);
    assert_refused(db, "CREATE TABLE t (a int4, PRIMARY KEY (a, a))", "42701", 41);
    assert_refused(db, "CREATE TABLE t (a int4 PRIMARY KEY, PRIMARY KEY (a))", "42P16", 37);
    assert_refused(db, "CREATE TABLE t (a numeric(5,2) PRIMARY KEY)", "0A000", 17);
    assert_refused(db, "CREATE TABLE t (_k int4 PRIMARY KEY)", "42939", 17);
    assert_rows(db, "SHOW TABLES", "[]");
}

static void values_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *column, *value, *state;
    } bad[] = {
        { "a", "32768", "22003" },
        { "a", "-32769", "22003" },
        { "a", "32767.5", "22003" },
        { "b", "2147483648", "22003" },
        { "c", "9223372036854775808", "22003" },
        { "c", "1e19", "22003" },
        { "a", "'x'", "22P02" },
        { "a", "''", "22P02" },
        { "a", "'1.5'", "22P02" },
        { "a", "'1 2'", "22P02" },
        { "a", "true", "42804" },
        { "d", "1e400", "22003" },
        { "d", "'NaN'", "22P02" },
        { "d", "'1x'", "22P02" },
        { "e", "1000", "22003" },
        { "e", "999.995", "22003" },
        { "e", "'abc'", "22P02" },
        { "f", "1", "42804" },
        { "f", "'abcd'", "22001" },
        { "g", "1", "42804" },
        { "g", "'maybe'", "22P02" },
        { "h", "'\\x0'", "22P02" },
        { "h", "'\\x0g'", "22P02" },
        { "h", "'a\\b'", "22P02" },
        { "i", "'2023-02-29'", "22008" },
        { "i", "'yesterday'", "22007" },
        { "i", "20230101", "42804" },
        { "j", "'2023-02-28 25:00'", "22008" },
        { "j", "'0000-01-01'", "22008" },
        { "k", "NULL", "23502" },
        { "z", "1", "42703" },
        { "k", "DEFAULT", "23502" },
        { "a", "$1", "42P02" },
    };
    struct test_db *db = *state;
    char sql[256];

    assert_command(db, "CREATE TABLE t (k int8 PRIMARY KEY, a int2, b int4, c int8, d float8, "
                       "e numeric(5,2), f varchar(3), g bool, h bytea, i date, j timestamptz)",
                   "CREATE TABLE");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool key = strcmp(bad[i].column, "k") == 0;
        snprintf(sql, sizeof sql, "INSERT INTO t (%s%s) VALUES (%s%s)", key ? "" : "k, ",
                 bad[i].column, key ? "" : "1, ", bad[i].value);
        size_t place = bad[i].state[0] == '4' && bad[i].column[0] == 'z'
                           ? 19
                           : (size_t)(strstr(sql, "VALUES (") - sql) + 9 + (key ? 0 : 3);
        assert_refused(db, sql, bad[i].state, place);
    }
    assert_rows(db, "SELECT count(*) FROM t", "[[0]]");
}

static void values_at_their_limits_are_taken(void **state)
{
    struct test_db *db = *state;

    assert_command(db, "CREATE TABLE t (k int8 PRIMARY KEY, a int2, e numeric(5,2), f varchar(3))",
                   "CREATE TABLE");
    assert_command(db, "INSERT INTO t VALUES (-9223372036854775808, -32768, -999.99, 'abc'), "
                       "(9223372036854775807, 32767.4, 999.994, ''), ('-5', ' 7 ', '1e2', NULL), "
                       "(+0, 0.5, .005, E'\\'\\\\')", "INSERT 0 4");
    assert_rows(db, "SELECT * FROM t",
                "[[-9223372036854775808,-32768,\"-999.99\",\"abc\"],[-5,7,\"100.00\",null],"
                "[0,1,\"0.01\",\"'\\\\\"],[9223372036854775807,32767,\"999.99\",\"\"]]");
}

static void an_insert_must_fit_its_columns(void **state)
{
    struct test_db *db = *state;

    assert_command(db, TEST_DB_TABLE, "CREATE TABLE");
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (1)", "42601", 32);
    assert_refused(db, "INSERT INTO rd (m, ts) VALUES (1, 2, 3)", "42601", 38);
    assert_refused(db, "INSERT INTO rd VALUES (1, 2, 3, 'x', 5)", "42601", 38);
    assert_refused(db, "INSERT INTO rd (m, m) VALUES (1, 2)", "42701", 20);
    assert_refused(db, "INSERT INTO rd (m, kwh) VALUES (1, 2)", "23502", 13);
    assert_refused(db, "INSERT INTO rd VALUES (1)", "23502", 24);
    assert_command(db, "INSERT INTO rd VALUES (1, 2)", "INSERT 0 1");
}

static void bounds_of_a_statement_are_told(void **state)
{
    struct test_db *db = *state;
    AUTO(buf_done) struct buf sql = { .max = SQL_TEXT_BYTES_MAX };

    assert_command(db, "CREATE TABLE t (k text PRIMARY KEY)", "CREATE TABLE");
    assert_ok(buf_string(&sql, "INSERT INTO t VALUES ('0')"));
    for (int i = 1; i < 1000; i++) {
        assert_ok(buf_printf(&sql, ",('%d')", i));
    }
    size_t size = sql.len;
    assert_ok(buf_u8(&sql, 0));
    assert_command(db, (const char *)sql.ptr, "INSERT 0 1000");
    sql.len = size;
    assert_ok(buf_string(&sql, ",('x')"));
    assert_ok(buf_u8(&sql, 0));
    assert_refused(db, (const char *)sql.ptr, "54000", 0);
    buf_clear(&sql);
    assert_ok(buf_printf(&sql, "INSERT INTO t VALUES ('%01100d')", 7));
    assert_ok(buf_u8(&sql, 0));
    assert_refused(db, (const char *)sql.ptr, "54000", 0);
}

static void parameters_take_the_place_of_literals(void **state)
{
    struct test_db *db = *state;
    struct literal params[] = {
        { .kind = LITERAL_INT, .i = -5 },
        { .kind = LITERAL_TEXT, .plain = true, .text = BYTES_LIT("it's") },
        { .kind = LITERAL_FLOAT, .f = 2.5 },
        { .kind = LITERAL_NULL },
    };

    assert_command(db, TEST_DB_TABLE, "CREATE TABLE");
    db->params = params;
    db->param_count = 4;
    assert_command(db, "INSERT INTO rd VALUES ($1, 1, $3, $2), ($1, 2, $4, $4)", "INSERT 0 2");
    assert_rows(db, "SELECT * FROM rd WHERE m = $1 AND ts < $3",
                "[[-5,1,\"2.500\",\"it's\"],[-5,2,null,null]]");
    assert_refused(db, "SELECT * FROM rd WHERE m = $5", "42P02", 28);
}

static void what_is_not_allowed_is_refused_before_it_is_known_to_exist(void **state)
{
    struct test_db *db = *state;

    db->denied = "secret";
    assert_refused(db, "SELECT * FROM secret", "42501", 15);
    assert_refused(db, "INSERT INTO secret VALUES (1)", "42501", 13);
    assert_refused(db, "DROP TABLE secret", "42501", 12);
    assert_int_equal(db->store->batches, 0);
}

/* "UPDATE 1" or "UPDATE 0" would tell the answer to any WHERE. */
static void who_may_write_but_not_read_learns_nothing_by_counting(void **state)
{
    struct test_db *db = *state;

    assert_command(db, TEST_DB_TABLE, "CREATE TABLE");
    db->read_denied = true;
    assert_command(db, "INSERT INTO rd VALUES (1, 1, 2.5, 'x')", "INSERT 0 1");
    assert_refused(db, "UPDATE rd SET note = 'y' WHERE m = 1 AND kwh > 2", "42501", 8);
    assert_refused(db, "DELETE FROM rd WHERE m = 1 AND kwh > 2", "42501", 13);
    assert_refused(db, "SELECT * FROM rd", "42501", 15);
    db->read_denied = false;
    assert_command(db, "UPDATE rd SET note = 'y' WHERE m = 1 AND kwh > 2", "UPDATE 1");
    assert_command(db, "DELETE FROM rd WHERE m = 1 AND kwh > 2", "DELETE 1");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(a_table_is_made_filled_and_read),
        T(rows_lie_at_the_published_keys_in_the_published_form),
        T(all_types_come_back_as_they_went_in),
        T(keys_of_any_type_select_their_rows),
        T(conditions_on_the_key_choose_ranges),
        T(conditions_on_other_columns_are_checked_row_by_row),
        T(rows_are_ordered_limited_and_skipped),
        T(aggregates_are_exact),
        T(sums_of_small_integers_are_int8_and_of_int8_numeric),
        T(groups_follow_the_key),
        T(groups_on_texts_keep_their_values),
        T(pages_join_without_loss),
        T(a_page_that_does_not_follow_ends_the_statement),
        T(a_limited_answer_goes_on_where_it_stopped),
        T(a_forged_foreign_or_old_continuation_is_refused),
        T(a_key_that_exists_is_refused_and_nothing_is_written),
        T(do_nothing_writes_what_is_new),
        T(do_nothing_finds_many_rows_in_the_way),
        T(do_update_takes_the_new_values),
        T(rows_are_updated_and_deleted),
        T(tables_are_shown_and_dropped_with_their_rows),
        T(a_table_is_made_once),
        T(the_tables_of_metering_can_be_made),
        T(a_table_that_makes_no_sense_is_refused),
        T(values_that_do_not_fit_are_refused),
        T(values_at_their_limits_are_taken),
        T(an_insert_must_fit_its_columns),
        T(bounds_of_a_statement_are_told),
        T(parameters_take_the_place_of_literals),
        T(what_is_not_allowed_is_refused_before_it_is_known_to_exist),
        T(who_may_write_but_not_read_learns_nothing_by_counting),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
