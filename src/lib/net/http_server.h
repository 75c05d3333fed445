/* SPDX-License-Identifier: Apache-2.0 */
/* A small strict HTTP/1.1 server (RFC 9110, 9112): keep-alive, pipelining, bounded everything.
 * The rules and what they refuse: docs/style.md, "HTTP"; each is a test in http_head_test.c,
 * http_exchange_test.c or http_conn_test.c.
 *
 * Handlers run in the loop. A handler may answer at once or keep the exchange and answer later; the
 * exchange stays valid until it was answered or `gone` was called. */
#pragma once

#include "lib/base/arena.h"
#include "lib/net/stream.h"

#define HTTP_TARGET_BYTES_MAX 4096
#define HTTP_HEAD_BYTES_MAX 16384
#define HTTP_HEADER_COUNT_MAX 64
#define HTTP_PIPELINE_MAX 16
#define HTTP_BODY_DEFAULT_MAX (1u << 20)

struct http_exchange; /* one request and its answer */

struct http_route {
    const char *method;  /* "GET" also serves HEAD */
    const char *pattern; /* "/v1/kv/{space}/{key}"; {name} is one segment, {name*} the rest */
    size_t body_max;     /* octets; 0 = HTTP_BODY_DEFAULT_MAX; larger is 413 */
    void (*handle)(void *arg, struct http_exchange *x); /* head and whole body are there */
    /* Streaming routes set this instead of taking the whole body: called for each piece, and once
     * with an empty piece at the end (then `handle` follows). Called first with the first piece or
     * the end, so it may prepare then. An error answers 4xx/5xx by its code and closes; `gone` is
     * not called then, but it is when the rest of the body is malformed, late or lost. Answering
     * before the end gives up the rest of the body and closes. */
    err (*piece)(void *arg, struct http_exchange *x, struct bytes part, bool last);
};

struct http_server_options {
    struct stream_options stream; /* idle_us is replaced by the server's own deadlines */
    const struct http_route *routes; /* borrowed, ends with method NULL */
    void *arg;                       /* for all handlers */
    /* An exchange that was kept is gone: the connection ended before its answer. May be NULL. */
    void (*gone)(void *arg, struct http_exchange *x);
    uint64_t head_us, body_us, idle_us; /* absolute deadlines; 0 = 10 s, 60 s, 60 s */
};

struct http_server;
err http_server_start(struct loop *l, const char *address,
                      const struct http_server_options *options, struct http_server **out) MUST_USE;
unsigned http_server_port(const struct http_server *s);
/* No new connections; requests under way are answered, then connections close; `done` is called
 * when the last is gone. */
void http_server_stop(struct http_server *s, void (*done)(void *arg), void *arg);
void http_server_free(struct http_server *s);

struct http_counters { /* for /metrics */
    uint64_t connections, requests, refused, open;
    uint64_t by_class[6]; /* answers 1xx .. 5xx at [1] .. [5] */
};
void http_server_counters(const struct http_server *s, struct http_counters *out);

/* The request. Everything borrowed lives as long as the exchange. */
const char *http_method(const struct http_exchange *x);
struct bytes http_path(const struct http_exchange *x);  /* as sent, percent escapes kept */
struct bytes http_query(const struct http_exchange *x); /* behind "?", may be empty */
/* A {name} of the pattern, percent-decoded; ERR_PROTO for a bad escape. Any octet may come out. */
err http_path_part(struct http_exchange *x, const char *name, struct bytes *out) MUST_USE;
/* name=value of the query, decoded; ERR_MISSING when absent, ERR_PROTO when twice or bad. */
err http_query_part(struct http_exchange *x, const char *name, struct bytes *out) MUST_USE;
bool http_header(const struct http_exchange *x, const char *name, struct bytes *out);
struct bytes http_body(const struct http_exchange *x);
const char *http_peer(const struct http_exchange *x); /* role of the client certificate, or "" */
struct arena *http_arena(struct http_exchange *x);    /* zeroed when the exchange ends */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);

/* The answer. A header with a bad name or value is an assertion: ours are constants or numbers. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
void http_answer(struct http_exchange *x, unsigned status, const char *content_type,
                 struct bytes body); /* copies */
/* {"error":{"code","message"}} with a status by the code of e; the text is err_text(). */
void http_answer_error(struct http_exchange *x, err e);
unsigned http_status_of(err e);

/* A streamed answer (chunked). ERR_LIMIT from a piece: wait for `ready`, nothing was taken. */
err http_answer_begin(struct http_exchange *x, unsigned status, const char *content_type,
                      void (*ready)(void *user), void *user) MUST_USE;
err http_answer_piece(struct http_exchange *x, struct bytes piece) MUST_USE;
void http_answer_end(struct http_exchange *x);
