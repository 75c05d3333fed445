/* SPDX-License-Identifier: Apache-2.0 */
/* POST /sql: requests of HTTP to statements, rows to streamed JSON. */
#pragma once

#include "lib/net/http_server.h"
#include "store/sql/access.h"

#define ROUTE_BODY_BYTES_MAX (4u << 20)

struct sql_route {
    struct sql_engine *engine;     /* borrowed */
    const struct api_keys *keys;   /* borrowed */
    const struct access_roles *roles; /* borrowed */
    uint64_t slow_us;              /* statements that take longer are logged, by fingerprint */
    size_t under_way;
    void (*idle)(void *arg);       /* told when the last statement ended; NULL = nobody waits */
    void *arg;
};

void sql_route_register_metrics(void);
/* Its argument is a struct sql_route. */
extern const struct http_route sql_routes[];
void sql_route_gone(void *route, struct http_exchange *x);
