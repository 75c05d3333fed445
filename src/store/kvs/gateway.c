/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "store/kvs/gateway_impl.h"

#define READERS_DEFAULT 4
#define CONNECTIONS_DEFAULT 1024
#define BODY_OCTETS_DEFAULT (UINT64_C(256) << 20)

/* For the server: the gateway itself refuses what is too long, in its own words, unread. */
#define BODY_ANY ((size_t)1 << 40)

static const struct http_route routes[] = {
    { "PUT", "/v1/kv/{space}/{key*}", BODY_ANY, put_handle, put_piece },
    { "GET", "/v1/kv/{space}/{key*}", 1, get_handle, NULL },
    { "DELETE", "/v1/kv/{space}/{key*}", 1, delete_handle, NULL },
    { "GET", "/v1/kv/{space}", 1, scan_handle, NULL },
    { "DELETE", "/v1/snapshots/{snapshot}", 1, snapshot_delete_handle, NULL },
    { "POST", "/v1/batch", BODY_ANY, batch_handle, batch_piece },
    { "PUT", "/v1/spaces/{space}", SPACE_BODY_BYTES_MAX, space_put_handle, NULL },
    { "GET", "/v1/spaces/{space}", 1, space_get_handle, NULL },
    { "DELETE", "/v1/spaces/{space}", 1, space_delete_handle, NULL },
    { "GET", "/v1/admin/status", 1, status_handle, NULL },
    { NULL, NULL, 0, NULL, NULL },
};

/* --- one request --- */

static bool authenticated(struct gateway *g, struct http_exchange *x,
                          const struct api_grant **out)
{
    struct bytes header;

    return http_header(x, "authorization", &header) &&
           !api_keys_check(g->keys, header, (int64_t)engine_utc_s(g->engine), out).code;
}

struct ask *ask_new(struct gateway *g, struct http_exchange *x, enum verb verb)
{
    struct ask *a = mem_take(sizeof *a);

    if (a == NULL) {
        return NULL;
    }
    a->gateway = g;
    a->exchange = x;
    a->verb = verb;
    a->started_us = time_monotonic_us();
    a->request.op_count = 1;
    http_set_user(x, a);
    if (!authenticated(g, x, &a->grant)) {
        ask_refuse_later(a, REFUSE_AUTH, NULL);
    }
    return a;
}

struct ask *ask_begin(struct gateway *g, struct http_exchange *x, enum verb verb)
{
    struct ask *a = ask_new(g, x, verb);

    if (a == NULL) {
        count_refusal(REFUSE_MEMORY);
        refuse(x, REFUSE_MEMORY, NULL);
    }
    return a;
}

static void ask_free(struct ask *a)
{
    if (a->exchange != NULL) {
        http_set_user(a->exchange, NULL);
    }
    kv_request_release(a->gateway->engine, &a->request);
    a->gateway->body_octets -= a->body_counted;
    buf_done(&a->request.answer);
    buf_done(&a->body);
    mem_give(a);
}

void ask_refuse_later(struct ask *a, enum refusal r, const char *field)
{
    if (a->refused == REFUSE_NOTHING) {
        a->refused = r;
        a->refused_field = field;
    }
}

static void ask_counted(const struct ask *a, size_t octets_out)
{
    count_request(a->verb, time_monotonic_us() - a->started_us,
                  a->body.len + a->body_forgotten, octets_out);
}

void ask_answer(struct ask *a, unsigned status, const char *type, struct bytes body)
{
    struct http_exchange *x = a->exchange;

    ask_counted(a, body.len);
    http_set_user(x, NULL);
    http_answer(x, status, type, body);
    a->exchange = NULL;
    ask_free(a);
}

void ask_refuse(struct ask *a, enum refusal r, const struct refusal_detail *detail)
{
    const struct refusal_detail field = { .field = a->refused_field };
    struct http_exchange *x = a->exchange;

    ask_counted(a, 0);
    count_refusal(r);
    http_set_user(x, NULL);
    refuse(x, r, detail != NULL ? detail : &field);
    a->exchange = NULL;
    ask_free(a);
}

struct bytes ask_space_name(const struct ask *a)
{
    return bytes_of_string(a->space);
}

bool ask_scope(struct ask *a, enum api_verb verb, struct bytes space, struct bytes key)
{
    if (a->refused == REFUSE_NOTHING && !api_grant_covers(a->grant, verb, space, key)) {
        ask_refuse_later(a, REFUSE_SCOPE, NULL);
    }
    return a->refused == REFUSE_NOTHING;
}

static void key_read(struct ask *a)
{
    struct bytes key;

    if (http_path_part(a->exchange, "key", &key).code || key.len == 0 || key.len > sizeof a->key) {
        ask_refuse_later(a, REFUSE_KEY, "key");
        return;
    }
    memcpy(a->key, key.ptr, key.len);
    a->key_len = key.len;
    a->request.op.key = (struct bytes){ a->key, key.len };
    a->request.octets += key.len;
}

/* A name that could not be a space is treated as one that is not there. */
static struct bytes space_read(struct ask *a)
{
    struct bytes name = { 0 };

    if (http_path_part(a->exchange, "space", &name).code || !kvs_space_name_valid(name)) {
        return (struct bytes){ 0 };
    }
    memcpy(a->space, name.ptr, name.len);
    return name;
}

bool ask_space(struct ask *a, enum api_verb verb, bool with_key, bool with_reference)
{
    struct bytes name = space_read(a);

    if (a->refused != REFUSE_NOTHING) {
        return false;
    }
    if (with_key) {
        key_read(a);
    }
    if (!ask_scope(a, verb, name, (struct bytes){ a->key, a->key_len })) {
        return false;
    }
    if (with_reference) {
        a->request.spaces[0] = engine_space(a->gateway->engine, name);
        if (a->request.spaces[0] == NULL) {
            ask_refuse_later(a, REFUSE_NO_SPACE, NULL);
            return false;
        }
        a->request.space_count = 1;
    }
    return true;
}

/* --- bodies --- */

/* Room for the whole body at once where its length is told. */
static void body_prepare(struct ask *a, size_t body_max, enum refusal too_large)
{
    struct gateway *g = a->gateway;
    struct bytes text;
    uint64_t len = 0;

    a->body.max = body_max > 0 ? body_max : 1;
    if (http_header(a->exchange, "content-length", &text)) {
        if (decimal_parse(text, body_max, &len).code) {
            ask_refuse_later(a, too_large, NULL);
        }
    } else if (http_header(a->exchange, "transfer-encoding", &text)) {
        len = 0;
    } else {
        ask_refuse_later(a, REFUSE_LENGTH, NULL);
    }
    if (a->refused == REFUSE_NOTHING && g->body_octets + len > g->body_octets_max) {
        ask_refuse_later(a, REFUSE_BODIES, NULL);
    }
    if (a->refused == REFUSE_NOTHING && buf_reserve(&a->body, len).code) {
        ask_refuse_later(a, REFUSE_MEMORY, NULL);
    }
}

static void body_count(struct ask *a)
{
    struct gateway *g = a->gateway;

    g->body_octets += a->body.cap - a->body_counted;
    a->body_counted = a->body.cap;
    if (g->body_octets > g->body_octets_max) {
        ask_refuse_later(a, REFUSE_BODIES, NULL);
    }
}

/* Answers in the middle of the body; the server then closes the connection. */
static err send_away(struct ask *a, enum refusal r)
{
    ask_refuse(a, r, NULL);
    FAIL(ERR_CLOSED, "the rest of the body is not read");
}

static void body_add(struct ask *a, struct bytes part, size_t body_max, enum refusal too_large)
{
    if (part.len > body_max - a->body.len) {
        ask_refuse_later(a, too_large, NULL);
    } else if (buf_append(&a->body, part).code) {
        ask_refuse_later(a, REFUSE_MEMORY, NULL);
    }
    body_count(a);
}

void ask_body_forget(struct ask *a)
{
    a->body_forgotten += a->body.len;
    buf_done(&a->body);
    a->gateway->body_octets -= a->body_counted;
    a->body_counted = 0;
}

/* A refused body is read to its end, so that the answer is heard and the connection goes on; but
 * what is too long is not read, and nobody unknown may send much. */
err ask_body_piece(struct ask *a, struct bytes part, size_t body_max, enum refusal too_large)
{
    if (a->body.max == 0) {
        body_prepare(a, body_max, too_large);
    }
    if (a->refused == REFUSE_NOTHING) {
        body_add(a, part, body_max, too_large);
    }
    if (a->refused == REFUSE_NOTHING) {
        return OK;
    }
    ask_body_forget(a);
    a->request.octets += part.len;
    if (a->refused == too_large ||
        (a->refused == REFUSE_AUTH && a->request.octets > AUTH_BODY_BYTES_MAX) ||
        a->request.octets > body_max) {
        return send_away(a, a->refused);
    }
    return OK;
}

/* --- conditions --- */

/* "\"17\"": a rev, written by us. */
static bool etag_read(struct bytes text, uint64_t *out)
{
    if (text.len < 3 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"') {
        return false;
    }
    return !decimal_parse((struct bytes){ text.ptr + 1, text.len - 2 }, UINT64_MAX, out).code;
}

void ask_conditions(struct ask *a)
{
    struct kvs_op *op = &a->request.op;
    struct bytes match;
    struct bytes none;
    bool has_match = http_header(a->exchange, "if-match", &match);
    bool has_none = http_header(a->exchange, "if-none-match", &none);

    if (has_match && has_none) {
        ask_refuse_later(a, REFUSE_FIELD, "If-Match and If-None-Match together");
    } else if (has_match) {
        op->expect = KVS_REV;
        if (!etag_read(match, &op->rev)) {
            ask_refuse_later(a, REFUSE_FIELD, "If-Match");
        }
    } else if (has_none) {
        op->expect = KVS_ABSENT;
        if (!bytes_equal(none, BYTES_LIT("*"))) {
            ask_refuse_later(a, REFUSE_FIELD, "If-None-Match");
        }
    }
}

void ask_etag(struct ask *a, uint64_t rev)
{
    char text[24];

    snprintf(text, sizeof text, "\"%llu\"", (unsigned long long)rev);
    http_add_header(a->exchange, "ETag", text);
}

/* --- to the threads and back --- */

static void ask_finish(struct ask *a)
{
    const struct refusal_detail op = { .has_op = true, .op = a->request.bad_op, .field = "ops",
                                       .message = "an operation names a key a second time" };

    if (a->exchange == NULL) {
        ask_free(a);
    } else if (a->request.status == KV_OK || a->request.status == KV_PRECONDITION) {
        a->answer(a);
    } else {
        ask_refuse(a, refusal_of(a->request.status),
                   a->request.status == KV_TWICE ? &op : NULL);
    }
}

static void answers_take(void *arg)
{
    struct gateway *g = arg;

    pthread_mutex_lock(&g->lock);
    struct ask *list = g->done_first;
    g->done_first = NULL;
    g->done_last = &g->done_first;
    g->posted = false;
    pthread_mutex_unlock(&g->lock);
    while (list != NULL) {
        struct ask *next = list->next;
        ask_finish(list);
        list = next;
    }
    if (g->committer != NULL) {
        struct committer_counters c;
        committer_counters(g->committer, &c);
        count_commits(c.groups, c.requests);
    }
}

static void request_done(struct kv_request *r)
{
    struct ask *a = (struct ask *)r;
    struct gateway *g = a->gateway;

    a->next = NULL;
    pthread_mutex_lock(&g->lock);
    *g->done_last = a;
    g->done_last = &a->next;
    bool post = !g->posted;
    g->posted = true;
    pthread_mutex_unlock(&g->lock);
    if (post) {
        loop_post(g->loop, &g->task);
    }
}

static void ask_submitted(struct ask *a, err e)
{
    if (!e.code) {
        return;
    }
    a->submitted = false;
    ask_refuse(a, e.code == ERR_LIMIT ? REFUSE_QUEUE : REFUSE_NO_OWNER, NULL);
}

static void ask_prepare(struct ask *a, void (*run)(struct engine *e, struct kv_request *r),
                        void (*answer)(struct ask *a))
{
    a->answer = answer;
    a->submitted = true;
    a->request.run = run;
    a->request.done = request_done;
}

void ask_commit(struct ask *a, void (*answer)(struct ask *a))
{
    ask_prepare(a, NULL, answer);
    ask_submitted(a, committer_submit(a->gateway->committer, &a->request));
}

void ask_admin(struct ask *a, void (*run)(struct engine *e, struct kv_request *r),
               void (*answer)(struct ask *a))
{
    ask_prepare(a, run, answer);
    ask_submitted(a, committer_submit(a->gateway->committer, &a->request));
}

void ask_read(struct ask *a, void (*run)(struct engine *e, struct kv_request *r),
              void (*answer)(struct ask *a))
{
    ask_prepare(a, run, answer);
    ask_submitted(a, readers_submit(a->gateway->readers, &a->request));
}

static void exchange_gone(void *arg, struct http_exchange *x)
{
    struct ask *a = http_user(x);

    (void)arg;
    if (a == NULL) {
        return;
    }
    a->exchange = NULL;
    if (!a->submitted) {
        ask_free(a);
    }
}

/* --- start and stop --- */

static err server_start(struct gateway *g, const struct gateway_options *o)
{
    const struct http_server_options options = {
        .stream = { .tls = o->tls,
                    .peer_optional = true,
                    .count_max = o->connections_max > 0 ? o->connections_max
                                                        : CONNECTIONS_DEFAULT },
        .routes = routes,
        .arg = g,
        .gone = exchange_gone,
    };

    return http_server_start(g->loop, o->listen, &options, &g->server);
}

static err gateway_make(struct gateway *g, const struct gateway_options *o)
{
    TRY(tokens_new(&g->tokens));
    TRY(committer_start(g->engine, o->failed, o->arg, &g->committer));
    TRY(readers_start(g->engine, o->reader_count > 0 ? o->reader_count : READERS_DEFAULT,
                      &g->readers));
    return server_start(g, o);
}

err gateway_start(struct loop *l, struct engine *e, const struct gateway_options *options,
                  struct gateway **out)
{
    struct gateway *g = mem_take(sizeof *g);

    if (g == NULL) {
        FAIL(ERR_LIMIT, "no memory for the gateway");
    }
    gateway_metrics_register();
    g->loop = l;
    g->engine = e;
    g->keys = options->keys;
    g->body_octets_max = options->body_octets_max > 0 ? options->body_octets_max
                                                      : BODY_OCTETS_DEFAULT;
    g->done_last = &g->done_first;
    g->task = (struct loop_task){ .run = answers_take, .arg = g };
    pthread_mutex_init(&g->lock, NULL);
    err result = gateway_make(g, options);
    if (result.code) {
        gateway_free(g);
        return result;
    }
    *out = g;
    return OK;
}

unsigned gateway_port(const struct gateway *g)
{
    return http_server_port(g->server);
}

void gateway_stop(struct gateway *g, void (*done)(void *arg), void *arg)
{
    http_server_stop(g->server, done, arg);
}

/* The threads finish what they have; the server goes first, so that nobody is left to answer. */
void gateway_free(struct gateway *g)
{
    if (g == NULL) {
        return;
    }
    http_server_free(g->server);
    readers_stop(g->readers);
    committer_stop(g->committer);
    g->committer = NULL;
    answers_take(g);
    tokens_free(g->tokens);
    pthread_mutex_destroy(&g->lock);
    mem_give(g);
}
