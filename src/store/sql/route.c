/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/route.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/service/metrics.h"
#include "store/sql/answer.h"
#include "store/sql/request.h"

#define STREAM_FROM_BYTES 65536 /* a longer answer leaves in pieces */
#define LOG_PERIOD_US 100000

static struct metric statements_done = {
    .kind = METRIC_COUNTER, .name = "meterseal_sql_statements_total", .label = "result=\"done\"",
    .help = "statements by what became of them",
};
static struct metric statements_refused = {
    .kind = METRIC_COUNTER, .name = "meterseal_sql_statements_total", .label = "result=\"refused\"",
    .help = "statements by what became of them",
};
static struct metric statements_failed = {
    .kind = METRIC_COUNTER, .name = "meterseal_sql_statements_total", .label = "result=\"failed\"",
    .help = "statements by what became of them",
};
static struct metric statement_time = {
    .kind = METRIC_HISTOGRAM, .name = "meterseal_sql_statement_seconds",
    .help = "from request to answer",
};

void sql_route_register_metrics(void)
{
    metric_register(&statements_done);
    metric_register(&statements_refused);
    metric_register(&statements_failed);
    metric_register(&statement_time);
}

struct call { /* one statement of HTTP */
    struct sql_route *route;
    struct http_exchange *x; /* NULL: the client is gone */
    struct sql_body body;
    struct access access;
    struct answer answer;
    struct sql_run *run; /* NULL: ended, or not begun */
    uint64_t began_us;
    bool streaming;
    bool ended;   /* the answer is whole */
    bool in_start;
    unsigned status;
};

static void call_free(struct call *c)
{
    struct sql_route *route = c->route;

    sql_body_done(&c->body);
    answer_free(&c->answer);
    mem_give(c);
    route->under_way--;
    if (route->under_way == 0 && route->idle != NULL) {
        route->idle(route->arg);
    }
}

/* --- answers --- */

/* Gives what there is to the connection. True: it takes no more now, `call_ready` comes later. */
static bool call_flush(struct call *c)
{
    if (c->x == NULL) {
        buf_clear(&c->answer.out);
        return false;
    }
    err e = http_answer_piece(c->x, buf_bytes(&c->answer.out));
    if (e.code == ERR_LIMIT) {
        return true;
    }
    buf_clear(&c->answer.out); /* taken, or of no use to a connection that is over */
    return false;
}

/* The answer is whole and all of it was given away, or there is nobody to give it to. */
static void call_finish(struct call *c)
{
    if (c->x != NULL && !c->streaming) {
        http_set_user(c->x, NULL);
        http_answer(c->x, c->status, "application/json", buf_bytes(&c->answer.out));
    } else if (c->x != NULL) {
        if (call_flush(c)) {
            return; /* call_ready finishes */
        }
        http_set_user(c->x, NULL);
        http_answer_end(c->x);
    }
    call_free(c);
}

static void call_ready(void *user)
{
    struct call *c = user;

    if (c->ended) {
        call_finish(c);
    } else if (c->run != NULL && !call_flush(c)) {
        sql_run_resume(c->run);
    }
}

/* Ends the call when the engine has told the end; not from within sql_run_start, whose caller does.
 */
static void call_ended(struct call *c)
{
    c->ended = true;
    c->run = NULL;
    if (!c->in_start) {
        call_finish(c);
    }
}

static err on_columns(void *self, const struct table_column *columns, size_t count)
{
    return answer_columns(&((struct call *)self)->answer, columns, count);
}

static err on_row(void *self, const struct sql_value *values)
{
    return answer_row(&((struct call *)self)->answer, values);
}

static bool on_full(void *self)
{
    struct call *c = self;

    if (c->answer.out.len < STREAM_FROM_BYTES || c->x == NULL) {
        return false;
    }
    if (!c->streaming) {
        c->streaming = !http_answer_begin(c->x, 200, "application/json", call_ready, c).code;
    }
    return c->streaming && call_flush(c);
}

static void log_statement(const struct call *c, const char *event, const char *state,
                          uint32_t table_id, uint64_t us)
{
    static struct log_limit limit;
    char fingerprint[20];

    if (!log_allowed(&limit, time_monotonic_us(), LOG_PERIOD_US)) {
        return;
    }
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, sql_fingerprint(c->body.text));
    LOG(LOG_WARN, event, "fingerprint", fingerprint, "state", state, "table", log_num(table_id),
        "us", log_num((int64_t)us), NULL);
}

static void observe(const struct call *c, const char *state, uint32_t table_id)
{
    uint64_t us = time_monotonic_us() - c->began_us;
    /* A client that went away is no failure of ours. */
    bool failed = state[0] != '\0' && sql_error_status(state) >= 500 && c->x != NULL;

    metric_observe_us(&statement_time, us);
    metric_add(state[0] == '\0' ? &statements_done : failed ? &statements_failed
                                                            : &statements_refused, 1);
    if (failed) {
        log_statement(c, "statement_failed", state, table_id, us);
    } else if (c->route->slow_us > 0 && us > c->route->slow_us) {
        log_statement(c, "statement_slow", state, table_id, us);
    }
}

static void on_done(void *self, const char *command, struct bytes next)
{
    struct call *c = self;

    observe(c, "", 0);
    c->status = 200;
    if (answer_done(&c->answer, command, next).code) {
        c->status = 500; /* memory is full: an answer that is no JSON tells nothing */
    }
    call_ended(c);
}

/* A refusal of what was not begun to be answered replaces what there is. */
static void put_refusal(struct call *c, const struct sql_error *e)
{
    if (!c->streaming) {
        answer_init(&c->answer);
    }
    c->status = sql_error_status(e->state);
    if (answer_failed(&c->answer, e, c->body.text).code) {
        c->status = 500;
    }
}

static void on_failed(void *self, const struct sql_error *e)
{
    struct call *c = self;

    observe(c, e->state, e->table_id);
    put_refusal(c, e);
    call_ended(c);
}

static bool call_allows(void *self, enum sql_right right, const char *table)
{
    return access_allows(&((struct call *)self)->access, right, table);
}

/* --- requests --- */

static err call_check(struct call *c, struct sql_error *error)
{
    struct bytes authorization;
    bool given = http_header(c->x, "Authorization", &authorization);

    if (access_check(c->route->keys, c->route->roles, given ? &authorization : NULL,
                     http_peer(c->x), (int64_t)(time_utc_us() / US_PER_S), &c->access).code) {
        SQL_FAIL(error, "28000", SQL_NOWHERE,
                 "an API key (Authorization: Bearer) or a certificate of a role is wanted");
    }
    return sql_body_read(http_body(c->x), ROUTE_BODY_BYTES_MAX, error, &c->body);
}

static err call_start(struct call *c, struct sql_error *error)
{
    struct sql_request request = {
        .text = c->body.text,
        .params = c->body.params,
        .param_count = c->body.param_count,
        .rows_max = c->body.rows_max,
        .next = c->body.next,
        .access = { c, call_allows },
        .sink = { c, on_columns, on_row, on_full, on_done, on_failed },
    };

    err e = sql_run_start(c->route->engine, &request, &c->run);
    if (e.code == ERR_LIMIT) {
        http_add_header(c->x, "Retry-After", "1");
        SQL_FAIL(error, "53300", SQL_NOWHERE, "too many statements under way, try again");
    }
    return e;
}

static void handle_sql(void *arg, struct http_exchange *x)
{
    struct sql_route *route = arg;
    struct sql_error error = { .at = SQL_NOWHERE };
    struct call *c = mem_take(sizeof *c);

    if (c == NULL) {
        err_set(__FILE__, __LINE__, "no memory for a statement");
        http_answer_error(x, (err){ ERR_LIMIT });
        return;
    }
    *c = (struct call){ .route = route, .x = x, .began_us = time_monotonic_us() };
    route->under_way++;
    answer_init(&c->answer);
    http_set_user(x, c);
    c->in_start = true;
    err e = call_check(c, &error);
    c->answer.int8_as_text = c->body.int8_as_text;
    if (!e.code) {
        e = call_start(c, &error);
    }
    c->in_start = false;
    if (e.code) {
        sql_error_of(&error, e);
        on_failed(c, &error);
    } else if (c->ended) {
        call_finish(c);
    }
}

void sql_route_gone(void *route, struct http_exchange *x)
{
    struct call *c = http_user(x);

    (void)route;
    if (c == NULL) {
        return;
    }
    c->x = NULL;
    if (c->ended) {
        call_free(c);
    } else if (c->run != NULL) {
        sql_run_cancel(c->run);
    }
}

const struct http_route sql_routes[] = {
    { .method = "POST", .pattern = "/sql", .body_max = ROUTE_BODY_BYTES_MAX, .handle = handle_sql },
    { .method = NULL },
};
