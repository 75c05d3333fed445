/* SPDX-License-Identifier: Apache-2.0 */
/* Ordered octets between two ends: TCP, with TLS 1.3 over it or (meter mesh only) without.
 *
 * A stream ends exactly once, with `closed`; after it the pointer is dead. Of an accepted stream
 * that never came to `opened` nothing is heard, and neither of one whose `opened` failed before it
 * set an argument of its own. Buffers of idle streams are given back: see docs/benchmarks.md for
 * the octets an idle connection costs. */
#pragma once

#include "lib/net/loop.h"
#include "lib/net/tls.h"

#define STREAM_WRITE_MAX (4u << 20) /* octets queued before stream_write refuses */

struct stream;

struct stream_events {
    /* The stream can be used (after the TLS handshake). `peer` is the common name of the peer's
     * certificate, "" without one. Returning an error closes the stream. */
    err (*opened)(void *arg, struct stream *s, const char *peer);
    /* Octets came; borrowed until return. An error closes the stream with it. */
    err (*octets)(void *arg, struct stream *s, struct bytes in);
    /* The write queue fell below half of STREAM_WRITE_MAX after it was above it. May be NULL. */
    void (*drained)(void *arg, struct stream *s);
    /* The end, told once, also when connecting failed. `why` is ERR_CLOSED for an orderly end. */
    void (*closed)(void *arg, struct stream *s, err why);
};

struct stream_options {
    struct tls *tls;               /* borrowed; NULL = plain TCP */
    /* Accepted common names, NULL-terminated, borrowed for ever; NULL = any of our CA. */
    const char *const *peer_roles;
    bool peer_optional;            /* listener: a peer without certificate is welcome (API keys) */
    /* Listener: connections at once; 0 = 65,536. One more closes the oldest that is still in its TLS
     * handshake, or is closed itself. */
    size_t count_max;
    uint64_t handshake_us;         /* 0 = 10 s */
    uint64_t idle_us;              /* no octets either way for this long: close; 0 = never */
};

/* "127.0.0.1:0" chooses a free port; stream_listener_port tells it. ERR_CONFLICT: port in use. */
struct stream_listener;
err stream_listen(struct loop *l, const char *address, const struct stream_options *options,
                  const struct stream_events *events, void *arg, struct stream_listener **out)
    MUST_USE;
unsigned stream_listener_port(const struct stream_listener *listener);
size_t stream_listener_count(const struct stream_listener *listener); /* open connections */
/* Connections closed before `opened`: too many, too slow, handshake or certificate bad. */
uint64_t stream_listener_refused(const struct stream_listener *listener);
/* Once for each listener, also when the loop has ended before. Its open streams go on; those not
 * yet open end unheard. */
void stream_listener_close(struct stream_listener *listener);

/* "host:port". Gives a stream that is not yet open; failures come as `closed`. */
err stream_connect(struct loop *l, const char *address, const struct stream_options *options,
                   const struct stream_events *events, void *arg, struct stream **out) MUST_USE;

/* Copies; fine before `opened`. ERR_LIMIT: the queue is full, wait for `drained`; nothing of it was
 * taken. ERR_CLOSED: the stream is ending. Small writes of one turn of the loop leave together. */
err stream_write(struct stream *s, struct bytes octets) MUST_USE;
/* The same, but takes only as much as there is room for: tells how much, maybe 0. */
err stream_write_some(struct stream *s, struct bytes octets, size_t *out_taken) MUST_USE;
size_t stream_queued(const struct stream *s); /* octets not yet with the kernel */

void stream_pause(struct stream *s); /* reads nothing until resumed: back-pressure to the peer */
void stream_resume(struct stream *s);
void stream_close(struct stream *s); /* sends what is queued, then ends; `closed` comes later */
void stream_abort(struct stream *s); /* ends now */

void stream_set_arg(struct stream *s, void *arg); /* accepted streams begin with the listener's */
