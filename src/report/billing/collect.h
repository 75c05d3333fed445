/* SPDX-License-Identifier: Apache-2.0 */
/* A consumer's readings and seals of a period, out of the store. */
#pragma once

#include "lib/client/readings.h"
#include "lib/wire/bundle.h"
#include "report/billing/issue.h"

struct collected {
    struct buf octets;    /* canonical records, by sequence */
    struct point *points; /* the same, as billing sees them; owned */
    size_t point_count;
    size_t point_room;
    struct sealed_day *seals; /* by day, the one before the period first; owned */
    size_t seal_count;
    size_t seal_room;
};
void collected_done(struct collected *c);

/* ERR_LIMIT: more readings or seals than a bundle may have. Also after a failure the caller calls
 * collected_done. */
err collect(struct readings *store, uint64_t meter, int64_t start_s, int64_t end_s,
            struct collected *out) MUST_USE;

/* For tests and other sources: one reading, one seal. Call collected_finish behind the last. */
err collected_add(struct collected *c, const struct record *r) MUST_USE;
err collected_seal(struct collected *c, const struct sealed_day *d) MUST_USE;
err collected_finish(struct collected *c) MUST_USE;
