/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP calls to our own services, on libcurl: TLS 1.3, our CA only, no redirects, bounded answers.
 *
 * In a loop the answer comes as a callback and connections are kept; programs without a loop use
 * http_call. */
#pragma once

#include "lib/base/buf.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

struct http_client_options {
    const char *base_url;     /* "https://127.0.0.1:8443", no path */
    const char *server_role;  /* "kvs": the server's certificate must be valid for this role, whatever
                               * its address; NULL = it must be valid for the host of base_url */
    struct tls_files tls;     /* certificate and key may be NULL: then only ca is used */
    const char *bearer_file;  /* file with an API key, sent as Authorization: Bearer; NULL = none */
    size_t connections_max;   /* 0 = 8 */
    size_t requests_max;      /* under way or waiting; above it ERR_LIMIT; 0 = 256 */
    size_t answer_bytes_max;  /* larger answers fail with ERR_LIMIT; 0 = 64 MiB */
    uint64_t timeout_us;      /* whole call; 0 = 30 s */
};

struct http_call {
    const char *method;
    const char *target;       /* path and query, already escaped */
    const char *content_type; /* NULL without a body */
    struct bytes body;        /* copied */
    const char *headers[8];   /* further "Name: value" lines, NULL-terminated; copied */
};

struct http_answer {
    unsigned status;
    struct bytes body;        /* borrowed until return of the callback */
    struct bytes etag;        /* of the header, without quotes; empty when absent */
};

struct http_client;
/* `l` may be NULL: then only http_call works. */
err http_client_new(struct loop *l, const struct http_client_options *options,
                    struct http_client **out) MUST_USE;
void http_client_free(struct http_client *c); /* calls under way end with ERR_CLOSED first */
void http_client_freep(struct http_client **c);

/* `done` is called once, from the loop, never from inside this call. With `e` not OK there was no
 * answer (IO, LIMIT, AUTH); any status is OK here and is the caller's business. */
typedef void (*http_done)(void *arg, err e, const struct http_answer *answer);
err http_client_send(struct http_client *c, const struct http_call *call, http_done done, void *arg)
    MUST_USE;

/* Blocks. The body is appended to `out_body`. */
err http_call(struct http_client *c, const struct http_call *call, unsigned *out_status,
              struct buf *out_body) MUST_USE;

/* Percent-escapes everything but unreserved characters (RFC 3986 2.3). */
err http_escape(struct bytes text, struct buf *out) MUST_USE;
