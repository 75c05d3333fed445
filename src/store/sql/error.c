/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sql_error_set(struct sql_error *e, const char *state, size_t at, const char *fmt, ...)
{
    va_list args;

    if (e->state[0] != '\0') {
        return;
    }
    snprintf(e->state, sizeof e->state, "%s", state);
    e->at = at;
    va_start(args, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, args);
    va_end(args);
}

void sql_error_of(struct sql_error *e, err cause)
{
    switch (cause.code) {
    case ERR_LIMIT:
        sql_error_set(e, "53200", SQL_NOWHERE, "a limit of the server or of the store: %s",
                      err_text());
        return;
    case ERR_AGAIN:
        sql_error_set(e, "53300", SQL_NOWHERE, "the store is busy, try again");
        return;
    case ERR_CORRUPT:
        sql_error_set(e, "XX001", SQL_NOWHERE, "stored data is damaged; the statement ends here");
        return;
    case ERR_CONFLICT:
        sql_error_set(e, "40001", SQL_NOWHERE, "too many concurrent changes, try again");
        return;
    case ERR_PROTO:
        sql_error_set(e, "XX000", SQL_NOWHERE, "the store refused a request");
        return;
    default:
        sql_error_set(e, "58030", SQL_NOWHERE, "the store cannot be reached or failed");
    }
}

unsigned sql_error_status(const char *state)
{
    static const struct {
        const char *prefix;
        unsigned status;
    } table[] = {
        { "23505", 409 }, { "40001", 409 }, { "42501", 403 }, { "28", 401 },    { "54", 413 },
        { "533", 429 },   { "532", 503 },   { "531", 503 },   { "57014", 504 }, { "58", 503 },
        { "57P", 503 },   { "XX", 500 },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0) {
            return table[i].status;
        }
    }
    return 400;
}
