/* SPDX-License-Identifier: Apache-2.0 */
/* The meter: makes a record every interval, seals every day, and pushes both through an end-to-end
 * session until they are acknowledged as durably stored (docs/protocol.md 3).
 * paper: Smart metering applications, smart meters.
 *
 * A core without I/O: frames and time go in, frames and timers come out through `struct host`
 * (lib/service/core.h). now_us is monotonic. A frame that is refused is counted, never answered
 * by an error: nothing outside may stop a meter. */
#pragma once

#include "edge/meter/sample.h"
#include "edge/meter/seals.h"
#include "lib/service/core.h"
#include "lib/wire/session.h"

#define METER_RING_RECORDS 3360 /* 35 days of quarter hours */
#define METER_RING_RECORDS_MAX 100000
#define METER_WINDOW 128        /* reports under way */
#define METER_ZONE_OFFSET_S (-10800)
#define METER_GAP_S_MAX (10u * 366 * 86400) /* longest time without power that is bridged */

struct meter_options {
    uint64_t id; /* NBR serial, BCD, in the low 4 octets */
    enum suite suite;
    const struct private_key *session_key; /* all borrowed, and outlive the meter */
    const struct private_key *signing_key;
    const struct public_key *collector;
    struct aead *aead; /* may serve all meters of a thread */
    enum sign_alg signing_alg;
    uint32_t key_epoch;
    int32_t zone_offset_s;
    uint32_t ring_records; /* 0 = METER_RING_RECORDS */
    uint32_t window;       /* 0 = METER_WINDOW */
    bool simulated;        /* sets the flag of simulated data in each record */
    bool clock_unset;      /* until the collector's time is known */
    uint64_t hello_spread_us; /* the first HELLO on a link comes within this time */
    struct meter_past past;   /* zeroed for a new meter */
};

enum meter_state { METER_NOT_ALLOWED, METER_OFF, METER_WAITING, METER_OPEN, METER_REKEY,
                   METER_STATES };

struct meter_stats {
    uint64_t produced;      /* records made */
    uint64_t acknowledged;  /* records and not frames */
    uint64_t pushed;        /* report frames sent, again included */
    uint64_t resent;        /* of these: sent again */
    uint64_t seals;         /* days sealed */
    uint64_t hellos;
    uint64_t sessions;
    uint64_t refused;       /* frames dropped: tag, counter, form, another meter */
    uint64_t commands;
};

struct meter; /* opaque */

err meter_new(const struct meter_options *o, const struct host *host, struct meter **out) MUST_USE;
void meter_free(struct meter *m);
void meter_freep(struct meter **m);

/* The link to an aggregator: one at a time. */
void meter_link_up(struct meter *m, uint64_t now_us, uint64_t link);
void meter_link_down(struct meter *m, uint64_t now_us);
/* After host.send said ERR_LIMIT: there is room again. */
void meter_link_ready(struct meter *m, uint64_t now_us);
/* One whole frame, as envelope_take gives it. */
void meter_frame(struct meter *m, uint64_t now_us, const struct envelope *e, struct bytes frame);
void meter_tick(struct meter *m, uint64_t now_us);

/* The interval that ends at `end_s`, which grows from call to call. Slots left out had no power:
 * their sequences are missing with reason 1, which is told for up to a day of them and answered
 * when asked for. Days that end on the way are sealed. ERR_PROTO: not a multiple of the interval,
 * or not after the last. */
err meter_interval(struct meter *m, uint64_t now_us, uint32_t end_s, const struct meter_sample *s)
    MUST_USE;
/* The newest interval once more, as a faulty device would send it: the same sequence, the energies
 * of `s` upon the registers before it; sent once, outside ring and seal. ERR_MISSING: none yet;
 * ERR_AGAIN: no session now. */
err meter_repeat(struct meter *m, uint64_t now_us, const struct meter_sample *s) MUST_USE;

/* How many intervals can come without overwriting an unacknowledged one: a driver that runs faster
 * than real time waits at 0. */
uint32_t meter_room(const struct meter *m);
uint32_t meter_pending(const struct meter *m); /* records not acknowledged */
/* All records and seals made so far are acknowledged. */
bool meter_idle(const struct meter *m);
enum meter_state meter_state(const struct meter *m);
const struct meter_stats *meter_stats(const struct meter *m);
/* Where it stood at the end of the newest sealed day: to go on from there in another run. */
const struct meter_past *meter_past(const struct meter *m);
