/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's detector: classes of daily behaviour by a self-organising map, and the correlation of
 * a customer's days with his regular behaviour over one-day windows.
 * paper: Smart metering applications, fraud detection.
 *
 * Its blind spot is in its formula: a correlation does not change when a day is multiplied by a
 * constant, so theft that only scales is invisible to it (docs/paper.md says what sees it). */
#pragma once

#include "report/fraud/som.h"

struct paper_score {
    double score;       /* 1 - mean of the best correlations; higher is more suspicious */
    double new_classes; /* share of test days in a class that the history never had */
    int32_t worst_day;  /* the local day that correlated worst, and how well */
    double worst_correlation;
};

/* Pearson coefficient of two days; 0 when either is flat. */
double day_correlation(const double a[DAY_SLOTS], const double b[DAY_SLOTS]);

/* `history` are the days of regular behaviour, `test` those in question; both not empty. */
struct paper_score paper_score(const struct som *map, const struct day *history,
                               size_t history_count, const struct day *test, size_t test_count);
