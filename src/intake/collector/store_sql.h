/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's store as plain SQL over HTTPS. Statements are idempotent: a batch whose outcome
 * is not known is written again, and what is there already is read back and compared. */
#pragma once

#include "intake/collector/collector.h"
#include "lib/client/sql.h"

/* Where statements go: sql_send in production, a fake in tests. */
struct sql_port {
    void *self;
    err (*send)(void *self, struct bytes statement, sql_fn done, void *arg);
    /* store_sql_later is to be called soon, from outside. */
    void (*soon)(void *self);
    uint64_t (*now_us)(void *self);
};

struct store_sql;
err store_sql_new(const struct sql_port *port, struct store_sql **out) MUST_USE; /* copies port */
void store_sql_free(struct store_sql *s); /* no statement may be under way any more */
const struct collector_store *store_sql_store(const struct store_sql *s);
/* Answers go to this core from now on; NULL: to nobody. */
void store_sql_attach(struct store_sql *s, struct collector *c);
void store_sql_later(struct store_sql *s);

/* CREATE TABLE IF NOT EXISTS for all tables of the metering side; `done` once, from outside. */
void store_sql_create_tables(struct store_sql *s, void (*done)(void *arg, err e), void *arg);
