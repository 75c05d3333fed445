/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/metric.h"

#include <stdlib.h>

/* Highest score first. */
static int by_score(const void *a, const void *b)
{
    const struct scored *x = a;
    const struct scored *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

static err count_positives(const struct scored *rows, size_t count, size_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        n += rows[i].positive;
    }
    if (n == 0 || n == count) {
        FAIL(ERR_PROTO, "a ranking of %zu with %zu positives has no such figure", count, n);
    }
    *out = n;
    return OK;
}

/* The run of equal scores that starts at `from`: where it ends, and its positives. */
static size_t tie_end(const struct scored *rows, size_t count, size_t from, size_t *out_positives)
{
    size_t end = from;

    *out_positives = 0;
    while (end < count && !(rows[end].score < rows[from].score)) {
        *out_positives += rows[end].positive;
        end++;
    }
    return end;
}

err metric_auc(struct scored *rows, size_t count, double *out)
{
    size_t positives;
    size_t above = 0; /* positives with a higher score */
    double pairs = 0; /* (positive, negative) pairs in the right order, ties half */

    TRY(count_positives(rows, count, &positives));
    qsort(rows, count, sizeof *rows, by_score);
    for (size_t i = 0; i < count;) {
        size_t tied;
        size_t end = tie_end(rows, count, i, &tied);
        double negatives = (double)(end - i - tied);
        pairs += negatives * ((double)above + (double)tied / 2);
        above += tied;
        i = end;
    }
    *out = pairs / ((double)positives * (double)(count - positives));
    return OK;
}

err metric_average_precision(struct scored *rows, size_t count, double *out)
{
    size_t positives;
    size_t found = 0;
    double sum = 0;

    TRY(count_positives(rows, count, &positives));
    qsort(rows, count, sizeof *rows, by_score);
    for (size_t i = 0; i < count;) {
        size_t tied;
        size_t end = tie_end(rows, count, i, &tied);
        found += tied;
        sum += (double)tied / (double)positives * ((double)found / (double)end);
        i = end;
    }
    *out = sum;
    return OK;
}
