/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/test_db.h"

#include <assert.h>
#include <string.h>

static uint64_t clock_now(void *self)
{
    return ((struct test_db *)self)->now_us;
}

static void must(err e)
{
    if (e.code) {
        fail_msg("%s: %s", err_name(e.code), err_text());
    }
}

static void engine_init(struct test_db *db, struct fake_store *store)
{
    db->store = store;
    struct sql_engine_options options = {
        .store = fake_store_of(store),
        .limits = { .rows_max = 1000, .statements_max = 16, .time_us = 10000000 },
        .now_us = clock_now,
        .clock = db,
    };

    db->now_us = 1000000000;
    db->text.max = ANSWER_BYTES_MAX + 1;
    must(sql_engine_new(&options, &db->engine));
}

void test_db_init(struct test_db *db)
{
    memset(db, 0, sizeof *db);
    fake_store_init(&db->own);
    engine_init(db, &db->own);
}

void test_db_share(struct test_db *db, struct test_db *first)
{
    memset(db, 0, sizeof *db);
    engine_init(db, first->store);
}

void test_db_done(struct test_db *db)
{
    fake_store_run(db->store);
    sql_engine_free(db->engine);
    if (db->store == &db->own) {
        fake_store_done(db->store);
    }
    answer_free(&db->answer);
    buf_done(&db->text);
}

int test_db_setup(void **state)
{
    struct test_db *db = calloc(1, sizeof *db);

    test_db_init(db);
    *state = db;
    return 0;
}

int test_db_teardown(void **state)
{
    test_db_done(*state);
    free(*state);
    return 0;
}

void test_db_fill(struct test_db *db)
{
    char sql[256];

    assert_command(db, TEST_DB_TABLE, "CREATE TABLE");
    for (int m = 1; m <= 3; m++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO rd VALUES (%d, 900, %d.5, 'a'), (%d, 1800, 2, NULL), "
                 "(%d, 2700, -0.125, 'it''s'), (%d, 3600, NULL, '')",
                 m, m, m, m, m);
        assert_command(db, sql, "INSERT 0 4");
    }
}

static err sink_columns(void *self, const struct table_column *columns, size_t count)
{
    return answer_columns(&((struct test_db *)self)->answer, columns, count);
}

static err sink_row(void *self, const struct sql_value *values)
{
    return answer_row(&((struct test_db *)self)->answer, values);
}

static bool sink_full(void *self)
{
    return ((struct test_db *)self)->full;
}

static void finish(struct test_db *db)
{
    assert(!db->ended);
    db->ended = true;
    buf_clear(&db->text);
    must(buf_append(&db->text, buf_bytes(&db->answer.out)));
    must(buf_u8(&db->text, 0));
}

static void sink_done(void *self, const char *command, struct bytes next)
{
    struct test_db *db = self;

    must(answer_done(&db->answer, command, next));
    finish(db);
}

static void sink_failed(void *self, const struct sql_error *error)
{
    struct test_db *db = self;

    db->error = *error;
    must(answer_failed(&db->answer, error, db->statement));
    finish(db);
}

static bool allows(void *self, enum sql_right right, const char *table)
{
    struct test_db *db = self;

    if (db->read_denied && right == SQL_READ) {
        return false;
    }
    return db->denied == NULL || strcmp(db->denied, table) != 0;
}

struct sql_run *test_db_start(struct test_db *db, const char *sql)
{
    struct sql_run *run = NULL;

    db->statement = bytes_of_string(sql);
    db->error = (struct sql_error){ .at = SQL_NOWHERE };
    db->ended = false;
    answer_init(&db->answer);
    struct sql_request request = {
        .text = db->statement,
        .params = db->params,
        .param_count = db->param_count,
        .rows_max = db->rows_max,
        .next = db->next,
        .access = { db, allows },
        .sink = { db, sink_columns, sink_row, sink_full, sink_done, sink_failed },
    };
    must(sql_run_start(db->engine, &request, &run));
    return run;
}

const char *test_db_run(struct test_db *db, const char *sql)
{
    (void)test_db_start(db, sql);
    fake_store_run(db->store);
    if (!db->ended) {
        fail_msg("%s: the statement did not end", sql);
    }
    return (const char *)db->text.ptr;
}
