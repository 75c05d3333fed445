/* SPDX-License-Identifier: Apache-2.0 */
/* The dictionary as the engine last read it. Statements hold a view while they run; a newer
 * dictionary makes a new view beside it. */
#pragma once

#include "store/sql/engine.h"

#define CATALOG_TABLES_MAX 1000

struct catalog_view {
    unsigned holders;
    uint64_t version; /* of the dictionary; 0 = nothing was ever created */
    uint64_t rev;     /* of the version's key in the store; 0 = it is absent */
    size_t count;
    struct table_def *tables[CATALOG_TABLES_MAX];
    uint64_t revs[CATALOG_TABLES_MAX]; /* of the descriptors */
};

struct catalog_wait { /* lives in its owner until `done` is called */
    void (*done)(void *arg, err e);
    void *arg;
    struct catalog_wait *next;
};

struct catalog {
    const struct sql_store *store;
    struct catalog_view *view;    /* NULL = not read yet */
    struct catalog_view *loading; /* NULL = no load under way */
    bool busy;
    unsigned tries;
    uint64_t checked_us; /* when a load or a write last found `view` to be the newest */
    uint64_t asked_us;   /* when the load under way began */
    struct catalog_wait *served; /* by the load under way */
    struct catalog_wait *later;  /* came while it was under way: they need one more */
};

void catalog_init(struct catalog *c, const struct sql_store *store);
void catalog_done(struct catalog *c);

/* Makes sure that the view is not older than this call. */
void catalog_refresh(struct catalog *c, uint64_t now_us, struct catalog_wait *w);

struct catalog_view *catalog_hold(struct catalog *c); /* NULL = not read yet */
void catalog_release(struct catalog_view *v);         /* accepts NULL */

/* Index of a table that is not dropped; -1: none. */
int catalog_find(const struct catalog_view *v, const char *name);
