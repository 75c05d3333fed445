/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as JSON text (docs/protocol.md, "SQL over HTTPS"):
 *
 *     {"columns":[{"name":"ts","type":"int8"}],"rows":[[1],[2]],"command":"SELECT 2","next":null}
 *     {"error":{"code":"42P01","message":"..","position":15}}
 *
 * The text grows at the end of a buffer, from which its owner may take what is there at any time.
 */
#pragma once

#include "store/sql/engine.h"

#define ANSWER_COLUMNS_MAX (TABLE_COLUMNS_MAX * 4)
#define ANSWER_BYTES_MAX (32u << 20) /* not yet taken by the owner */

struct answer {
    struct buf out;
    bool int8_as_text; /* for clients whose numbers are doubles */
    bool has_columns;
    bool has_rows;
    size_t column_count;
    struct { /* what is needed of each column to print it */
        uint8_t type;
        bool text; /* a numeric that came as text */
        uint8_t scale;
    } columns[ANSWER_COLUMNS_MAX];
};

void answer_init(struct answer *a);
void answer_free(struct answer *a);
err answer_columns(struct answer *a, const struct table_column *columns, size_t count) MUST_USE;
err answer_row(struct answer *a, const struct sql_value *values) MUST_USE;
err answer_done(struct answer *a, const char *command, struct bytes next) MUST_USE;
/* Closes whatever is open. `text`: the statement, for the position as characters from 1. */
err answer_failed(struct answer *a, const struct sql_error *e, struct bytes text) MUST_USE;
