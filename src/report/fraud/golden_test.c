/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's detector against independent figures on real series, when these are at hand
 * (METERSEAL_SHARED, else ../shared beside the sources); skipped otherwise. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/base/clock.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "report/fraud/metric.h"
#include "report/fraud/paper.h"

#define HISTORY 84
#define TEST 28
#define UNITS_MAX 64
#define FILES 4

enum attack { FDI1, FDI2, FDI3, FDI4, FDI5, FDI6, PHASE, MILD, CLIP, NIGHT, PEAK, RAMP, ATTACKS };

struct customer {
    struct day *days;
    size_t count;
};

struct unit {
    const struct customer *customer;
    size_t start; /* first test day */
};

static const char *const names[FILES] = { "EastCampus_2018", "MusicBuilding_2018",
                                          "SocialScience_2018", "Steel_2018H1" };
static struct customer customers[FILES];
static struct som map;
static json_t *golden;

static void shared_path(char *out, size_t size, const char *name, const char *ending)
{
    const char *shared = getenv("METERSEAL_SHARED");

    snprintf(out, size, "%s/data/%s%s", shared != NULL ? shared : "../shared", name, ending);
}

static void load_customer(struct customer *c, const char *name)
{
    AUTO(series_done) struct series s = { 0 };
    char path[512];
    char line[128];
    double scale = strncmp(name, "Steel", 5) == 0 ? 4000 : 1000; /* kWh a quarter, or kW */

    shared_path(path, sizeof path, name, ".csv");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f) != NULL) {
        int64_t start_s;
        double value;
        assert_ok(time_parse((struct bytes){ (const uint8_t *)line, 16 }, &start_s));
        assert_int_equal(sscanf(line + 17, "%lf", &value), 1);
        assert_ok(series_add_power(&s, start_s, value * scale));
    }
    fclose(f);
    assert_ok(series_usable_days(&s, &c->days, &c->count));
    /* The last calendar day of a file is not used. */
    if (c->count > 0 && c->days[c->count - 1].number == s.first_day + (int32_t)s.day_count - 1) {
        c->count--;
    }
}

static void train_map(void)
{
    double *rows = mem_take((size_t)FILES * HISTORY * DAY_SLOTS * sizeof *rows);

    for (size_t f = 0; f < FILES; f++) {
        for (size_t d = 0; d < HISTORY; d++) {
            day_normalise(customers[f].days[d].w, rows + (f * HISTORY + d) * DAY_SLOTS);
        }
    }
    assert_ok(som_train(&map, rows, (size_t)FILES * HISTORY));
    mem_give(rows);
}

static int load_everything(void **state)
{
    char path[512];

    (void)state;
    shared_path(path, sizeof path, "fraud_golden_dev", ".json");
    golden = json_load_file(path, 0, NULL);
    assert_non_null(golden);
    for (size_t f = 0; f < FILES; f++) {
        load_customer(&customers[f], names[f]);
    }
    train_map();
    return 0;
}

static int free_everything(void **state)
{
    (void)state;
    json_decref(golden);
    for (size_t f = 0; f < FILES; f++) {
        mem_give(customers[f].days);
    }
    return 0;
}

static size_t make_units(struct unit *out)
{
    size_t count = 0;

    for (size_t f = 0; f < FILES; f++) {
        const struct customer *c = &customers[f];
        for (size_t a = HISTORY; a + TEST <= c->count; a += 28) {
            int32_t span = c->days[a + TEST - 1].number - c->days[a - HISTORY].number;
            if (span <= HISTORY + TEST + 10) {
                out[count++] = (struct unit){ c, a };
            }
        }
    }
    return count;
}

static double mean_of(const double *x)
{
    double sum = 0;

    for (size_t i = 0; i < DAY_SLOTS; i++) {
        sum += x[i];
    }
    return sum / DAY_SLOTS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double history_quantile(const struct unit *u, double q)
{
    size_t n = (size_t)HISTORY * DAY_SLOTS;
    double *all = mem_take(n * sizeof *all);

    for (size_t d = 0; d < HISTORY; d++) {
        memcpy(all + d * DAY_SLOTS, u->customer->days[u->start - HISTORY + d].w,
               sizeof(double) * DAY_SLOTS);
    }
    qsort(all, n, sizeof *all, by_value);
    double at = (double)(n - 1) * q;
    size_t low = (size_t)at;
    double v = all[low] + (all[low + 1] - all[low]) * (at - (double)low);
    mem_give(all);
    return v;
}

/* One false day; `unit_factor` is the one draw of a unit that FDI1 and MILD use. */
static void falsify(enum attack a, struct rand64 *r, double unit_factor, double clip, size_t day,
                    double *x)
{
    double mean = mean_of(x);
    double copy[DAY_SLOTS];
    size_t length = 0, start = 0;

    memcpy(copy, x, sizeof copy);
    if (a == FDI2) {
        length = 16 + rand64_below(r, 81);
        start = rand64_below(r, 81);
    }
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        switch (a) {
        case FDI1:
        case MILD: x[i] *= unit_factor; break;
        case FDI2: x[i] = i >= start && i < start + length ? 0 : x[i]; break;
        case FDI3: x[i] *= rand64_range(r, 0.1, 0.8); break;
        case FDI4: x[i] = mean * rand64_range(r, 0.1, 0.8); break;
        case FDI5: x[i] = mean; break;
        case FDI6: x[i] = copy[DAY_SLOTS - 1 - i]; break;
        case PHASE: x[i] *= 2.0 / 3; break;
        case CLIP: x[i] = fmin(x[i], clip); break;
        case NIGHT: x[i] *= i < 24 || i >= 88 ? 0.5 : 1; break;
        case PEAK: x[i] *= i >= 72 && i < 84 ? 0.3 : 1; break;
        case RAMP: x[i] *= 1 - 0.4 * (double)day / (TEST - 1); break;
        case ATTACKS: break;
        }
    }
}

static double attacked_score(const struct unit *u, size_t index, enum attack a)
{
    struct rand64 r = { 1000 + index };
    struct day *test = mem_take(TEST * sizeof *test);
    double factor = a == FDI1 ? rand64_range(&r, 0.1, 0.8) : 1;

    if (a == MILD) {
        factor = rand64_range(&r, 0.8, 0.95);
    }
    memcpy(test, u->customer->days + u->start, TEST * sizeof *test);
    for (size_t d = 0; d < TEST; d++) {
        falsify(a, &r, factor, a == CLIP ? history_quantile(u, 0.7) : 0, d, test[d].w);
    }
    double score =
        paper_score(&map, u->customer->days + u->start - HISTORY, HISTORY, test, TEST).score;
    mem_give(test);
    return score;
}

static double honest_score(const struct unit *u, struct paper_score *out)
{
    *out = paper_score(&map, u->customer->days + u->start - HISTORY, HISTORY,
                       u->customer->days + u->start, TEST);
    return out->score;
}

static const json_t *golden_window(void)
{
    return json_object_get(json_object_get(golden, "windows"), "28");
}

static void days_and_units_are_those_of_the_golden_file(void **state)
{
    struct unit units[UNITS_MAX];

    (void)state;
    for (size_t f = 0; f < FILES; f++) {
        const json_t *days = json_object_get(golden, "usable_days");
        assert_int_equal(customers[f].count, json_integer_value(json_object_get(days, names[f])));
    }
    assert_int_equal(make_units(units),
                     json_array_size(json_object_get(golden_window(), "units")));
}

static void scores_of_honest_units_agree(void **state)
{
    struct unit units[UNITS_MAX];

    (void)state;
    size_t count = make_units(units);
    for (size_t u = 0; u < count; u++) {
        const json_t *want = json_object_get(
            json_array_get(json_object_get(golden_window(), "units"), u), "honest");
        struct paper_score s;
        honest_score(&units[u], &s);
        /* A near-tie in the map can move a day to the neighbour class: 0.05 absolute. */
        if (fabs(s.score - json_number_value(json_array_get(want, 2))) > 0.05 ||
            fabs(s.new_classes - json_number_value(json_array_get(want, 3))) > 0.05) {
            fail_msg("unit %zu: score %f, new classes %f", u, s.score, s.new_classes);
        }
    }
}

static void the_method_is_as_good_and_as_blind_as_measured(void **state)
{
    struct unit units[UNITS_MAX];
    struct scored rows[2 * UNITS_MAX];
    double sum = 0;

    (void)state;
    size_t count = make_units(units);
    const json_t *want =
        json_object_get(json_object_get(golden_window(), "auc"), "paper_corr");
    for (enum attack a = FDI1; a < ATTACKS; a++) {
        double auc;
        for (size_t u = 0; u < count; u++) {
            struct paper_score s;
            rows[2 * u] = (struct scored){ honest_score(&units[u], &s), false };
            rows[2 * u + 1] = (struct scored){ attacked_score(&units[u], u, a), true };
        }
        assert_ok(metric_auc(rows, 2 * count, &auc));
        sum += auc;
        if (fabs(auc - json_number_value(json_array_get(want, a))) > 0.02) {
            fail_msg("attack %d: AUC %f", (int)a, auc);
        }
    }
    assert_true(fabs(sum / ATTACKS - 0.776) < 0.01);
}

static void metrics_agree_on_real_scores_with_many_ties(void **state)
{
    static struct scored rows[50000];
    char path[512];
    char line[128];
    size_t count = 0;
    double auc, ap;

    (void)state;
    shared_path(path, sizeof path, "sgcc_metric_fixture", ".csv");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    while (count < 50000 && fgets(line, sizeof line, f) != NULL) {
        rows[count].positive = line[0] == '1';
        assert_int_equal(sscanf(line + 2, "%lf", &rows[count].score), 1);
        count++;
    }
    fclose(f);
    assert_ok(metric_auc(rows, count, &auc));
    assert_ok(metric_average_precision(rows, count, &ap));
    assert_true(fabs(auc - 0.740628) < 5e-7);
    assert_true(fabs(ap - 0.277206) < 5e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_units_are_those_of_the_golden_file),
        cmocka_unit_test(scores_of_honest_units_agree),
        cmocka_unit_test(the_method_is_as_good_and_as_blind_as_measured),
        cmocka_unit_test(metrics_agree_on_real_scores_with_many_ties),
    };
    char path[512];

    shared_path(path, sizeof path, "fraud_golden_dev", ".json");
    if (access(path, R_OK) != 0) {
        return test_skip_all("the golden data are not here (METERSEAL_SHARED)");
    }
    return cmocka_run_group_tests_name("golden", tests, load_everything, free_everything);
}
