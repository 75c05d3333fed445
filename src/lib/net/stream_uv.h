/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a stream, shared by stream.c (life), stream_io.c (octets) and stream_open.c
 * (listening, connecting). Nobody else includes it. */
#pragma once

#include "lib/net/loop_uv.h"
#include "lib/net/stream.h"
#include "lib/net/tls_conn.h"

enum stream_state {
    STREAM_STATE_NONE,
    STREAM_DIALING,   /* looking up the name, connecting */
    STREAM_HANDSHAKE, /* TLS begins */
    STREAM_OPEN,
    STREAM_CLOSING,   /* sends what is queued, then its end */
    STREAM_LINGERING, /* our end is sent; reads on until the peer's comes, so that no reset
                         overtakes our last octets */
    STREAM_DEAD,      /* uv_close was called */
    STREAM_STATE_COUNT
};

struct stream {
    uv_tcp_t tcp;
    struct loop *loop;
    struct loop_child child;
    struct stream_events events;
    void *arg;
    struct stream_options options;
    struct stream_listener *listener; /* NULL when connected by us */
    bool shaking;                     /* in the listener's list: its peer has proved nothing yet */
    struct stream *shaking_prev, *shaking_next;
    struct stream_dial *dial;         /* while dialing */
    struct tls_conn tls;
    enum stream_state state;
    bool told;    /* `opened` was called */
    bool paused, reading;
    bool writing; /* a uv_write is under way: the kernel is full */
    bool full;    /* drained is owed */
    bool bye, fin, peer_ended;
    bool turn_due; /* the loop holds `turn` */
    bool over;     /* closed and told: only the turn keeps the memory */
    struct buf out; /* clear octets not yet with the kernel, from out_at on */
    size_t out_at;
    size_t in_flight; /* octets in the write under way, as sealed */
    struct buf held;  /* octets of the wire that came while paused */
    struct loop_task turn;
    struct loop_timer timer;
    uint64_t active_us; /* when octets last went either way */
    uint64_t heard_us;  /* when octets last came */
    uint64_t state_us;  /* when the state was entered */
    err why;
    char *why_text;
};

struct stream_listener {
    uv_tcp_t tcp;
    struct loop *loop;
    struct loop_child child;
    struct stream_events events;
    void *arg;
    struct stream_options options;
    struct loop_timer retry;
    struct stream *shaking; /* handshakes under way, the oldest first */
    size_t count;
    size_t users; /* streams, the socket handle, the owner */
    uint64_t refused;
    bool closed;
};

/* stream.c */
err stream_new(struct loop *l, const struct stream_options *options,
               const struct stream_events *events, void *arg, struct stream **out) MUST_USE;
void stream_move(struct stream *s, enum stream_state to);
/* After the TCP connection stands: the handshake, or open at once. */
void stream_begin(struct stream *s, enum tls_end end);
void stream_opened(struct stream *s);
void stream_shaking(struct stream *s, bool on);
void stream_fail(struct stream *s, err e); /* ends now, because of e and its text */
void stream_end_with(struct stream *s, err e); /* sends what is queued, then ends because of e */
void stream_closing_step(struct stream *s);
void stream_turn(struct stream *s); /* work at the end of this turn of the loop */
void stream_peer_ended(struct stream *s);

/* stream_io.c */
void stream_read_start(struct stream *s);
void stream_input(struct stream *s, struct bytes in); /* octets of the wire */
void stream_pump(struct stream *s);                   /* queue to kernel */
bool stream_send_raw(struct stream *s);               /* what is in the loop's sealed buffer */

/* stream_open.c */
void stream_listener_release(struct stream_listener *listener);
void stream_dial_cancel(struct stream *s);
