/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a REST service (docs/protocol.md, 5): HTTP in the loop, one committer
 * thread, a few reader threads. Who comes needs an API key; a client certificate may come along. */
#pragma once

#include "lib/net/http_server.h"
#include "lib/service/api_key.h"
#include "store/kvs/engine.h"

struct gateway_options {
    const char *listen;            /* "127.0.0.1:0" */
    struct tls *tls;               /* borrowed; NULL only in tests */
    const struct api_keys *keys;   /* borrowed */
    unsigned reader_count;         /* threads; 0 = 4 */
    unsigned connections_max;      /* 0 = 1,024 */
    uint64_t body_octets_max;      /* of all requests under way together; 0 = 256 MiB */
    /* From the committer's thread, once: the volume must be closed and opened again. May be
     * NULL. */
    void (*failed)(void *arg, err why);
    void *arg;
};

struct gateway;
/* Borrows loop and engine until it is freed. ERR_CONFLICT: port in use. */
err gateway_start(struct loop *l, struct engine *e, const struct gateway_options *options,
                  struct gateway **out) MUST_USE;
unsigned gateway_port(const struct gateway *g);
/* No new connections; what is under way is finished and answered, then `done` is called. */
void gateway_stop(struct gateway *g, void (*done)(void *arg), void *arg);
/* After `done`, or after the loop has ended. Accepts NULL. */
void gateway_free(struct gateway *g);
