/* SPDX-License-Identifier: Apache-2.0 */
/* SQL statements over HTTPS `/sql` with JSON (docs/protocol.md, "SQL over HTTPS"). One statement a
 * call; parameters are $1, $2 ... */
#pragma once

#include <jansson.h>

#include "lib/net/http_client.h"

#define SQL_BODY_BYTES_MAX (4u << 20)

struct sql_client;
err sql_client_new(struct loop *l, const struct http_client_options *options,
                   struct sql_client **out) MUST_USE;
void sql_client_free(struct sql_client *c);
void sql_client_freep(struct sql_client **c);

struct sql_answer {
    const json_t *columns; /* [{"name","type"}]; borrowed until return; NULL on failure */
    const json_t *rows;    /* arrays; borrowed */
    int64_t affected;      /* n of "INSERT 0 n", "SELECT n" */
    const char *sqlstate;  /* "" or five characters */
    const char *message;   /* of a refusal */
};
/* `e`: OK; ERR_CONFLICT for 23505; ERR_PROTO for other refusals of the statement (see sqlstate);
 * ERR_LIMIT when the server asks to wait; ERR_IO, ERR_CLOSED when the outcome is unknown. */
typedef void (*sql_fn)(void *arg, err e, const struct sql_answer *answer);

/* `params_json` is a JSON array as text, or empty. Both are copied. */
err sql_send(struct sql_client *c, struct bytes statement, struct bytes params_json, sql_fn done,
             void *arg) MUST_USE;
/* Blocks; the whole answer as JSON, to be freed with json_decref. */
err sql_wait(struct sql_client *c, struct bytes statement, struct bytes params_json, json_t **out)
    MUST_USE;
