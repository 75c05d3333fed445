/* SPDX-License-Identifier: Apache-2.0 */
/* The fraud job: customer by customer from the store to a ranking. Only the ranking leaves it, not
 * the profiles. */
#pragma once

#include "lib/client/readings.h"
#include "report/fraud/rank.h"

struct job {
    struct rank_window window;
    int64_t from_s; /* readings with from_s < ts <= to_s, UTC */
    int64_t to_s;
    int64_t zone_offset_s; /* days are local days */
};

err job_run(struct readings *source, const struct job *j, struct ranking *out) MUST_USE;

/* Meter ids of a text file, one a line, 16 hex digits; '#' begins a comment. The caller frees *out
 * with mem_give. */
#define LABELS_MAX 100000
err labels_parse(struct bytes text, uint64_t **out, size_t *out_count) MUST_USE;

/* Appends the ranking as one JSON object; `auc` is left out when negative. */
err ranking_json(const struct ranking *r, double auc, struct buf *out) MUST_USE;
/* The same for people: the first `limit` ranks. */
err ranking_table(const struct ranking *r, size_t limit, struct buf *out) MUST_USE;
