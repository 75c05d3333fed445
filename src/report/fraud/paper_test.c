/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/paper.h"

#include <math.h>
#include <string.h>

#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "report/fraud/metric.h"
#include "report/fraud/rank.h"

#define HISTORY 14
#define TEST 7

/* A customer with a morning and an evening peak and some noise. */
static void make_days(struct day *days, size_t count, uint64_t seed)
{
    struct rand64 r = { seed };

    for (size_t d = 0; d < count; d++) {
        days[d].number = (int32_t)d + 17000;
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            double hour = (double)i / 4;
            double shape = exp(-pow(hour - 8, 2) / 4) + 1.5 * exp(-pow(hour - 19, 2) / 6);
            days[d].w[i] = 1000 * (0.3 + shape) * rand64_range(&r, 0.9, 1.1);
        }
    }
}

static void train(struct som *map, const struct day *days, size_t count)
{
    double *rows = mem_take(count * DAY_SLOTS * sizeof *rows);

    for (size_t d = 0; d < count; d++) {
        day_normalise(days[d].w, rows + d * DAY_SLOTS);
    }
    assert_ok(som_train(map, rows, count));
    mem_give(rows);
}

static void near(double a, double b, double tolerance)
{
    if (fabs(a - b) > tolerance) {
        fail_msg("%.12f is not within %g of %.12f", a, tolerance, b);
    }
}

static void a_flat_day_is_the_zero_vector_and_correlates_with_nothing(void **state)
{
    double flat[DAY_SLOTS];
    double z[DAY_SLOTS];
    struct day other;

    (void)state;
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        flat[i] = 230.0;
    }
    make_days(&other, 1, 3);
    day_normalise(flat, z);
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        near(z[i], 0, 1e-9);
    }
    near(day_correlation(flat, other.w), 0, 1e-9);
    near(day_correlation(other.w, other.w), 1, 1e-12);
}

static void theft_that_only_scales_is_invisible_as_the_formula_says(void **state)
{
    struct day days[HISTORY + TEST];
    struct som *map = mem_take(sizeof *map);

    (void)state;
    make_days(days, HISTORY + TEST, 5);
    train(map, days, HISTORY);
    struct paper_score honest = paper_score(map, days, HISTORY, days + HISTORY, TEST);
    for (size_t d = HISTORY; d < HISTORY + TEST; d++) {
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            days[d].w[i] *= 0.3;
        }
    }
    struct paper_score scaled = paper_score(map, days, HISTORY, days + HISTORY, TEST);
    near(scaled.score, honest.score, 1e-9);
    mem_give(map);
}

static void theft_that_changes_the_shape_raises_the_score_and_names_the_day(void **state)
{
    struct day days[HISTORY + TEST];
    struct som *map = mem_take(sizeof *map);

    (void)state;
    make_days(days, HISTORY + TEST, 6);
    train(map, days, HISTORY);
    struct paper_score honest = paper_score(map, days, HISTORY, days + HISTORY, TEST);
    for (size_t i = 0; i < DAY_SLOTS / 2; i++) { /* one day runs backwards */
        struct day *d = &days[HISTORY + 3];
        double w = d->w[i];
        d->w[i] = d->w[DAY_SLOTS - 1 - i];
        d->w[DAY_SLOTS - 1 - i] = w;
    }
    struct paper_score thief = paper_score(map, days, HISTORY, days + HISTORY, TEST);
    assert_true(thief.score > honest.score + 0.01);
    assert_int_equal(thief.worst_day, days[HISTORY + 3].number);
    mem_give(map);
}

static err add_customer(struct ranker *r, uint64_t meter, uint64_t seed, size_t count)
{
    AUTO(series_done) struct series s = { 0 };
    struct day days[HISTORY + TEST];

    make_days(days, HISTORY + TEST, seed);
    for (size_t d = 0; d < count; d++) {
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            TRY(series_add_power(&s, (int64_t)days[d].number * 86400 + (int64_t)i * 900,
                                 days[d].w[i]));
        }
    }
    return ranker_add(r, meter, &s);
}

static void the_order_in_which_customers_come_does_not_matter(void **state)
{
    const struct rank_window w = { HISTORY, TEST };
    struct ranking a, b;

    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        AUTO(ranker_freep) struct ranker *r = NULL;
        assert_ok(ranker_new(&w, &r));
        for (uint64_t i = 0; i < 6; i++) {
            uint64_t meter = pass == 0 ? i : 5 - i;
            assert_ok(add_customer(r, meter, 100 + meter, HISTORY + TEST));
        }
        assert_ok(ranker_finish(r, pass == 0 ? &a : &b));
    }
    assert_int_equal(a.ranked, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(a.entries[i].meter, b.entries[i].meter);
        assert_memory_equal(&a.entries[i].result.score, &b.entries[i].result.score, sizeof(double));
    }
    ranking_done(&a);
    ranking_done(&b);
}

static void a_customer_with_too_few_days_is_told_so_and_not_ranked(void **state)
{
    const struct rank_window w = { HISTORY, TEST };
    AUTO(ranker_freep) struct ranker *r = NULL;
    AUTO(ranking_done) struct ranking ranking = { 0 };

    (void)state;
    assert_ok(ranker_new(&w, &r));
    assert_ok(add_customer(r, 1, 1, HISTORY + TEST));
    assert_ok(add_customer(r, 2, 2, HISTORY + TEST - 1));
    assert_ok(ranker_finish(r, &ranking));
    assert_int_equal(ranking.count, 2);
    assert_int_equal(ranking.ranked, 1);
    assert_int_equal(ranking.entries[1].meter, 2);
    assert_string_equal(ranking.entries[1].reason, "too few usable days");
}

static void an_empty_window_is_refused(void **state)
{
    const struct rank_window none = { 0, 7 };
    const struct rank_window large = { 400, 1 };
    struct ranker *r;

    (void)state;
    assert_err(ranker_new(&none, &r), ERR_LIMIT);
    assert_err(ranker_new(&large, &r), ERR_LIMIT);
}

static void auc_counts_ties_half(void **state)
{
    struct scored rows[] = { { 3, true }, { 2, true }, { 2, false }, { 1, false } };
    struct scored same[] = { { 1, true }, { 1, false }, { 1, false } };
    struct scored none[] = { { 1, false } };
    double v;

    (void)state;
    assert_ok(metric_auc(rows, 4, &v));
    near(v, 3.5 / 4, 1e-12);
    assert_ok(metric_auc(same, 3, &v));
    near(v, 0.5, 1e-12);
    assert_err(metric_auc(none, 1, &v), ERR_PROTO);
    assert_ok(metric_average_precision(rows, 4, &v));
    near(v, 0.5 + 0.5 * 2 / 3, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_day_is_the_zero_vector_and_correlates_with_nothing),
        cmocka_unit_test(theft_that_only_scales_is_invisible_as_the_formula_says),
        cmocka_unit_test(theft_that_changes_the_shape_raises_the_score_and_names_the_day),
        cmocka_unit_test(the_order_in_which_customers_come_does_not_matter),
        cmocka_unit_test(a_customer_with_too_few_days_is_told_so_and_not_ranked),
        cmocka_unit_test(an_empty_window_is_refused),
        cmocka_unit_test(auc_counts_ties_half),
    };
    return cmocka_run_group_tests_name("paper", tests, NULL, NULL);
}
