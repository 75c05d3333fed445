/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of a reading in one process: meters, aggregators, authenticators, a collector and
 * its store, on a simulated clock and network, driven by one seed. Nothing here reads a clock, a
 * socket or the system's randomness, so a seed gives the same run each time: the same trace hash.
 *
 * A run has two parts. While faults are on, frames of the mesh are lost, doubled, reordered and
 * changed, links break, every part crashes and comes back, clocks jump, the store is slow or fails.
 * Then everything is well, and all that was produced must arrive.
 *
 * world.c: time and events · net.c: links · nodes.c: the parts · faults.c: what goes wrong ·
 * check.c: what must hold. */
#pragma once

#include "edge/aggregator/aggregator.h"
#include "edge/meter/meter.h"
#include "intake/authenticator/authenticator.h"
#include "intake/collector/fake_store.h"
#include "lib/base/clock.h"
#include "lib/base/rand.h"
#include "lib/service/inlet.h"

#define SIM_METERS_MAX 4
#define SIM_AGGREGATORS_MAX 2
#define SIM_AUTHENTICATORS_MAX 2
#define SIM_NODES_MAX (SIM_METERS_MAX + SIM_AGGREGATORS_MAX + SIM_AUTHENTICATORS_MAX + 1)
#define SIM_RECORDS_MAX 512 /* of one meter in one run */
#define SIM_LINKS_MAX 65536
#define SIM_START_S 1763769600u /* 2025-11-22T00:00:00Z: the metering day ends at 03:00 */

/* Made once for all seeds: RSA keys cost more than a run. */
struct sim_keys {
    struct private_key *collector;
    struct public_key *collector_public;
    struct private_key *session[SIM_METERS_MAX];
    struct public_key *session_public[SIM_METERS_MAX];
    struct private_key *signing[SIM_METERS_MAX];
    struct public_key *signing_public[SIM_METERS_MAX];
};
err sim_keys_make(struct sim_keys *k) MUST_USE;
void sim_keys_done(struct sim_keys *k);

enum sim_kind { SIM_METER, SIM_AGGREGATOR, SIM_AUTHENTICATOR, SIM_COLLECTOR };

struct sim;

struct sim_record { /* what a meter produced */
    bool produced; /* false: it had no power */
    struct record record; /* status is the meter's own business */
};

struct sim_node {
    struct sim *sim;
    uint8_t kind;
    unsigned index; /* among its kind */
    bool up;
    uint32_t life; /* counts restarts: events of an earlier life are void */
    int64_t clock_off_us;
    struct rand64 rand;
    struct host host;
    const struct core_ops *ops; /* NULL: a meter */
    void *core;
    uint64_t uplink; /* link upwards; 0 = none */
    uint32_t wake_order; /* only the newest wish counts */
    struct inlet inlet;  /* a meter's */
    /* a meter's production */
    uint64_t id;
    struct meter_registers registers;
    struct sim_record *records; /* by sequence */
    uint32_t newest;
    uint32_t dark_until_s; /* no power: no interval until then */
    uint32_t checked;      /* marks up to this were found right */
};

struct sim_faults { /* probabilities of one seed, in 1/10000, and times */
    uint32_t lose, twice, reorder, change; /* a frame of the mesh */
    uint32_t break_link;                   /* at each chance */
    uint32_t crash[4];                     /* by kind, at each chance */
    uint32_t crash_now;                    /* of some part, after any step */
    uint32_t jump;                         /* of a clock */
    uint32_t dark;                         /* a meter loses its power */
    uint32_t store_fails;
    uint32_t store_hangs;
    uint64_t mesh_us_max, tls_us_max, store_us_max;
    size_t tls_bytes_max; /* what a link takes before it is full */
};

enum sim_event_kind {
    SIM_DELIVER,  /* octets reach the end of a link */
    SIM_RELEASE,  /* a held link is read again */
    SIM_READY,    /* a full link has room */
    SIM_CLOSED,   /* an end hears that the link is gone */
    SIM_CONNECT,  /* a node tries its uplink */
    SIM_WAKE,     /* a timer of a core */
    SIM_STORE,    /* an answer of the store is due */
    SIM_INTERVAL, /* a quarter of an hour is over, for all meters */
    SIM_CHANCE,   /* something may go wrong */
    SIM_RESTART,  /* a node comes back */
};

struct sim_event {
    uint64_t at_us;
    uint64_t order; /* breaks ties: first asked, first done */
    uint8_t kind;
    uint8_t dir;   /* of a link: to which end */
    uint16_t node;
    uint32_t life;
    uint64_t link;
    uint8_t *octets; /* owned */
    size_t size;
};

struct sim_piece { /* delivered, but its end does not read */
    struct sim_piece *next;
    uint8_t *octets;
    size_t size;
};

struct sim_link {
    struct sim_node *ends[2]; /* 0 opened it, 1 listened */
    uint32_t lives[2];
    bool mesh;
    bool up;
    bool told[2]; /* the core at this end was told that it is open, and may be told more */
    bool held[2]; /* that end does not read */
    bool full[2]; /* that end was told that it is full */
    size_t under_way[2]; /* octets towards that end */
    uint64_t last_us[2]; /* of the newest delivery towards that end */
    struct sim_piece *waiting[2];
};

struct sim {
    const struct sim_keys *keys;
    uint64_t seed;
    bool verbose;
    struct rand64 rand;
    struct sim_faults faults;
    bool faults_on;
    uint64_t now_us;
    uint64_t steps;
    uint64_t trace; /* hash of what happened */
    struct sim_event *heap;
    size_t event_count, event_cap;
    uint64_t orders;
    struct sim_node nodes[SIM_NODES_MAX];
    size_t node_count, meter_count;
    struct sim_node *collector;
    struct sim_link *links;
    size_t link_count;
    struct fake_store store;
    uint32_t store_life; /* requests of an earlier collector are void */
    uint64_t store_hang_us; /* nothing is answered before */
    struct aead *aead;
    uint32_t interval_end_s; /* of the newest */
    uint32_t stop_s;         /* faults end */
    uint32_t last_s;         /* production ends */
    char broken[512];        /* the invariant that did not hold; "" = none */
};

/* --- world.c --- */
struct sim_result {
    uint64_t trace, steps, produced, stored, sessions, crashes;
};
/* True: everything held. Otherwise `out_why` says what did not. */
bool sim_run(const struct sim_keys *keys, uint64_t seed, bool verbose, struct sim_result *out,
             char *out_why, size_t why_size);
void sim_event_add(struct sim *s, uint64_t in_us, struct sim_event e);
void sim_trace(struct sim *s, uint64_t a, uint64_t b);
void sim_log(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_break(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_chance(struct sim *s, uint32_t per_10000); /* false while faults are off */
uint32_t sim_utc_s(const struct sim *s);

/* --- net.c --- */
err net_send(struct sim_node *from, uint64_t link, struct bytes octets);
void net_close(struct sim_node *from, uint64_t link);
void net_hold(struct sim_node *from, uint64_t link, bool on);
void net_connect(struct sim_node *from);
void net_break(struct sim *s, uint64_t link);
void net_node_gone(struct sim_node *n); /* it crashed: its links are cut */
void net_deliver(struct sim *s, const struct sim_event *e);
void net_release(struct sim *s, const struct sim_event *e);
void net_ready(struct sim *s, const struct sim_event *e);
void net_closed(struct sim *s, const struct sim_event *e);
void net_done(struct sim *s);

/* --- nodes.c --- */
void nodes_make(struct sim *s);
void node_start(struct sim_node *n);
void node_crash(struct sim_node *n);
void node_opened(struct sim_node *n, uint64_t link, bool uplink, bool *out_refused);
bool node_octets(struct sim_node *n, uint64_t link, struct bytes octets); /* false: end the link */
void node_closed(struct sim_node *n, uint64_t link);
void node_ready(struct sim_node *n, uint64_t link);
void node_wake(struct sim_node *n);
void nodes_interval(struct sim *s);
void nodes_store(struct sim *s);
void nodes_done(struct sim *s);

/* --- faults.c --- */
void faults_choose(struct sim *s);
void faults_chance(struct sim *s);
void faults_step(struct sim *s);
void faults_end(struct sim *s);

/* --- check.c --- */
void check_produced(struct sim_node *m, uint32_t sequence, bool produced, const struct record *r);
void check_clear(struct sim *s, struct bytes octets); /* octets on an untrusted way */
void check_marks(struct sim *s);
void check_end(struct sim *s);
