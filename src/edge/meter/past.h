/* SPDX-License-Identifier: Apache-2.0 */
/* Where simulated meters stand between two runs: DIR/meters/past, one line a meter. Sequence
 * numbers, registers and the chain of seals go on from there, as in a real meter. */
#pragma once

#include "edge/meter/seals.h"
#include "lib/service/place.h"

#define PAST_METERS_MAX 1100000

struct past_entry {
    uint64_t meter;
    uint64_t seed;
    struct meter_past past;
};

struct past_table {
    struct past_entry *entries; /* owned; by meter id */
    size_t count, cap;
};

/* An absent file is an empty table. ERR_PROTO names file and line. */
err past_load(const struct place *p, struct past_table *out) MUST_USE;
void past_done(struct past_table *t);
const struct past_entry *past_find(const struct past_table *t, uint64_t meter);
err past_set(struct past_table *t, const struct past_entry *e) MUST_USE;
err past_save(const struct place *p, const struct past_table *t) MUST_USE;
