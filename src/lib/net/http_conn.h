/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP connection of a server, without a socket: octets and time in, octets and wishes out.
 * http_server.c drives it with streams, tests and the fuzz target drive it directly.
 *
 * Callbacks of the owner of the routes are called from http_conn_octets, _continue, _tick and _end
 * only, never from inside an answer. */
#pragma once

#include "lib/base/buf.h"
#include "lib/net/http_chunk.h"
#include "lib/net/http_head.h"
#include "lib/net/http_route.h"
#include "lib/net/http_server.h"

#define HTTP_REQUESTS_MAX 10000 /* on one connection */
#define HTTP_ANSWER_BYTES_MAX (128u << 20)
#define HTTP_ARENA_BYTES_MAX (1u << 20)
#define HTTP_ADDED_BYTES_MAX 8192                 /* of headers by the handler */
#define HTTP_UNSENT_MAX (STREAM_WRITE_MAX / 2)    /* above it no new request, no further piece */
#define HTTP_SPARE_COUNT_MAX 64                   /* exchanges kept for the next requests */

/* What a connection asks of the world. Nothing of it calls back at once. */
struct http_conn_host {
    void *self;
    err (*write)(void *self, struct bytes octets, size_t *taken); /* as stream_write_some */
    size_t (*queued)(void *self);      /* octets not yet sent */
    void (*hold)(void *self, bool on); /* stops and resumes the octets */
    void (*again)(void *self);         /* http_conn_continue, soon */
    void (*close)(void *self);         /* after what is written is sent */
    void (*abort)(void *self);
};

/* Shared by the connections of a server. */
struct http_site {
    const struct http_route *routes;
    void *arg;
    void (*gone)(void *arg, struct http_exchange *x);
    uint64_t head_us, body_us, idle_us;
    int64_t (*utc_s)(void);
    bool stopping;
    struct http_counters counters;
    struct http_exchange *spare;
    unsigned spare_count;
    struct buf head; /* of the answer being written */
    int64_t date_s;
    char date[32]; /* "Sun, 06 Nov 1994 08:49:37 GMT" for date_s */
};
void http_site_init(struct http_site *site, const struct http_server_options *options);
void http_site_done(struct http_site *site);

enum http_conn_state {
    HTTP_CONN_HEAD,  /* between requests, or in a head */
    HTTP_CONN_BODY,  /* of the last exchange */
    HTTP_CONN_ENDED, /* nothing more is read */
};

struct http_conn {
    struct http_site *site;
    struct http_conn_host host;
    const char *peer; /* borrowed */
    enum http_conn_state state;
    struct http_guard guard;
    struct buf partial;                 /* a head that came in pieces */
    struct http_exchange *first, *last; /* in the order of the requests */
    unsigned outstanding;
    unsigned requests;
    struct http_chunk chunk;
    uint64_t body_left;
    struct buf rest; /* octets of requests that must wait */
    bool busy;       /* inside one of the functions below */
    bool held, over;
    uint64_t now_us;
    uint64_t since_us; /* of the deadline that applies */
    uint64_t given;     /* octets given to the host */
    uint64_t taken;     /* of them gone to the peer when last looked */
    uint64_t unsent_us; /* since when the peer has taken none of what waits; 0 = nothing waits */
};

void http_conn_init(struct http_conn *c, struct http_site *site, const struct http_conn_host *host,
                    const char *peer, uint64_t now_us);
void http_conn_octets(struct http_conn *c, uint64_t now_us, struct bytes in);
void http_conn_continue(struct http_conn *c, uint64_t now_us); /* asked for, or drained */
uint64_t http_conn_deadline(const struct http_conn *c);        /* when to tick */
void http_conn_tick(struct http_conn *c, uint64_t now_us);
void http_conn_stop(struct http_conn *c); /* closes after what is under way */
void http_conn_end(struct http_conn *c);  /* the connection is lost; frees what it holds */

/* ---- between http_conn.c and http_exchange.c ---- */

enum http_exchange_state {
    EXCHANGE_BODY,      /* its body is being read */
    EXCHANGE_HANDLING,  /* the handler has it */
    EXCHANGE_STREAMING, /* the handler streams */
    EXCHANGE_ANSWERED,  /* complete, maybe not yet sent */
};

struct http_exchange {
    struct http_conn *conn;
    struct http_exchange *next;
    enum http_exchange_state state;
    struct http_head head;
    struct http_match match;
    struct arena arena;
    struct buf body;
    struct buf added; /* header lines of the handler */
    struct buf out;   /* answer octets that wait: for earlier answers or for room */
    size_t out_at;
    bool heard;    /* piece or handle was called: gone is owed */
    bool continue_due;
    bool head_only;
    bool close;    /* the connection ends behind this answer */
    bool ready_due;
    void (*ready)(void *user);
    void *ready_user;
    void *user;
};

struct http_exchange *http_exchange_new(struct http_conn *c);
void http_exchange_free(struct http_exchange *x); /* to the spare ones; wiped */
/* Hands octets on, or keeps them while earlier answers or the peer are in the way. */
void http_exchange_emit(struct http_exchange *x, struct bytes octets);
void http_exchange_flush(struct http_exchange *x);
void http_exchange_refuse(struct http_exchange *x, unsigned status, const char *code,
                          const char *message);
void http_conn_answered(struct http_conn *c); /* an exchange was answered */
