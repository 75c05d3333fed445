/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the authenticator share; nobody else includes it. */
#pragma once

#include "intake/authenticator/authenticator.h"
#include "intake/authenticator/nonces.h"
#include "intake/authenticator/registry.h"
#include "intake/authenticator/sessions.h"
#include "lib/service/frames.h"
#include "lib/service/inlet.h"
#include "lib/service/outlet.h"
#include "lib/wire/intake.h"

#define NOTE_SLOTS 1024
#define NOTES_A_MINUTE_MAX 60

enum close_reason { /* one for every refused HELLO: the outside learns nothing from it */
    CLOSE_REFUSED = 1,
    CLOSE_NO_SESSION = 2,
};

struct agg_link {
    struct authenticator *owner;
    uint64_t id;
    struct inlet inlet;
    struct frames_guard guard;
    struct outlet down;
    struct agg_link *dirty_next; /* has octets to send at the end of this call */
    bool dirty;
    struct bucket hellos;
    struct bucket hints;
    bool map_full;
    UT_hash_handle hh;
};

struct notes { /* who was told of lately; a slot may be taken over, so this only limits */
    struct {
        uint64_t meter;
        uint64_t minute;
    } slots[NOTE_SLOTS];
    uint64_t minute;
    uint32_t count; /* in this minute */
};

struct hello_job {
    uint64_t meter;
    uint64_t link;
    struct hello_claims claims;
    struct bytes frame; /* owned, as is spki */
    struct bytes spki;
    const struct private_key *own;
    struct hello_ok answer;
    err result;
    bool forged; /* the meter has not signed it */
    struct buf out;         /* the HELLO-OK frame */
    struct session session; /* when the result is OK */
};

struct authenticator {
    struct host host;
    struct authenticator_options options;
    uint64_t own_key_id;
    struct aead *aead; /* one for all sessions: a session holds its keys only */
    struct agg_link *links;
    struct agg_link *dirty;
    uint64_t uplink; /* 0 = none */
    struct inlet up_inlet;
    struct outlet up;
    bool holding;
    uint64_t now_us; /* of the call under way */
    struct sessions sessions;
    struct registry registry;
    struct nonces nonces;
    struct notes notes;
    size_t jobs;
    size_t late;
    uint64_t sweep_us; /* of sessions */
    uint64_t wake_us;  /* of the next tick */
    bool others;       /* some session is pending or old */
    uint64_t counts[AUTHENTICATOR_COUNT];
    uint64_t refusals[AUTHENTICATOR_REFUSAL_COUNT];
};

struct agg_link *agg_link_find(const struct authenticator *a, uint64_t id);
void authenticator_flush_down(struct authenticator *a); /* at the end of each call */

void authenticator_wake_in(struct authenticator *a, uint64_t us); /* no later than that */

/* To a meter's aggregator; false: it is full or gone, and the frame is lost. */
bool authenticator_send_down(struct authenticator *a, uint64_t link, struct bytes frame);
/* To the collector; when frames are taken the uplink is not blocked, so there is room. */
err authenticator_send_up(struct authenticator *a, const struct intake_message *m) MUST_USE;

void authenticator_refuse(struct authenticator *a, uint64_t meter, enum authenticator_refusal why);
/* An unsealed CLOSE, if the link has not had too many. */
void authenticator_hint(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                        enum close_reason reason);

/* hello.c */
err authenticator_take_hello(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                             struct bytes frame) MUST_USE;
void authenticator_told(struct authenticator *a, const struct intake_message *m);
void authenticator_ask_again(struct authenticator *a); /* the uplink is new */

/* sealed.c */
err authenticator_take_sealed(struct authenticator *a, struct agg_link *l, const struct envelope *e,
                              struct bytes frame) MUST_USE;
/* Seals a body for a meter. ERR_MISSING: it has no session. */
err authenticator_seal(struct authenticator *a, uint64_t meter, enum envelope_type type,
                       uint32_t transaction, struct bytes body) MUST_USE;
err authenticator_signal(struct authenticator *a, uint64_t meter, uint32_t transaction,
                         const struct signal *s) MUST_USE;
void authenticator_session_over(struct authenticator *a, struct meter_session *m);
