/* SPDX-License-Identifier: Apache-2.0 */
/* Runs meter cores in one loop over a few TCP connections to an aggregator: the mesh that
 * aggregators bridge, as far as the system behind them can see. */
#pragma once

#include "edge/meter/keyring.h"
#include "edge/meter/meter.h"

#define DRIVE_LINKS_MAX 16
#define DRIVE_METERS_PER_LINK 500

struct drive_feed { /* one interval for a meter */
    uint32_t end_s;
    bool again; /* the interval before once more */
    struct meter_sample sample;
};

enum drive_take { DRIVE_TAKEN, DRIVE_NOT_YET, DRIVE_ENDED };

struct drive_source { /* where intervals come from; a pure function of unit and order of calls */
    void *arg;
    /* The next interval of a meter, if it ends at or before `limit_s`. */
    enum drive_take (*next)(void *arg, size_t unit, uint32_t limit_s, struct drive_feed *out);
};

struct drive_unit { /* one meter; borrowed while driving */
    uint64_t id; /* ascending in the row of units */
    const struct keyring *keys;
    struct meter_past past; /* in: where it stands; out: where it stood at its newest seal */
};

enum drive_pace {
    DRIVE_FAST,     /* as fast as acknowledgements allow */
    DRIVE_SPEED,    /* `speed` times real time, from start_s on */
    DRIVE_REALTIME, /* the past at once, then each interval when it ends */
};

struct drive_options {
    const char *address; /* of the aggregator */
    const struct public_key *collector;
    enum drive_pace pace;
    double speed;
    uint32_t start_s;
    uint32_t end_s;       /* of the last interval; unused with DRIVE_REALTIME */
    uint64_t expected;    /* readings, for the progress bar; 0 = unknown */
    uint64_t give_up_us;  /* no acknowledgement for so long, though something waits: fail */
    int32_t zone_offset_s;
    bool simulated;
    struct drive_source source;
};

struct drive_result {
    struct meter_stats totals;
    uint64_t intervals; /* fed, doubles not counted */
    uint64_t doubles;
    uint64_t reconnects;
    double seconds;
    bool stopped; /* by a signal */
};

/* Returns when everything is acknowledged, when a signal asks to stop, or with an error: ERR_IO
 * when nothing is acknowledged for too long. `out` is filled in each case. */
err drive(const struct drive_options *o, struct drive_unit *units, size_t count,
          struct drive_result *out) MUST_USE;
