/* SPDX-License-Identifier: Apache-2.0 */
/* How well a ranking finds what it should (docs/style of evaluation: fraud method, section 9). */
#pragma once

#include "lib/base/bytes.h"

struct scored {
    double score;
    bool positive; /* a thief, by the labels */
};

/* Area under the ROC curve with mid-ranks for ties. Sorts `rows`. ERR_PROTO when one class is
 * empty: there is no such area. */
err metric_auc(struct scored *rows, size_t count, double *out) MUST_USE;

/* Average precision, ties grouped: sum over distinct scores of recall gained x precision there.
 * Sorts `rows`. */
err metric_average_precision(struct scored *rows, size_t count, double *out) MUST_USE;
