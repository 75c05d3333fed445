/* SPDX-License-Identifier: Apache-2.0 */
/* The two simulations of the program: a fleet of made-up customers, and one real series. Both enrol
 * what is missing, run the meters, and print what came of it. */
#pragma once

#include "edge/meter/drive.h"
#include "edge/meter/profile.h"
#include "edge/meter/series.h"
#include "edge/meter/theft.h"

#define FLEET_DAYS_MAX 3660
#define FLEET_FIRST_SERIAL 10000001
#define REPLAY_SERIAL 20000001
#define THIEVES_MAX 10000

struct thief {
    uint64_t meter;
    enum theft attack;
    uint32_t from_day; /* from 1: the days before are honest */
};

struct fleet_options {
    const char *dir;
    size_t count;
    uint32_t first_serial;
    uint32_t days;
    uint32_t start_s; /* the first day begins here */
    uint64_t seed;
    enum profile_class class;
    unsigned threads;
    struct thief *thieves; /* borrowed */
    size_t thief_count;
    enum drive_pace pace;
    double speed;
    uint64_t give_up_us;
    bool json;
};

/* Chooses `count` thieves among the meters of a fleet; attacks take turns. */
void fleet_choose_thieves(uint64_t seed, uint32_t first_serial, size_t meters, uint32_t from_day,
                          struct thief *out, size_t count);
/* "10000003:FDI1:11,10000007:PEAK:11": serial, attack, first day. Gives up to `max`. */
err fleet_parse_thieves(const char *list, struct thief *out, size_t max, size_t *out_count)
    MUST_USE;
err fleet_run(const struct fleet_options *o) MUST_USE;

struct replay_options {
    const char *dir;
    const char *csv;
    uint32_t serial;
    struct series_zone zone;
    struct series_columns columns;
    uint64_t give_up_us;
    bool json;
};
err replay_run(const struct replay_options *o) MUST_USE;

/* The intervals of one made-up customer in order; what fleet_run feeds. */
struct customer {
    struct profile_site site;
    struct thief theft;   /* attack THEFT_NONE: honest */
    uint32_t first_day_s; /* day 1 of the run */
    uint32_t end_s;       /* last interval; 0 = no end */
    int32_t zone_offset_s;
    uint32_t next_end_s;
    uint32_t day_s; /* of `slots` */
    struct profile_slot slots[PROFILE_SLOTS];
};
enum drive_take customer_next(struct customer *c, uint32_t limit_s, struct drive_feed *out);
