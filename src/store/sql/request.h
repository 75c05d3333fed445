/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /sql:
 *
 *     {"sql":"SELECT .. $1","params":[12345],"types":["int8"],"max_rows":1000,"next":null,
 *      "int8":"number"}
 *
 * All but "sql" may be left out. "types" is accepted for the sake of clients that know them; a
 * parameter takes the type of the column it meets. */
#pragma once

#include "lib/wire/json_read.h"
#include "store/sql/parse.h"

#define REQUEST_DEPTH_MAX 8
#define REQUEST_ROWS_MAX 1000000

struct sql_body {
    json_t *doc; /* owned: everything below borrows from it */
    struct bytes text;
    struct literal *params; /* owned */
    size_t param_count;
    uint64_t rows_max; /* 0 = all */
    struct bytes next;
    bool int8_as_text;
};

/* Refusals are kept in `error`: 22023 names the field, 54000 the bound. */
err sql_body_read(struct bytes body, size_t bytes_max, struct sql_error *error,
                  struct sql_body *out) MUST_USE;
void sql_body_done(struct sql_body *b);
