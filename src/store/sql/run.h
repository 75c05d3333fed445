/* SPDX-License-Identifier: Apache-2.0 */
/* A statement under way: what its kinds share. Inside the engine only. */
#pragma once

#include "lib/wire/row.h"
#include "store/sql/aggregate.h"
#include "store/sql/catalog.h"
#include "store/sql/decode.h"
#include "store/sql/next.h"
#include "store/sql/scan.h"

#define RUN_ATTEMPTS_MAX 16 /* sendings of one statement that met concurrent changes */
#define RUN_ARENA_BYTES_MAX (64u << 20)
#define RUN_COMMAND_BYTES 48

struct staged_row { /* a row of an INSERT or UPDATE in front of the store */
    size_t key_at, key_bytes; /* in keys */
    size_t value_at, value_bytes;
    uint64_t rev;   /* of what is there already */
    bool present;   /* something is there already */
    bool dropped;   /* DO NOTHING: not to be written */
};

struct staging {
    struct buf keys;
    struct buf values;
    struct buf rows; /* struct staged_row, one after the other */
    size_t count;
    size_t octets; /* of the batch they make */
};

struct insert_state {
    struct staging staged;
    struct staging merged;    /* DO UPDATE: what is written instead */
    uint16_t targets[TABLE_COLUMNS_MAX];
    size_t target_count;
    size_t asked;             /* rows a look has asked for */
};

struct change_state {
    struct scan scan;
    struct plan plan;
    struct decoder decoder;
    struct staging staged;
    struct sql_value *sets; /* by place in the statement */
};

struct select_state {
    struct scan scan;
    struct plan plan;
    struct decoder decoder;
    struct table_column *columns; /* of the answer */
    uint16_t *sources;            /* column index of each, where it is no aggregate */
    struct aggregate *aggregates; /* one each; kind ITEM_COLUMN: none */
    struct sql_value *row;
    size_t column_count;
    bool aggregated;
    bool in_group;
    uint16_t group_keys;   /* leading key columns that make a group */
    struct buf group;      /* key octets of the group at hand */
    struct sql_value *group_values;
    struct buf group_octets; /* texts of the group's columns */
    uint64_t limit, offset, skipped, emitted, emitted_before;
    struct buf next; /* token of the answer */
    bool paused;
};

struct ddl_state {
    struct table_def *table;
    struct catalog_wait wait;
};

struct sql_run {
    struct sql_engine *engine;
    struct sql_request request;
    struct arena arena;
    struct sql_error error;
    struct parser parser;
    struct statement statement;
    struct value_context values;
    struct catalog_view *view;      /* held */
    struct catalog_wait wait;
    const struct table_def *table;  /* of the view */
    uint64_t table_rev;
    bool refreshed;  /* the view is not older than the statement */
    bool cancelled;
    bool *ended;     /* told when the run is gone; NULL = nobody wants to know */
    unsigned attempts;
    uint64_t deadline_us;
    struct insert_state insert;
    struct change_state change;
    struct select_state select;
    struct ddl_state ddl;
    struct sql_run *before, *after; /* of those under way */
};

struct purge {
    struct sql_engine *engine;
    bool busy;
    uint32_t table_id;
    uint64_t table_rev;
    struct catalog_view *view;
    struct catalog_wait wait;
};

struct sql_engine {
    struct sql_engine_options options;
    struct catalog catalog;
    struct next_sealer *sealer;
    struct sql_run *first;
    size_t under_way;
    struct purge purge;
    struct catalog_wait open_wait;
    void (*opened)(void *arg, err e);
    void *opened_arg;
};

/* Ends the run: the sink hears of it, everything is freed. */
void run_done(struct sql_run *r, const char *format, uint64_t count);
void run_done_next(struct sql_run *r, const char *format, uint64_t count, struct bytes next);
void run_fail(struct sql_run *r, err e); /* the refusal kept in r->error, or what `e` means */

/* Parses and binds anew, after the dictionary was read again; 40001 after too many attempts. */
void run_again(struct sql_run *r);
/* Whether the run may go on: cancelled and late ones end with 57014. */
err run_check(struct sql_run *r) MUST_USE;
uint64_t run_now_us(const struct sql_run *r);
err run_batch(struct sql_run *r, const struct kvs_op *ops, uint32_t count,
              kvs_batch_fn done) MUST_USE;
/* The first operation of every batch that writes: the dictionary is the one of r->view. */
err run_check_op(struct sql_run *r, struct kvs_op *out) MUST_USE;
bool run_allows(const struct sql_run *r, enum sql_right right, const char *table);

/* Reads the failed conditions of a batch. *dictionary: the dictionary has changed. *complete: the
 * list names all that failed. */
struct run_failures {
    bool dictionary;
    bool complete;
    uint32_t count;
    uint32_t ops[KVS_FAILURES_MAX];
};
void run_failures(const struct kvs_batch_answer *answer, struct run_failures *out);

/* Each kind of statement, after parsing and with r->view set. An error refuses the statement. */
err run_create(struct sql_run *r) MUST_USE;
err run_drop(struct sql_run *r) MUST_USE;
err run_show(struct sql_run *r) MUST_USE;
err run_insert(struct sql_run *r) MUST_USE;
err run_select(struct sql_run *r) MUST_USE;
err run_change(struct sql_run *r) MUST_USE;
void run_insert_clear(struct sql_run *r);
void run_select_clear(struct sql_run *r);
void run_select_resume(struct sql_run *r);
void run_change_clear(struct sql_run *r);

/* Rows in front of a batch. */
void staging_clear(struct staging *s);
err staging_add(struct sql_run *r, struct staging *s, struct bytes key, struct bytes value,
                uint64_t rev, bool present) MUST_USE;
struct staged_row *staging_row(const struct staging *s, size_t i);
struct bytes staging_key(const struct staging *s, size_t i);
struct bytes staging_value(const struct staging *s, size_t i);

/* Deletes what dropped tables left, one table after the other. */
void purge_go(struct sql_engine *e);
