/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a core over streams: a listener whose connections are its links, at most one uplink that
 * is opened again with growing pauses when it ends, and its timer. All in the loop's thread.
 *
 *     core_host_new(loop, &options, &h);
 *     x_new(core_host_host(h), ..., &core);    // the core keeps a copy of the host
 *     core_host_start(h, core);
 *
 * Connections and their ends are logged; never what they carry. */
#pragma once

#include "lib/net/stream.h"
#include "lib/service/core.h"

struct core_host_options {
    const struct core_ops *ops;
    const char *listen;                      /* NULL = no listener */
    struct stream_options listen_options;    /* borrowed pointers live as long as the host */
    const char *uplink;                      /* "host:port"; NULL = none */
    struct stream_options uplink_options;
    /* Told when the uplink opens and ends, for /readyz; may be NULL. */
    void (*uplink_changed)(void *arg, bool open);
    void *arg;
};

struct core_host;
err core_host_new(struct loop *l, const struct core_host_options *options, struct core_host **out)
    MUST_USE;
const struct host *core_host_host(const struct core_host *h);

/* Listens and connects. ERR_CONFLICT: the port is in use. */
err core_host_start(struct core_host *h, void *core) MUST_USE;
unsigned core_host_port(const struct core_host *h); /* 0 without a listener */
bool core_host_uplink_is_open(const struct core_host *h);

/* Ends all links and forgets the core: nothing is called on it any more. `done` is called once,
 * when the last stream is gone. */
void core_host_stop(struct core_host *h, void (*done)(void *arg), void *arg);
void core_host_free(struct core_host *h); /* after stop was done, or the loop is gone */
