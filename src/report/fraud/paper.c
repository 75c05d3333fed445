/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/paper.h"

#include <assert.h>
#include <string.h>

/* Regular behaviour: the mean of the raw history days of each class that occurs, normalised. */
struct behaviour {
    double prototype[SOM_NEURONS][DAY_SLOTS];
    size_t count[SOM_NEURONS];
};

static double dot(const double a[DAY_SLOTS], const double b[DAY_SLOTS])
{
    double sum = 0;

    for (size_t i = 0; i < DAY_SLOTS; i++) {
        sum += a[i] * b[i];
    }
    return sum / DAY_SLOTS;
}

double day_correlation(const double a[DAY_SLOTS], const double b[DAY_SLOTS])
{
    double za[DAY_SLOTS];
    double zb[DAY_SLOTS];

    day_normalise(a, za);
    day_normalise(b, zb);
    return dot(za, zb);
}

static void learn(const struct som *map, const struct day *days, size_t count, struct behaviour *b)
{
    double z[DAY_SLOTS];

    memset(b, 0, sizeof *b);
    for (size_t d = 0; d < count; d++) {
        day_normalise(days[d].w, z);
        size_t class = som_classify(map, z);
        b->count[class]++;
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            b->prototype[class][i] += days[d].w[i];
        }
    }
    for (size_t c = 0; c < SOM_NEURONS; c++) {
        for (size_t i = 0; i < DAY_SLOTS && b->count[c] > 0; i++) {
            b->prototype[c][i] /= (double)b->count[c];
        }
        if (b->count[c] > 0) {
            double mean[DAY_SLOTS];
            memcpy(mean, b->prototype[c], sizeof mean);
            day_normalise(mean, b->prototype[c]);
        }
    }
}

static double best_correlation(const struct behaviour *b, const double z[DAY_SLOTS])
{
    double best = -1;

    for (size_t c = 0; c < SOM_NEURONS; c++) {
        if (b->count[c] > 0) {
            double r = dot(z, b->prototype[c]);
            best = r > best ? r : best;
        }
    }
    return best;
}

struct paper_score paper_score(const struct som *map, const struct day *history,
                               size_t history_count, const struct day *test, size_t test_count)
{
    struct paper_score s = { .worst_correlation = 2 };
    struct behaviour b;
    double z[DAY_SLOTS];

    assert(history_count > 0 && test_count > 0);
    learn(map, history, history_count, &b);
    for (size_t d = 0; d < test_count; d++) {
        day_normalise(test[d].w, z);
        double r = best_correlation(&b, z);
        s.score += r;
        s.new_classes += b.count[som_classify(map, z)] == 0;
        if (r < s.worst_correlation) {
            s.worst_correlation = r;
            s.worst_day = test[d].number;
        }
    }
    s.score = 1 - s.score / (double)test_count;
    s.new_classes /= (double)test_count;
    return s;
}
