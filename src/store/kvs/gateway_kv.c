/* SPDX-License-Identifier: Apache-2.0 */
/* PUT, GET, HEAD and DELETE of /v1/kv/{space}/{key}. */
#include "store/kvs/gateway_impl.h"

/* --- put and delete --- */

static void ttl_read(struct ask *a)
{
    struct bytes text;

    if (http_header(a->exchange, "x-ttl", &text) &&
        (decimal_parse(text, KVS_TTL_S_MAX, &a->request.op.ttl_s).code ||
         a->request.op.ttl_s == 0)) {
        ask_refuse_later(a, REFUSE_FIELD, "X-Ttl");
    }
}

/* Where the thing in the way may be known, it is told. */
static void precondition_answer(struct ask *a)
{
    struct bytes key = a->request.op.key;

    if (a->request.rev > 0 && api_grant_covers(a->grant, API_READ, ask_space_name(a), key)) {
        ask_etag(a, a->request.rev);
    }
    ask_refuse(a, REFUSE_PRECONDITION, NULL);
}

static void written(struct ask *a)
{
    if (a->request.status == KV_PRECONDITION) {
        precondition_answer(a);
        return;
    }
    ask_etag(a, a->request.rev);
    ask_answer(a, 204, NULL, (struct bytes){ 0 });
}

err put_piece(void *arg, struct http_exchange *x, struct bytes part, bool last)
{
    struct ask *a = http_user(x);

    (void)last;
    if (a == NULL) {
        a = ask_new(arg, x, VERB_PUT);
        if (a == NULL) {
            FAIL(ERR_LIMIT, "memory is full");
        }
        a->request.op.type = KVS_PUT;
        if (ask_space(a, API_WRITE, true, true)) {
            ask_conditions(a);
            ttl_read(a);
        }
    }
    return ask_body_piece(a, part, KVS_VALUE_BYTES_MAX, REFUSE_VALUE_LARGE);
}

/* The body is in the object now: it need not wait for the commit. */
static void object_written(struct ask *a)
{
    ask_body_forget(a);
    a->request.octets = a->key_len;
    ask_commit(a, written);
}

/* A value that expires is no object while it fits a commit, so that compaction can drop it. */
static bool wants_object(const struct ask *a)
{
    const struct kv_request *r = &a->request;
    bool expires = r->op.ttl_s > 0 || r->spaces[0]->settings.ttl_s > 0;

    return a->body.len >= (expires ? KVS_BATCH_BYTES_MAX : OBJECT_BYTES_MIN);
}

void put_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = http_user(x);

    (void)arg;
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    a->request.op.value = buf_bytes(&a->body);
    a->request.octets = a->key_len + a->body.len;
    if (wants_object(a)) {
        ask_read(a, run_object_write, object_written);
    } else {
        ask_commit(a, written);
    }
}

void delete_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_DELETE);

    if (a == NULL) {
        return;
    }
    a->request.op.type = KVS_DELETE;
    if (ask_space(a, API_DELETE, true, true)) {
        ask_conditions(a);
    }
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    ask_commit(a, written);
}

/* --- get --- */

static bool found_differs(const struct ask *a)
{
    return a->match && a->match_rev != a->request.rev;
}

static void found_answer(struct ask *a)
{
    if (found_differs(a)) {
        precondition_answer(a);
        return;
    }
    ask_etag(a, a->request.rev);
    if (a->none_match && a->match_rev == a->request.rev) {
        ask_answer(a, 304, NULL, (struct bytes){ 0 });
        return;
    }
    ask_answer(a, 200, "application/octet-stream", a->request.found.record.value);
}

/* On a read both conditions name a rev. */
static void read_conditions(struct ask *a)
{
    struct bytes none;

    if (http_header(a->exchange, "if-none-match", &none) &&
        !http_header(a->exchange, "if-match", &none)) {
        a->none_match = true;
        if (none.len < 3 || none.ptr[0] != '"' || none.ptr[none.len - 1] != '"' ||
            decimal_parse((struct bytes){ none.ptr + 1, none.len - 2 }, UINT64_MAX, &a->match_rev)
                .code) {
            ask_refuse_later(a, REFUSE_FIELD, "If-None-Match");
        }
        return;
    }
    ask_conditions(a);
    a->match = a->request.op.expect == KVS_REV;
    a->match_rev = a->request.op.rev;
}

/* What is in memory is answered at once; only what may wait for a disk goes to a thread. */
static void get_now(struct ask *a)
{
    struct kv_request *r = &a->request;
    err e = engine_get(a->gateway->engine, r->spaces[0], r->op.key, ENGINE_CACHED, NULL, &r->found);

    if (e.code == ERR_AGAIN) {
        ask_read(a, read_get, found_answer);
    } else if (e.code) {
        ask_refuse(a, refusal_of(kv_status_of(e)), NULL);
    } else {
        r->rev = r->found.record.rev;
        found_answer(a);
    }
}

void get_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_GET);

    if (a == NULL) {
        return;
    }
    a->request.op.type = KVS_GET;
    if (ask_space(a, API_READ, true, true)) {
        read_conditions(a);
    }
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    get_now(a);
}
