/* SPDX-License-Identifier: Apache-2.0 */
/* Paths against the patterns of a route table, and percent escapes. */
#pragma once

#include "lib/base/arena.h"
#include "lib/net/http_server.h"

#define HTTP_PARTS_MAX 8

struct http_part {
    struct bytes name;  /* in the pattern */
    struct bytes value; /* in the path, as sent */
};

struct http_match {
    const struct http_route *route; /* NULL: none for this method */
    bool known;                     /* some route has this path */
    struct http_part parts[HTTP_PARTS_MAX];
    unsigned count;
};

/* The first route whose pattern and method fit; GET routes serve HEAD too. */
void http_route_find(const struct http_route *routes, const char *method, struct bytes path,
                     struct http_match *out);

/* "GET, HEAD, PUT": what the routes with this path allow. */
void http_route_allow(const struct http_route *routes, struct bytes path, char *out, size_t size);

/* Undoes percent escapes into the arena. ERR_PROTO for a bad one. */
err http_unescape(struct arena *a, struct bytes text, struct bytes *out) MUST_USE;
