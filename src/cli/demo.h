/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the demo share: the place, what was asked, and the figures of the last
 * screen. */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "lib/wire/meter_id.h"

#define DEMO_METERS_MAX 10000
#define DEMO_DAYS_MAX 366
#define DEMO_THIEVES 5
#define DEMO_TAMPERED 3
#define DEMO_TEST_DAYS 7 /* thieves steal, and are looked for, on the last days */
#define DEMO_ZONE_OFFSET_S (-10800)


struct tampering { /* what was done to one meter's stored readings, and what the audit said */
    char meter[METER_ID_CHARS + 1];
    const char *what;
    char codes[64]; /* error classes the audit named */
    bool caught;
};

struct demo {
    struct place place;
    uint64_t meters;
    uint64_t days;
    int64_t from_s; /* the days begin and end at local midnight */
    int64_t to_s;
    bool quiet;

    uint64_t sent, acknowledged, stored;
    double fleet_seconds;
    uint64_t bills;
    uint64_t audits_clean;
    struct tampering tampered[DEMO_TAMPERED];
    uint64_t tampered_caught;
    uint64_t wrongly_accused; /* meters with a finding that nobody touched */
    uint64_t thieves;
    double auc;
    double seconds;
    uint64_t directory_bytes;
    uint64_t sealed_bytes;
};

/* Each runs one step and fills its figures. */
err demo_fleet(struct demo *d) MUST_USE;
err demo_bills(struct demo *d) MUST_USE;
err demo_audits(struct demo *d) MUST_USE;
err demo_tamper(struct demo *d) MUST_USE;
err demo_fraud(struct demo *d) MUST_USE;

/* Runs a verb's program in this place with --dir and --json; the caller frees *out. The exit status
 * is the program's; above `status_max` is an error. */
err demo_program(const struct demo *d, const char *program, const char *const *args,
                 int status_max, json_t **out) MUST_USE;
/* rows of a statement; the caller frees. */
err demo_sql(const struct demo *d, const char *statement, json_t **out) MUST_USE;
