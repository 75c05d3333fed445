/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the gateway. Everything but `done` of a request runs in the loop. */
#pragma once

#include "store/kvs/commit.h"
#include "store/kvs/gateway.h"
#include "store/kvs/gateway_metrics.h"
#include "store/kvs/read.h"
#include "store/kvs/refuse.h"
#include "store/kvs/token.h"

#define SPACE_BODY_BYTES_MAX 4096
#define BATCH_JSON_BYTES_MAX (1u << 20)
#define AUTH_BODY_BYTES_MAX 65536 /* read from somebody unknown before he is sent away */

struct gateway {
    struct loop *loop;
    struct engine *engine;
    struct committer *committer;
    struct readers *readers;
    struct http_server *server;
    struct tokens *tokens;
    const struct api_keys *keys;
    uint64_t body_octets, body_octets_max;

    pthread_mutex_t lock; /* of what is below: answers on their way back to the loop */
    struct ask *done_first, **done_last;
    bool posted;
    struct loop_task task;
};

/* One request of a client, from its first octet to its answer. */
struct ask {
    struct kv_request request; /* first: `done` gets back to the ask */
    struct gateway *gateway;
    struct http_exchange *exchange; /* NULL once the connection is gone */
    const struct api_grant *grant;
    enum verb verb;
    uint64_t started_us;
    struct ask *next;
    void (*answer)(struct ask *a); /* when the request came back with KV_OK */
    enum refusal refused;          /* known before the body was read */
    const char *refused_field;
    bool submitted;
    bool json;             /* the answer is to be JSON */
    struct buf body;       /* of the request, or bounds of a scan */
    size_t body_counted;   /* octets of it in gateway.body_octets */
    size_t body_forgotten; /* octets that came and are kept no more */
    bool match, none_match; /* a condition on a read: this rev, not this rev */
    uint64_t match_rev;
    char space[KVS_SPACE_CHARS_MAX + 1];
    size_t key_len;
    uint8_t key[KVS_KEY_BYTES_MAX];
};

/* --- gateway.c --- */

/* A new ask for an exchange; who asks is known, or the refusal is noted. NULL: no memory. */
struct ask *ask_new(struct gateway *g, struct http_exchange *x, enum verb verb);
/* The same where the body is there already; NULL: answered. */
struct ask *ask_begin(struct gateway *g, struct http_exchange *x, enum verb verb);
/* Notes a refusal, unless there is one; `field` may be NULL. */
void ask_refuse_later(struct ask *a, enum refusal r, const char *field);
/* Answers with the refusal and frees. */
void ask_refuse(struct ask *a, enum refusal r, const struct refusal_detail *detail);
/* Answers and frees. */
void ask_answer(struct ask *a, unsigned status, const char *type, struct bytes body);
/* To the committer or, with `run`, to the readers; `answer` is called when it is back. */
void ask_commit(struct ask *a, void (*answer)(struct ask *a));
void ask_read(struct ask *a, void (*run)(struct engine *e, struct kv_request *r),
              void (*answer)(struct ask *a));
/* Administration: `run` on the committer's thread. */
void ask_admin(struct ask *a, void (*run)(struct engine *e, struct kv_request *r),
               void (*answer)(struct ask *a));

/* Reads {space} and, where wanted, {key}; checks the scope; takes a reference on the space where
 * wanted. False: a refusal is noted. */
bool ask_space(struct ask *a, enum api_verb verb, bool with_key, bool with_reference);
bool ask_scope(struct ask *a, enum api_verb verb, struct bytes space, struct bytes key);

/* Pieces of a body, for routes that take one. */
err ask_body_piece(struct ask *a, struct bytes part, size_t body_max, enum refusal too_large);
void ask_body_forget(struct ask *a); /* gives its memory back */
/* If-Match and If-None-Match as an expectation of a write. */
void ask_conditions(struct ask *a);
void ask_etag(struct ask *a, uint64_t rev);
struct bytes ask_space_name(const struct ask *a);

/* --- handlers --- */

err put_piece(void *arg, struct http_exchange *x, struct bytes part, bool last);
void put_handle(void *arg, struct http_exchange *x);
void get_handle(void *arg, struct http_exchange *x);
void delete_handle(void *arg, struct http_exchange *x);
void scan_handle(void *arg, struct http_exchange *x);
void snapshot_delete_handle(void *arg, struct http_exchange *x);
err batch_piece(void *arg, struct http_exchange *x, struct bytes part, bool last);
void batch_handle(void *arg, struct http_exchange *x);
void space_put_handle(void *arg, struct http_exchange *x);
void space_get_handle(void *arg, struct http_exchange *x);
void space_delete_handle(void *arg, struct http_exchange *x);
void status_handle(void *arg, struct http_exchange *x);
