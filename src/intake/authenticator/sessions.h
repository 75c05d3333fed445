/* SPDX-License-Identifier: Apache-2.0 */
/* Open sessions, one entry a meter, and where a session may go (docs/protocol.md 3.5).
 *
 * A replayed HELLO must not cut a live session: the session of a HELLO is pending until the first
 * good frame under its epoch, and the one before is served for 60 s after that. */
#pragma once

#include "lib/base/map.h"
#include "lib/wire/session.h"

#define SESSION_PENDING_US (60 * 1000000ull) /* a HELLO must be confirmed by then */
#define SESSION_OLD_US (60 * 1000000ull)     /* the epoch before is served for so long */

enum session_state {
    SESSION_NONE,
    SESSION_PENDING,
    SESSION_OPEN,
    SESSION_OPEN_PENDING, /* open, and a HELLO waits for its confirmation */
    SESSION_OPEN_OLD,     /* open, and the epoch before is still served */
    SESSION_STATE_COUNT
};

enum session_event {
    SESSION_HELLO,         /* a good one, answered */
    SESSION_FRAME_PENDING, /* first good frame under the pending epoch */
    SESSION_FRAME,         /* good frame under the open epoch */
    SESSION_FRAME_OLD,     /* good frame under the epoch before */
    SESSION_END,           /* a sealed CLOSE, or the lifetime is over */
    SESSION_TIMEOUT,       /* of the pending or the old epoch */
    SESSION_EVENT_COUNT
};

#define SESSION_NOT_ALLOWED UINT8_MAX
/* SESSION_NOT_ALLOWED, or a state. */
uint8_t session_next(enum session_state s, enum session_event ev);

struct session_other { /* the pending or the old one: rare, so it is apart */
    struct session session;
    uint64_t until_us;
    uint32_t meter_s; /* what the HELLO said, told to the collector once confirmed */
    uint8_t clock_flags;
};

struct meter_session {
    uint64_t meter;
    uint64_t link; /* where its newest good frame came from */
    uint64_t opened_us;
    uint64_t last_us; /* newest good frame */
    struct session current;
    struct session_other *other;
    uint8_t state; /* enum session_state */
    uint8_t inner_crc_count;
    bool map_full;
    UT_hash_handle hh;
};

struct sessions {
    struct meter_session *by_meter;
    size_t count_max;
};

struct meter_session *sessions_find(const struct sessions *t, uint64_t meter);
size_t sessions_count(const struct sessions *t);
void sessions_done(struct sessions *t);

/* A HELLO was answered: `s` becomes the pending session, moved and wiped at its old place. Makes
 * the entry when there is none. ERR_LIMIT: too many sessions, or no memory; `s` is wiped too. */
err sessions_hello(struct sessions *t, uint64_t now_us, uint64_t link, struct session *s,
                   uint8_t clock_flags, uint32_t meter_s) MUST_USE;

/* The pending session becomes the current one; the one before is kept as old. */
void sessions_confirm(struct meter_session *m, uint64_t now_us);
/* The current session ends. The entry is gone afterwards unless a HELLO is pending. True: gone. */
bool sessions_end(struct sessions *t, struct meter_session *m);
/* The time of the pending or old one is over. True: the entry is gone. */
bool sessions_timeout(struct sessions *t, struct meter_session *m);
