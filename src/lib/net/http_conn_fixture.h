/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the HTTP server without a socket: a connection, the routes behind it, and a peer
 * that speaks octets and keeps what it is answered. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/net/http_conn.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define HOST "Host: a\r\n"

struct peer { /* the world around one connection */
    struct http_site site;
    struct http_conn conn;
    struct buf got;
    bool ended;
    size_t room; /* octets the host takes before it is full */
    size_t queued;
    bool held, again, closed, aborted;
    uint64_t now_us;
    /* what the handlers do and saw */
    struct http_exchange *kept[32];
    unsigned kept_count;
    struct http_exchange *lost[32];
    unsigned lost_count, pieces, ready;
    size_t piece_octets;
    err piece_answer;
    bool piece_answers_early;
    struct http_exchange *stream;
};

void peer_begin(struct peer *p);
void peer_end(struct peer *p);

void peer_settle(struct peer *p); /* runs what the connection asked for */
void peer_say_octets(struct peer *p, struct bytes in);
void peer_say(struct peer *p, const char *text);
const char *peer_got(struct peer *p); /* since the last call; valid until the next */

unsigned answer_status(const char *answer); /* 0: no answer */

/* The request is refused with this status, and the connection is closed: in one piece as octet by
 * octet. */
void assert_refused(const char *request, unsigned status);
/* The request is served with this status, and the connection goes on. */
void assert_served(const char *request, unsigned status, const char *body);
