/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of any text against tables in memory, one a line: each ends once, with done or failed,
 * and the answer is JSON. */
#include <assert.h>
#include <string.h>

#include "lib/wire/json_read.h"
#include "store/sql/answer.h"
#include "store/sql/fake_store.h"

#define STATEMENTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_call {
    struct answer answer;
    struct bytes text;
    unsigned ends;
};

static uint64_t clock_stands(void *self)
{
    (void)self;
    return 1;
}

static bool allows(void *self, enum sql_right right, const char *table)
{
    (void)self;
    return right != SQL_ADMIN || table[0] != '\0';
}

static err on_columns(void *self, const struct table_column *columns, size_t count)
{
    return answer_columns(&((struct fuzz_call *)self)->answer, columns, count);
}

static err on_row(void *self, const struct sql_value *values)
{
    return answer_row(&((struct fuzz_call *)self)->answer, values);
}

static bool on_full(void *self)
{
    (void)self;
    return false;
}

static void on_done(void *self, const char *command, struct bytes next)
{
    struct fuzz_call *c = self;
    err e = answer_done(&c->answer, command, next);

    assert(!e.code);
    c->ends++;
}

static void on_failed(void *self, const struct sql_error *error)
{
    struct fuzz_call *c = self;
    err e = answer_failed(&c->answer, error, c->text);

    assert(!e.code);
    assert(strcmp(error->state, "XX000") != 0 && strcmp(error->state, "XX001") != 0);
    c->ends++;
}

static void run(struct sql_engine *engine, struct fake_store *store, struct bytes text)
{
    static const struct literal params[] = {
        { .kind = LITERAL_INT, .i = 7 },
        { .kind = LITERAL_TEXT, .plain = true, .text = { (const uint8_t *)"x", 1 } },
    };
    struct fuzz_call c = { .text = text };
    struct sql_run *started;
    json_t *doc = NULL;

    answer_init(&c.answer);
    struct sql_request request = {
        .text = text, .params = params, .param_count = 2, .access = { &c, allows },
        .sink = { &c, on_columns, on_row, on_full, on_done, on_failed },
    };
    err e = sql_run_start(engine, &request, &started);
    assert(!e.code);
    fake_store_run(store);
    assert(c.ends == 1);
    e = json_read(buf_bytes(&c.answer.out), ANSWER_BYTES_MAX, 8, &doc);
    assert(!e.code);
    json_decref(doc);
    answer_free(&c.answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char table[] =
        "CREATE TABLE t (a int4, b text, c float8, d bytea, e numeric(9,2), "
        "f bool, g timestamptz, PRIMARY KEY (a, b))";
    struct fake_store store;
    struct sql_engine *engine;

    fake_store_init(&store);
    struct sql_engine_options options = {
        .store = fake_store_of(&store), .now_us = clock_stands,
        .limits = { .rows_max = 100, .statements_max = 1, .time_us = 1000000 },
    };
    err e = sql_engine_new(&options, &engine);
    assert(!e.code);
    run(engine, &store, BYTES_LIT(table));
    for (int i = 0; i < STATEMENTS_MAX && size > 0; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end != NULL ? (size_t)(end - data) : size;
        run(engine, &store, (struct bytes){ data, line });
        data += line + (end != NULL);
        size -= line + (end != NULL);
    }
    sql_engine_free(engine);
    fake_store_done(&store);
    return 0;
}
