/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/determinants.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/wire/record.h"
#include "report/billing/civil.h"
#include "report/billing/documents.h"

#define STEEL_BYTES_MAX (4u << 20)
#define STEEL_ROWS_MAX 20000
#define KOREA_OFFSET_S 32400

static struct tariff tariff;
static struct calendar calendar;

static int load(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    (void)state;
    assert_ok(document_tariff("deploy/tariff/a4-green-2018.yaml", &json, &tariff));
    assert_ok(document_calendar("deploy/tariff/calendar-br-2018.yaml", &json, &calendar));
    return 0;
}

/* --- one synthetic day: Tuesday 2018-01-02, registers raised by each interval's energies --- */

struct sample {
    struct plan *plan;
    struct point points[96];
    struct usage usage;
    int64_t d[DET_COUNT];
    struct bill_meter meter;
    struct refusals refusals;
};

static void sample_begin(struct sample *s)
{
    int64_t start = civil_day_start(&calendar, 17533);

    *s = (struct sample){ 0 };
    assert_ok(plan_new(&tariff, &calendar, start, start + 86400, 900, &s->plan));
    s->usage.opening = (struct registers){ 1000, 2000, 3000 };
    s->usage.points = s->points;
    s->usage.count = 96;
    for (uint32_t i = 0; i < 96; i++) {
        s->points[i].sequence = i + 1;
        s->points[i].interval_s = 900;
        s->points[i].demand_w = READ_MISSING;
        s->points[i].end_s = (uint32_t)start + 900 * (i + 1);
        s->points[i].at = s->usage.opening;
    }
    s->usage.closing = s->usage.opening;
}

/* From interval `slot` on, registers are higher by these. */
static void sample_add(struct sample *s, uint32_t slot, uint64_t act, uint64_t ind, uint64_t cap)
{
    for (uint32_t i = slot; i < 96; i++) {
        s->points[i].at.e_act += act;
        s->points[i].at.e_ind += ind;
        s->points[i].at.e_cap += cap;
    }
    s->usage.closing.e_act += act;
    s->usage.closing.e_ind += ind;
    s->usage.closing.e_cap += cap;
}

static void sample_drop(struct sample *s, uint32_t slot, uint32_t count)
{
    memmove(s->points + slot, s->points + slot + count,
            (s->usage.count - slot - count) * sizeof s->points[0]);
    s->usage.count -= count;
}

static void sample_run(struct sample *s, int64_t contracted_w)
{
    determinants_compute(s->plan, &tariff, &s->usage, contracted_w, s->d, &s->meter, &s->refusals);
    plan_freep(&s->plan);
}

static void energy_goes_to_the_post_of_its_interval(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 71, 10, 0, 0); /* 17:45 to 18:00 */
    sample_add(&s, 72, 100, 0, 0);
    sample_add(&s, 83, 1000, 0, 0); /* 20:45 to 21:00 */
    sample_add(&s, 84, 10000, 0, 0);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.d[DET_ENERGY_PEAK], 1100);
    assert_int_equal(s.d[DET_ENERGY_OFF_PEAK], 10010);
    assert_int_equal(s.d[DET_DEMAND_PEAK], 4000 * 1000);
    assert_int_equal(s.d[DET_DEMAND_OFF_PEAK], 40000 * 1000);
    assert_int_equal(s.d[DET_DEMAND_MEASURED], 40000 * 1000);
    assert_int_equal(s.d[DET_FLAG_GREEN], 11110);
    assert_int_equal(s.d[DET_HOURS], 24);
}

static void in_the_capacitive_window_only_capacitive_energy_counts(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 4, 3, 0, 4);    /* 01:00, capacitive: counts */
    sample_add(&s, 8, 3, 4, 0);    /* 02:00, inductive in the window: does not */
    sample_add(&s, 23, 3, 0, 4);   /* 05:45 */
    sample_add(&s, 24, 3, 0, 4);   /* 06:00, capacitive outside: does not */
    sample_add(&s, 28, 3, 4, 0);   /* 07:00, inductive outside: counts */
    sample_add(&s, 72, 1, 1, 0);   /* 18:00, peak */
    sample_add(&s, 90, 0, 500, 0); /* without active energy: no excess */
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.d[DET_REACTIVE_EXCESS_OFF_PEAK], 3 * 1600);
    assert_int_equal(s.d[DET_REACTIVE_EXCESS_PEAK], 301);
    assert_int_equal(s.d[DET_REACTIVE_EQUIVALENT_OFF_PEAK], 4600);
    assert_int_equal(s.d[DET_REACTIVE_EQUIVALENT_PEAK], 1301);
    assert_int_equal(s.d[DET_HOURS_WITH_EXCESS], 4);
    assert_int_equal(s.d[DET_REACTIVE_CAPACITIVE], 12);
    assert_int_equal(s.d[DET_REACTIVE_INDUCTIVE], 509);
}

static void reactive_energy_is_summed_over_the_hour_before_it_is_judged(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 40, 100000, 42600, 0); /* alone below 0.92 ... */
    sample_add(&s, 41, 1, 0, 0);          /* ... with the rest of its hour not */
    sample_run(&s, 1);
    assert_int_equal(s.d[DET_REACTIVE_EXCESS_OFF_PEAK], 0);
    sample_begin(&s);
    sample_add(&s, 40, 100000, 42600, 0);
    sample_run(&s, 1);
    assert_int_equal(s.d[DET_REACTIVE_EXCESS_OFF_PEAK], 64);
}

static void overrun_begins_above_105_percent_and_counts_from_the_contract(void **state)
{
    static const struct {
        uint64_t wh;
        int64_t contracted_w, measured, billed, unused, overrun;
    } table[] = {
        { 9187, 35000, 36748000, 36748000, 0, 0 },
        { 9188, 35000, 36752000, 36752000, 0, 1752000 },
        { 105, 400, 420000, 420000, 0, 0 },
        { 106, 400, 424000, 424000, 0, 24000 },
        { 20000, 100000, 80000000, 100000000, 20000000, 0 },
        { 25000, 100000, 100000000, 100000000, 0, 0 },
    };
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sample_begin(&s);
        sample_add(&s, 50, table[i].wh, 0, 0);
        sample_run(&s, table[i].contracted_w);
        assert_int_equal(s.d[DET_DEMAND_MEASURED], table[i].measured);
        assert_int_equal(s.d[DET_DEMAND_BILLED], table[i].billed);
        assert_int_equal(s.d[DET_DEMAND_UNUSED], table[i].unused);
        assert_int_equal(s.d[DET_DEMAND_OVERRUN], table[i].overrun);
    }
}

static void reactive_demand_excess_is_what_passes_the_billed_demand(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    for (uint32_t i = 40; i < 44; i++) {
        sample_add(&s, i, 750, 1000, 0); /* 3 kW and 4 kvar through one hour: 4.6 kW */
    }
    sample_run(&s, 4000);
    assert_int_equal(s.d[DET_REACTIVE_DEMAND_EXCESS], 600000);
    sample_begin(&s);
    sample_add(&s, 40, 3000, 4000, 0);
    sample_run(&s, 4000);
    assert_int_equal(s.d[DET_DEMAND_BILLED], 12000000);
    assert_int_equal(s.d[DET_REACTIVE_DEMAND_EXCESS], 0);
}

static void a_gap_without_energy_is_exact_and_listed(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 10, 100, 0, 0);
    sample_drop(&s, 30, 50);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.meter.gap_count, 1);
    assert_int_equal(s.meter.gaps[0].to_s - s.meter.gaps[0].from_s, 50 * 900);
    assert_int_equal(s.d[DET_ENERGY_OFF_PEAK], 100);
}

static void a_gap_inside_an_hour_that_cannot_hold_the_maximum_is_exact(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 10, 500, 0, 0);
    sample_add(&s, 41, 100, 0, 0);
    sample_drop(&s, 41, 2);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.meter.gap_count, 1);
    assert_int_equal(s.d[DET_ENERGY_OFF_PEAK], 600);
    assert_int_equal(s.d[DET_DEMAND_MEASURED], 2000000);
}

static void other_gaps_are_refused(void **state)
{
    static const struct {
        uint32_t slot, count;
        uint64_t wh;
    } table[] = {
        { 41, 2, 501 }, /* may hold the largest demand */
        { 42, 3, 100 }, /* over two hours */
        { 70, 2, 100 }, /* over a post edge */
        { 92, 4, 100 }, /* until the end: two hours are exact only without energy */
        { 94, 2, 501 },
    };
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sample_begin(&s);
        sample_add(&s, 10, 500, 0, 0);
        sample_add(&s, table[i].slot, table[i].wh, 0, 0);
        sample_drop(&s, table[i].slot, table[i].count);
        sample_run(&s, 1);
        if (i == 3) { /* one hour, and no more than the maximum */
            assert_int_equal(s.refusals.count, 0);
            continue;
        }
        assert_int_equal(s.refusals.count, 1);
        assert_int_equal(s.refusals.list[0].reason, REFUSAL_GAP);
    }
}

static void a_reading_that_explains_all_energy_ends_a_gap_exactly(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 10, 100, 0, 0);
    sample_add(&s, 80, 5000, 70, 0);
    s.points[80].demand_w = 20003;
    sample_drop(&s, 30, 50);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.meter.gap_count, 1);
    assert_int_equal(s.d[DET_DEMAND_MEASURED], 20000000);
    sample_begin(&s);
    sample_add(&s, 10, 100, 0, 0);
    sample_add(&s, 80, 5000, 70, 0);
    s.points[80].demand_w = 20009;
    sample_drop(&s, 30, 50);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_GAP);
}

static void a_reading_without_registers_is_a_gap(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 10, 500, 0, 0);
    sample_add(&s, 41, 100, 0, 0);
    s.points[41].at.e_ind = REGISTER_MISSING;
    sample_run(&s, 1);
    assert_int_equal(s.refusals.count, 0);
    assert_int_equal(s.meter.gap_count, 1);
    assert_int_equal(s.d[DET_ENERGY_OFF_PEAK], 600);
}

static void registers_that_go_back_or_do_not_close_are_refused(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    s.points[50].at.e_cap--;
    sample_run(&s, 1);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_REGISTER);
    sample_begin(&s);
    s.usage.closing.e_act++;
    sample_run(&s, 1);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_REGISTER);
    sample_begin(&s);
    s.usage.closing.e_ind--;
    sample_run(&s, 1);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_REGISTER);
    sample_begin(&s);
    sample_add(&s, 3, UINT64_C(1) << 53, 0, 0);
    sample_run(&s, 1);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_REGISTER);
}

static void quantities_out_of_range_are_refused_not_wrapped(void **state)
{
    struct sample s;

    (void)state;
    sample_begin(&s);
    sample_add(&s, 3, UINT64_C(1) << 52, 0, UINT64_C(1) << 51);
    sample_run(&s, 1);
    assert_true(s.refusals.count > 0);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_RANGE);
    sample_begin(&s);
    for (uint32_t i = 0; i < 96; i++) {
        sample_add(&s, i, 1, UINT64_C(1) << 46, UINT64_C(1) << 46);
    }
    sample_run(&s, 1);
    assert_true(s.refusals.count > 0);
    assert_int_equal(s.refusals.list[0].reason, REFUSAL_RANGE);
}

/* --- lines --- */

static struct bill priced(const int64_t d[DET_COUNT], bool public_body)
{
    struct bill b = { .parameters = { .public_body = public_body } };

    memcpy(b.determinants, d, sizeof b.determinants);
    assert_ok(determinants_price(&tariff, &b));
    return b;
}

static void lines_without_quantity_or_price_are_left_out(void **state)
{
    int64_t d[DET_COUNT] = { 0 };

    (void)state;
    struct bill none = priced(d, true);
    assert_int_equal(none.line_count, 0);
    assert_int_equal(none.total_c, 0);
    d[DET_FLAG_GREEN] = 1000; /* its price is 0 */
    d[DET_ENERGY_PEAK] = 1000;
    struct bill b = priced(d, false);
    assert_int_equal(b.line_count, 2);
    assert_int_equal(b.lines[0].id, LINE_TE_PEAK);
    assert_int_equal(b.lines[1].id, LINE_TUSD_PEAK);
    assert_int_equal(b.withheld_c, 0);
}

static void totals_are_sums_of_rounded_lines_less_the_withholding(void **state)
{
    int64_t d[DET_COUNT] = { 0 };

    (void)state;
    for (size_t i = 0; i < DET_COUNT; i++) {
        d[i] = 1234567;
    }
    struct bill b = priced(d, true);
    int64_t sum = 0;
    for (size_t i = 0; i < b.line_count; i++) {
        sum += b.lines[i].gross_c;
        assert_int_equal(b.lines[i].icms_c == 0, b.lines[i].id == LINE_DEMAND_UNUSED);
    }
    assert_int_equal(b.line_count, LINE_COUNT - 1); /* green costs nothing */
    assert_true(b.withheld_c > 0);
    assert_int_equal(b.total_c, sum - b.withheld_c);
}

static void amounts_out_of_range_are_an_error(void **state)
{
    struct bill b = { .line_count = 0 };

    (void)state;
    b.determinants[DET_ENERGY_PEAK] = CANON_INT_MAX;
    assert_err(determinants_price(&tariff, &b), ERR_LIMIT);
}

/* --- golden quantities of a real plant, outside the repository --- */

static bool shared_path(const char *name, char out[512])
{
    const char *root = getenv("METERSEAL_SHARED");

    snprintf(out, 512, "%s/data/%s", root != NULL ? root : "../shared", name);
    FILE *f = fopen(out, "rb");
    if (f == NULL) {
        return false;
    }
    fclose(f);
    return true;
}

struct steel {
    struct registers at[STEEL_ROWS_MAX + 1]; /* behind each row */
    size_t rows;
};

static uint64_t steel_field(char **at)
{
    uint64_t whole = strtoull(*at, at, 10);

    assert_int_equal(**at, '.');
    uint64_t cents = strtoull(*at + 1, at, 10);
    *at += **at == ',';
    return whole * 1000 + cents * 10;
}

static void steel_read(const char *path, struct steel *s)
{
    AUTO(buf_done) struct buf text = { .max = STEEL_BYTES_MAX };
    char *rest = NULL;

    assert_ok(file_read(path, &text));
    assert_ok(buf_u8(&text, 0));
    assert_non_null(strtok_r((char *)text.ptr, "\n", &rest)); /* the header */
    for (char *line = strtok_r(NULL, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_true(s->rows < STEEL_ROWS_MAX);
        char *at = strchr(line, ',') + 1;
        struct registers *next = &s->at[s->rows + 1];
        *next = s->at[s->rows];
        next->e_act += steel_field(&at);
        next->e_ind += steel_field(&at);
        next->e_cap += steel_field(&at);
        s->rows++;
    }
}

/* Determinants of intervals [first, first + count) of the plant. */
static void steel_month(const struct steel *s, size_t first, int64_t start, int64_t end,
                        const struct calendar *c, int64_t d[DET_COUNT])
{
    struct plan *p = NULL;
    struct bill_meter gaps = { .gap_count = 0 };
    struct refusals refusals = { .count = 0 };

    assert_ok(plan_new(&tariff, c, start, end, 900, &p));
    struct point *points = calloc(p->count, sizeof *points);
    for (uint32_t i = 0; i < p->count; i++) {
        points[i].end_s = (uint32_t)(start + 900 * (int64_t)(i + 1));
        points[i].at = s->at[first + i + 1];
    }
    struct usage u = { s->at[first], s->at[first + p->count], points, p->count };
    determinants_compute(p, &tariff, &u, 1, d, &gaps, &refusals);
    assert_int_equal(refusals.count, 0);
    free(points);
    plan_free(p);
}

static int64_t golden_at(const json_t *month, const char *group, const char *post)
{
    return json_integer_value(json_object_get(json_object_get(month, group), post));
}

static void golden_check(const json_t *month, const int64_t d[DET_COUNT])
{
    assert_int_equal(d[DET_ENERGY_PEAK], golden_at(month, "energy_Wh", "peak"));
    assert_int_equal(d[DET_ENERGY_OFF_PEAK], golden_at(month, "energy_Wh", "off_peak"));
    assert_int_equal(d[DET_DEMAND_PEAK], 1000 * golden_at(month, "max_demand_15min_W", "peak"));
    assert_int_equal(d[DET_DEMAND_OFF_PEAK],
                     1000 * golden_at(month, "max_demand_15min_W", "off_peak"));
    assert_int_equal(d[DET_REACTIVE_EXCESS_PEAK], golden_at(month, "reactive_excess_mWh", "peak"));
    assert_int_equal(d[DET_REACTIVE_EXCESS_OFF_PEAK],
                     golden_at(month, "reactive_excess_mWh", "off_peak"));
    assert_int_equal(d[DET_REACTIVE_EQUIVALENT_PEAK],
                     golden_at(month, "max_hourly_equivalent_demand_mW", "peak"));
    assert_int_equal(d[DET_REACTIVE_EQUIVALENT_OFF_PEAK],
                     golden_at(month, "max_hourly_equivalent_demand_mW", "off_peak"));
}

static void six_months_of_a_steel_plant_match_the_golden_quantities(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(json_freep) json_t *golden = NULL;
    char csv[512];
    char json[512];
    struct calendar korea = calendar;
    int64_t hours = 0;
    int64_t below = 0;
    size_t first = 0;

    (void)state;
    if (!shared_path("Steel_2018H1.csv", csv) ||
        !shared_path("golden_quantities_2018H1.json", json)) {
        print_message("# the golden data are absent (METERSEAL_SHARED): skipped\n");
        /* cmocka's skip prints "not ok", which meson takes for a failure. */
        return;
    }
    struct steel *s = calloc(1, sizeof *s);
    steel_read(csv, s);
    assert_ok(file_read(json, &text));
    assert_ok(json_read(buf_bytes(&text), CANON_BYTES_MAX, 16, &golden));
    korea.zone_count = 1;
    korea.zone[0] = (struct calendar_shift){ 0, KOREA_OFFSET_S };
    const json_t *months = json_object_get(golden, "months");
    for (size_t i = 0; i < json_array_size(months); i++) {
        const json_t *month = json_array_get(months, i);
        int64_t d[DET_COUNT] = { 0 };
        int64_t start = 0;
        int64_t end = 0;
        assert_ok(civil_month(&korea,
                              bytes_of_string(json_string_value(json_object_get(month, "month"))),
                              &start, &end));
        steel_month(s, first, start, end, &korea, d);
        golden_check(month, d);
        first += (size_t)(end - start) / 900;
        hours += d[DET_HOURS];
        below += d[DET_HOURS_WITH_EXCESS];
    }
    assert_int_equal(first, 17376);
    assert_int_equal(hours, 4344);
    assert_int_equal(below, 1429);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_goes_to_the_post_of_its_interval),
        cmocka_unit_test(in_the_capacitive_window_only_capacitive_energy_counts),
        cmocka_unit_test(reactive_energy_is_summed_over_the_hour_before_it_is_judged),
        cmocka_unit_test(overrun_begins_above_105_percent_and_counts_from_the_contract),
        cmocka_unit_test(reactive_demand_excess_is_what_passes_the_billed_demand),
        cmocka_unit_test(a_gap_without_energy_is_exact_and_listed),
        cmocka_unit_test(a_gap_inside_an_hour_that_cannot_hold_the_maximum_is_exact),
        cmocka_unit_test(other_gaps_are_refused),
        cmocka_unit_test(a_reading_that_explains_all_energy_ends_a_gap_exactly),
        cmocka_unit_test(a_reading_without_registers_is_a_gap),
        cmocka_unit_test(registers_that_go_back_or_do_not_close_are_refused),
        cmocka_unit_test(quantities_out_of_range_are_refused_not_wrapped),
        cmocka_unit_test(lines_without_quantity_or_price_are_left_out),
        cmocka_unit_test(totals_are_sums_of_rounded_lines_less_the_withholding),
        cmocka_unit_test(amounts_out_of_range_are_an_error),
        cmocka_unit_test(six_months_of_a_steel_plant_match_the_golden_quantities),
    };
    return cmocka_run_group_tests_name("determinants", tests, load, NULL);
}
