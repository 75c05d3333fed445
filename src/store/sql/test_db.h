/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an engine over the store in memory, and statements with their answers as text. */
#pragma once

#include "lib/base/test.h"
#include "store/sql/answer.h"
#include "store/sql/fake_store.h"

struct test_db {
    struct fake_store own;
    struct fake_store *store; /* its own, or that of another */
    struct sql_engine *engine;
    struct answer answer;
    struct buf text;         /* the newest answer, NUL at the end */
    struct sql_error error;  /* of the newest refusal */
    struct bytes statement;
    const struct literal *params;
    size_t param_count;
    uint64_t rows_max;
    struct bytes next;
    uint64_t now_us;
    const char *denied; /* a table whose use is denied */
    bool read_denied;   /* whatever only reads or looks is denied */
    bool full;          /* the reader does not keep up */
    bool ended;
};

void test_db_init(struct test_db *db);
void test_db_done(struct test_db *db);
/* For cmocka: *state is a test_db. */
int test_db_setup(void **state);
int test_db_teardown(void **state);

#define TEST_DB_TABLE \
    "CREATE TABLE rd (m int8, ts int8, kwh numeric(12,3), note text, PRIMARY KEY (m, ts))"
/* Makes it, with four readings of each of three meters. */
void test_db_fill(struct test_db *db);

/* A second service on the same store. */
void test_db_share(struct test_db *db, struct test_db *first);

/* Runs a statement to its end and gives the JSON of its answer. */
const char *test_db_run(struct test_db *db, const char *sql);
/* Starts it; what is under way goes on with fake_store_run. */
struct sql_run *test_db_start(struct test_db *db, const char *sql);

#define assert_answer(db, sql, want) assert_string_equal(test_db_run(db, sql), want)
#define assert_command(db, sql, command)                                                           \
    assert_answer(db, sql, "{\"columns\":[],\"rows\":[],\"command\":\"" command "\",\"next\":null}")
/* The rows alone. */
#define assert_rows(db, sql, rows)                                                                 \
    do {                                                                                           \
        const char *assert_text_ = test_db_run(db, sql);                                           \
        const char *assert_at_ = strstr(assert_text_, "\"rows\":");                                \
        if (assert_at_ == NULL || strncmp(assert_at_ + 7, rows, strlen(rows)) != 0 ||              \
            strncmp(assert_at_ + 7 + strlen(rows), ",\"command\"", 10) != 0) {                     \
            fail_msg("%s: %s", sql, assert_text_);                                                 \
        }                                                                                          \
    } while (0)
/* Refused with this SQLSTATE at this character, 0 = no place. */
#define assert_refused(db, sql, code, place)                                                       \
    do {                                                                                           \
        const char *assert_text_ = test_db_run(db, sql);                                           \
        size_t assert_place_ = (db)->error.at == SQL_NOWHERE ? 0 : (db)->error.at + 1;             \
        if (strcmp((db)->error.state, code) != 0 || assert_place_ != (place)) {                    \
            fail_msg("%s: %s at %zu: %s", sql, (db)->error.state, assert_place_, assert_text_);    \
        }                                                                                          \
    } while (0)
