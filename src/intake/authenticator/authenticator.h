/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticator: ends the sealed sessions of meters. Links come from aggregators, which are not
 * trusted; one uplink goes to the collector. It opens frames, refuses replays, checks the block in
 * each frame and hands it on; what the collector sends to a meter it seals.
 *
 * It keeps nothing but sessions: after a restart meters open new ones. While the collector is away,
 * nothing is read from the aggregators.
 * paper: Smart metering applications, authenticator. */
#pragma once

#include "lib/crypto/sign.h"
#include "lib/service/core.h"
#include "lib/wire/session.h"

#define AUTHENTICATOR_LINKS_MAX 4096
#define AUTHENTICATOR_SESSIONS_MAX 262144
#define AUTHENTICATOR_NONCES_MAX 65536  /* remembered at once, two generations */
#define AUTHENTICATOR_JOBS_MAX 1024     /* HELLOs in work */
#define AUTHENTICATOR_HELLO_RATE 1000   /* HELLOs a second from one aggregator */
#define AUTHENTICATOR_WINDOW 4          /* commands outstanding at a meter */

/* Why something was refused: a closed set, one metric label each. */
enum authenticator_refusal {
    AUTHENTICATOR_FORM,       /* header, direction, or a zero field */
    AUTHENTICATOR_TAG,
    AUTHENTICATOR_REPLAY,
    AUTHENTICATOR_LOWERED,
    AUTHENTICATOR_EPOCH,      /* no session of this epoch */
    AUTHENTICATOR_INNER_CRC,
    AUTHENTICATOR_INNER_SERIAL,
    AUTHENTICATOR_UNKNOWN,    /* the collector does not know the meter */
    AUTHENTICATOR_SUITE,
    AUTHENTICATOR_HELLO_FORM,
    AUTHENTICATOR_KEY_ID,
    AUTHENTICATOR_TIME,
    AUTHENTICATOR_NONCE,
    AUTHENTICATOR_METER_RATE, /* HELLOs of one meter */
    AUTHENTICATOR_LINK_RATE,  /* HELLOs of one aggregator */
    AUTHENTICATOR_SIGNATURE,  /* or what the HELLO carries sealed */
    AUTHENTICATOR_LIMIT,      /* too many sessions, waiting or working HELLOs; no memory */
    AUTHENTICATOR_REFUSAL_COUNT
};
const char *authenticator_refusal_name(enum authenticator_refusal r);

enum authenticator_count {
    AUTHENTICATOR_FRAMES,    /* good sealed frames */
    AUTHENTICATOR_BLOCKS,    /* handed to the collector */
    AUTHENTICATOR_HELLOS,    /* answered with HELLO-OK */
    AUTHENTICATOR_OPENED,    /* sessions confirmed */
    AUTHENTICATOR_ENDED,     /* sessions ended by CLOSE or lifetime */
    AUTHENTICATOR_MOVED,     /* a meter came by another aggregator */
    AUTHENTICATOR_ALARMS,    /* a block that no honest meter can send */
    AUTHENTICATOR_HINTS,     /* unsealed CLOSE frames sent */
    AUTHENTICATOR_DOWN,      /* frames sealed for meters */
    AUTHENTICATOR_DOWN_LOST, /* no session, or its link is full or gone */
    AUTHENTICATOR_STALLED,   /* links closed because they stopped inside a frame */
    AUTHENTICATOR_HOLDS,     /* times that reading stopped */
    AUTHENTICATOR_COUNT
};
const char *authenticator_count_name(enum authenticator_count c);

/* The signature and the key exchange of one HELLO: a millisecond of work that may be done
 * elsewhere. */
struct hello_job;
void hello_job_run(struct hello_job *job); /* any thread; touches nothing but the job */

struct authenticator_options {
    const struct private_key *own; /* the collector side's session key; borrowed */
    size_t links_max;              /* 0 = the defaults above */
    size_t sessions_max;
    size_t hello_rate;
    /* Takes a job to a thread that calls hello_job_run; then, on the core's own thread,
     * authenticator_hello_done. NULL: HELLOs are worked at once. */
    void (*work)(void *arg, struct hello_job *job);
    /* Something was refused: told at most once a meter and minute, for the log. May be NULL. */
    void (*refused)(void *arg, uint64_t meter, enum authenticator_refusal why);
    void *arg;
};

struct authenticator;
err authenticator_new(const struct host *host, const struct authenticator_options *options,
                      struct authenticator **out) MUST_USE; /* copies host and options; gives */
void authenticator_free(struct authenticator *a); /* no job may be in work any more */

extern const struct core_ops authenticator_ops;

void authenticator_hello_done(struct authenticator *a, uint64_t now_us, struct hello_job *job);

const uint64_t *authenticator_counts(const struct authenticator *a);   /* AUTHENTICATOR_COUNT */
const uint64_t *authenticator_refusals(const struct authenticator *a); /* ..._REFUSAL_COUNT */
size_t authenticator_sessions(const struct authenticator *a);
size_t authenticator_late(const struct authenticator *a); /* silent for two intervals */
size_t authenticator_jobs(const struct authenticator *a); /* HELLOs in work */
