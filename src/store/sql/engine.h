/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL engine without I/O: statements come in, calls to an ordered store go out, rows come back
 * through a sink. Many statements are under way at once; each is a chain of callbacks.
 *
 * A write is one conditional batch of the store, which also checks that the dictionary is the one
 * the statement was bound to. A read takes pages, all of one snapshot of the store, also where the
 * client comes back for more rows; only lists of more than 256 single keys are read in parts. */
#pragma once

#include "lib/client/kvs.h"
#include "store/sql/value.h"

/* What the engine wants of a store; lib/client/kvs gives it, tests give one in memory. The answer
 * comes later, never from inside the call; what is passed is copied before the call returns. */
struct sql_store {
    void *self;
    err (*batch)(void *self, const struct kvs_op *ops, uint32_t count, kvs_batch_fn done,
                 void *arg);
    err (*scan)(void *self, const struct kvs_range *range, kvs_page_fn done, void *arg);
    void (*drop)(void *self, uint64_t snapshot); /* it is read no more; nobody answers */
};

struct sql_limits {
    uint32_t rows_max;       /* rows that one statement may write */
    uint32_t statements_max; /* under way at once */
    uint64_t time_us;        /* of one statement */
};

struct sql_engine_options {
    struct sql_store store;
    struct sql_limits limits;
    uint64_t (*now_us)(void *clock); /* monotonic */
    void *clock;
};

struct sql_engine;
err sql_engine_new(const struct sql_engine_options *options, struct sql_engine **out) MUST_USE;
/* No statement may be under way and no call of the store unanswered: see sql_engine_idle. */
void sql_engine_free(struct sql_engine *e);
bool sql_engine_idle(const struct sql_engine *e);
/* Reads the dictionary, then `done`; after a failure it may be called again. Goes on deleting rows
 * of dropped tables. */
err sql_engine_open(struct sql_engine *e, void (*done)(void *arg, err e), void *arg) MUST_USE;

enum sql_right { SQL_READ, SQL_WRITE, SQL_ADMIN };

/* Who asks: what may be done to a table; asked before it is known whether the table exists. */
struct sql_access {
    void *self;
    bool (*allows)(void *self, enum sql_right right, const char *table);
};

/* Where answers go. `columns` comes first and once, then rows, then done or failed, once. A numeric
 * column with typmod -1 has its decimal text in `octets`. */
struct sql_sink {
    void *self;
    err (*columns)(void *self, const struct table_column *columns, size_t count);
    err (*row)(void *self, const struct sql_value *values);
    bool (*full)(void *self); /* true: rows pause until sql_run_resume */
    void (*done)(void *self, const char *command, struct bytes next);
    void (*failed)(void *self, const struct sql_error *error);
};

struct sql_request { /* all borrowed until done or failed */
    struct bytes text;
    const struct literal *params;
    size_t param_count;
    uint64_t rows_max;  /* rows in this answer; 0 = all */
    struct bytes next;  /* where an earlier answer stopped; empty = from the beginning */
    struct sql_access access;
    struct sql_sink sink;
};

struct sql_run;
/* The sink may hear of the end before this returns; then *out is NULL. ERR_LIMIT: too many under
 * way, the sink hears nothing. */
err sql_run_start(struct sql_engine *e, const struct sql_request *request, struct sql_run **out)
    MUST_USE;
void sql_run_resume(struct sql_run *r);
/* The sink hears of the end, as always, when what is under way has come back. */
void sql_run_cancel(struct sql_run *r);
