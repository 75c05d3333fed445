/* SPDX-License-Identifier: Apache-2.0 */
/* One call of an HTTP client on a libcurl handle: shared by http_client.c, which drives many in a
 * loop, and http_call.c, which makes and reads them. Nobody else includes it. */
#pragma once

#include <curl/curl.h>

#include "lib/net/http_client.h"
#include "lib/net/loop_uv.h"

#define HTTP_ETAG_BYTES_MAX 128
#define HTTP_BEARER_BYTES_MAX 512
#define HTTP_CALL_HEADER_BYTES_MAX 4096 /* one line */

struct http_client {
    struct loop *loop;
    struct loop_child child; /* ends the calls when the loop is freed first */
    char *base_url, *certificate, *key, *ca;
    char *role_url; /* "https://kvs:8443" when the server has to prove a role, or NULL */
    struct curl_slist *address; /* then: where such URLs go */
    char *bearer; /* "Authorization: Bearer ...", wiped when freed; NULL = none */
    bool secure;
    size_t connections_max, requests_max, answer_bytes_max;
    uint64_t timeout_us;
    CURLM *multi;
    struct loop_timer timer;
    struct http_request *running, *spare;
    size_t running_count, spare_count;
    unsigned depth; /* of callbacks of the owner */
    bool freed;     /* by one of them */
    bool closing;   /* no further calls */
    struct http_request *blocking; /* for http_call, made at its first use */
};

struct http_request {
    struct http_client *client;
    struct http_request *next, *prev;
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    uint8_t *body;
    struct buf answer;
    bool too_large;
    char etag[HTTP_ETAG_BYTES_MAX];
    size_t etag_len;
    char error[CURL_ERROR_SIZE];
    http_done done;
    void *arg;
};

err http_curl_start(void) MUST_USE; /* once per process; checks that libcurl runs on OpenSSL */

err http_request_new(struct http_client *c, struct http_request **out) MUST_USE;
void http_request_free(struct http_request *r);
/* Everything of `call` is copied into it. */
err http_request_set(struct http_request *r, const struct http_call *call) MUST_USE;
/* What libcurl says at the end; fills `answer`, which borrows from r. */
err http_request_result(struct http_request *r, CURLcode code, struct http_answer *answer) MUST_USE;
void http_request_clear(struct http_request *r); /* keeps the handle for the next call */
