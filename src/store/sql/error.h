/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of a statement: a SQLSTATE, where in the text, and words for the person who wrote it.
 *
 * The words may quote the statement, so they go to the client alone and never to a log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define SQL_MESSAGE_BYTES 384
#define SQL_NOWHERE SIZE_MAX /* the refusal belongs to no place in the text */

struct sql_error {
    char state[6]; /* "" = none */
    size_t at;     /* octet of the statement, or SQL_NOWHERE */
    char message[SQL_MESSAGE_BYTES];
    uint32_t table_id; /* for logs: the table that was meant, 0 = unknown */
};

/* Keeps the refusal, the first one wins, and returns ERR_PROTO. */
#define SQL_FAIL(error, state, at, ...)                                                            \
    do {                                                                                           \
        sql_error_set(error, state, at, __VA_ARGS__);                                              \
        return (err){ ERR_PROTO };                                                                 \
    } while (0)

void sql_error_set(struct sql_error *e, const char *state, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* An error of the store or of memory, where no refusal was kept yet. */
void sql_error_of(struct sql_error *e, err cause);

/* HTTP status of a SQLSTATE (docs/protocol.md, "SQL over HTTPS"). */
unsigned sql_error_status(const char *state);
