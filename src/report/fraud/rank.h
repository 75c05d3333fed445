/* SPDX-License-Identifier: Apache-2.0 */
/* The ranking of customers by suspicion: one map over all histories, one score a customer. */
#pragma once

#include "report/fraud/paper.h"

#define RANK_CUSTOMERS_MAX 1000000

struct rank_window {
    uint32_t history_days; /* usable days of regular behaviour; the reference has 84 */
    uint32_t test_days;    /* usable days in question: 28, 7 or 1 */
};

struct rank_entry {
    uint64_t meter;
    bool ranked;
    const char *reason; /* why not ranked; a constant */
    bool marked;        /* over 5 % estimated readings */
    struct paper_score result;
};

struct ranking {
    struct rank_window window;
    struct rank_entry *entries; /* owned; ranked ones first, most suspicious first, ties by meter */
    size_t count;
    size_t ranked;
};

/* Customers are added one by one with all days of history and test; only what the map and the score
 * need is kept, about 86 KiB a customer at 84 + 28 days. */
struct ranker;
err ranker_new(const struct rank_window *w, struct ranker **out) MUST_USE;
void ranker_free(struct ranker *r);
void ranker_freep(struct ranker **r);
err ranker_add(struct ranker *r, uint64_t meter, struct series *s) MUST_USE;
/* Trains the map, scores, sorts. Gives; ranking_done frees. */
err ranker_finish(struct ranker *r, struct ranking *out) MUST_USE;
void ranking_done(struct ranking *r);

/* AUC of the ranked customers against the labelled ones. */
err ranking_auc(const struct ranking *r, const uint64_t *thieves, size_t thief_count, double *out)
    MUST_USE;
