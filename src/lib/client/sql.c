/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/client/sql.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/json_read.h"
#include "lib/wire/json_write.h"

#define ANSWER_BYTES_MAX (64u << 20)
#define ANSWER_DEPTH_MAX 8
#define SQLSTATE_CHARS 5

struct sql_client {
    struct http_client *http;
};

err sql_client_new(struct loop *l, const struct http_client_options *options,
                   struct sql_client **out)
{
    struct sql_client *c = mem_take(sizeof *c);

    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for an SQL client");
    }
    err e = http_client_new(l, options, &c->http);
    if (e.code) {
        mem_give(c);
        return e;
    }
    *out = c;
    return OK;
}

void sql_client_free(struct sql_client *c)
{
    if (c != NULL) {
        http_client_free(c->http);
        mem_give(c);
    }
}

void sql_client_freep(struct sql_client **c)
{
    sql_client_free(*c);
}

static err body_of(struct bytes statement, struct bytes params_json, struct buf *out)
{
    struct json_writer w;

    TRY(buf_string(out, "{\"sql\":"));
    json_write_begin(&w, out);
    json_write_text(&w, statement);
    TRY(json_write_finish(&w));
    if (params_json.len > 0) {
        TRY(buf_string(out, ",\"params\":"));
        TRY(buf_append(out, params_json));
    }
    return buf_u8(out, '}');
}

static struct http_call call_of(const struct buf *body)
{
    return (struct http_call){ .method = "POST", .target = "/sql",
                               .content_type = "application/json", .body = buf_bytes(body) };
}

/* What a SQLSTATE and a status of HTTP mean to a caller. */
static enum err_code code_of(unsigned status, const char *sqlstate)
{
    if (strcmp(sqlstate, "23505") == 0) {
        return ERR_CONFLICT;
    }
    if (strcmp(sqlstate, "40001") == 0 || status == 429 || strncmp(sqlstate, "53", 2) == 0) {
        return ERR_LIMIT; /* nothing was written */
    }
    if (status == 401 || status == 403) {
        return ERR_AUTH;
    }
    bool failed = strncmp(sqlstate, "57", 2) == 0 || strncmp(sqlstate, "58", 2) == 0 ||
                  strncmp(sqlstate, "XX", 2) == 0;
    return failed || status >= 500 ? ERR_IO : ERR_PROTO;
}

/* The number at the end of "INSERT 0 2". */
static int64_t affected_of(const char *command)
{
    const char *last = command != NULL ? strrchr(command, ' ') : NULL;
    uint64_t n;

    if (last == NULL || decimal_parse(bytes_of_string(last + 1), INT64_MAX, &n).code) {
        return 0;
    }
    return (int64_t)n;
}

static const char *string_or(const json_t *object, const char *key, const char *other)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s != NULL ? s : other;
}

/* Gives the answer's document, also with a refusal, if there is one. */
static err answer_read(unsigned status, struct bytes body, json_t **out_doc, struct sql_answer *out)
{
    TRY(json_read(body, ANSWER_BYTES_MAX, ANSWER_DEPTH_MAX, out_doc));
    const json_t *doc = *out_doc;
    const json_t *error = json_object_get(doc, "error");
    if (error == NULL && status == 200) {
        out->columns = json_object_get(doc, "columns");
        out->rows = json_object_get(doc, "rows");
        out->affected = affected_of(json_string_value(json_object_get(doc, "command")));
        return OK;
    }
    const char *code = string_or(error, "code", "");
    out->sqlstate = strlen(code) == SQLSTATE_CHARS ? code : "";
    out->message = string_or(error, "message", "no reason given");
    err_set(__FILE__, __LINE__, "%s: %s", code, out->message);
    return (err){ code_of(status, out->sqlstate) };
}

static err answer_take(unsigned status, struct bytes body, json_t **out_doc, struct sql_answer *out)
{
    err e = answer_read(status, body, out_doc, out);

    /* An answer that is no JSON tells nothing of what became of the statement. */
    return *out_doc == NULL && status >= 500 ? (err){ ERR_IO } : e;
}

struct pending {
    sql_fn done;
    void *arg;
};

static void answered(void *arg, err e, const struct http_answer *answer)
{
    struct pending p = *(struct pending *)arg;
    struct sql_answer out = { .sqlstate = "", .message = "" };
    AUTO(json_freep) json_t *doc = NULL;

    mem_give(arg);
    if (!e.code) {
        e = answer_take(answer->status, answer->body, &doc, &out);
    }
    p.done(p.arg, e, &out);
}

err sql_send(struct sql_client *c, struct bytes statement, struct bytes params_json, sql_fn done,
             void *arg)
{
    AUTO(buf_done) struct buf body = { .max = SQL_BODY_BYTES_MAX };

    TRY(err_context(body_of(statement, params_json, &body), "statement"));
    struct pending *p = mem_take(sizeof *p);
    if (p == NULL) {
        FAIL(ERR_LIMIT, "no memory for a statement");
    }
    *p = (struct pending){ done, arg };
    struct http_call call = call_of(&body);
    err e = http_client_send(c->http, &call, answered, p);
    if (e.code) {
        mem_give(p);
    }
    return e;
}

err sql_wait(struct sql_client *c, struct bytes statement, struct bytes params_json, json_t **out)
{
    AUTO(buf_done) struct buf body = { .max = SQL_BODY_BYTES_MAX };
    AUTO(buf_done) struct buf answer = { .max = ANSWER_BYTES_MAX };
    AUTO(json_freep) json_t *doc = NULL;
    struct sql_answer ignored = { 0 };
    unsigned status;

    TRY(err_context(body_of(statement, params_json, &body), "statement"));
    struct http_call call = call_of(&body);
    TRY(http_call(c->http, &call, &status, &answer));
    TRY(answer_take(status, buf_bytes(&answer), &doc, &ignored));
    *out = TAKE(doc);
    return OK;
}
