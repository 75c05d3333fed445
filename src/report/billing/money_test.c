/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/money.h"

#include "lib/base/rand.h"
#include "lib/base/test.h"

static void the_table_of_reactive_hours_is_met(void **state)
{
    static const struct {
        uint64_t p, q, v, excess;
    } table[] = {
        { 100000, 42599, 0, 0 },
        { 100000, 42600, 100000064, 64 },
        { 3, 4, 4600, 1600 },
        { 1, 1, 1301, 301 },
        { 0, 5000, 0, 0 },
        { 3000000000, 4000000000, 4600000000000, 1600000000000 },
        { 4503599627370495, 4503599627370495, 5859527538723709458, 1355927911353214458 },
        { 482190, 206610, 482622993, 432993 },
        { 408570, 182380, 411633856, 3063856 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct reactive_hour h = money_reactive(table[i].p, table[i].q);
        assert_int_equal(h.excess_mwh, table[i].excess);
        assert_int_equal(h.equivalent_mw, table[i].v != 0 ? table[i].v : table[i].p * 1000);
        assert_int_equal(h.below, table[i].v != 0);
    }
}

static void check_root(money_wide n)
{
    money_wide r = money_isqrt(n);

    assert_true(r * r <= n);
    assert_true(r == UINT64_MAX || (r + 1) * (r + 1) > n);
}

static void the_root_is_the_floor_of_the_exact_root(void **state)
{
    struct rand64 rand = { 7 };

    (void)state;
    for (uint64_t n = 0; n < 5000; n++) {
        check_root(n);
    }
    for (unsigned bits = 1; bits < 64; bits++) {
        money_wide r = ((money_wide)1 << bits) - 1;
        check_root(r * r);
        check_root(r * r - 1);
        check_root(r * r + 2 * r);
        check_root(r * r + 2 * r + 1);
    }
    for (int i = 0; i < 20000; i++) {
        money_wide n = (money_wide)rand64_next(&rand) << 64 | rand64_next(&rand);
        check_root(n >> rand64_below(&rand, 128));
    }
    check_root(~(money_wide)0);
}

static void ties_go_to_the_even_centavo(void **state)
{
    (void)state;
    assert_int_equal(money_round(5, 10, MONEY_HALF_EVEN), 0);
    assert_int_equal(money_round(15, 10, MONEY_HALF_EVEN), 2);
    assert_int_equal(money_round(25, 10, MONEY_HALF_EVEN), 2);
    assert_int_equal(money_round(5, 10, MONEY_HALF_UP), 1);
    assert_int_equal(money_round(15, 10, MONEY_HALF_UP), 2);
    assert_int_equal(money_round(25, 10, MONEY_HALF_UP), 3);
    assert_int_equal(money_round(49, 100, MONEY_HALF_UP), 0);
    assert_int_equal(money_round(51, 100, MONEY_HALF_EVEN), 1);
    assert_int_equal(money_round(7, 7, MONEY_HALF_EVEN), 1);
    assert_int_equal(money_round(0, 3, MONEY_HALF_UP), 0);
}

static struct bill_line line_of(int64_t q, int64_t c, int32_t icms, int32_t pis,
                                enum money_rounding rule)
{
    struct bill_line l = { .quantity_milli = q, .price_e8 = c };

    assert_ok(money_line(&l, icms, pis, rule));
    assert_int_equal(l.net_c, l.gross_c - l.icms_c - l.pis_cofins_c);
    return l;
}

static void half_a_centavo_shows_the_rule(void **state)
{
    (void)state;
    assert_int_equal(line_of(500, 1000000, 0, 0, MONEY_HALF_EVEN).gross_c, 0);
    assert_int_equal(line_of(500, 1000000, 0, 0, MONEY_HALF_UP).gross_c, 1);
    assert_int_equal(line_of(1500, 1000000, 0, 0, MONEY_HALF_EVEN).gross_c, 2);
    assert_int_equal(line_of(1500, 1000000, 0, 0, MONEY_HALF_UP).gross_c, 2);
}

static const struct tariff_taxes golden_taxes = { 170000, 80200, 48000, 12000 };

/* The lines of the golden invoice behind demand and overrun. */
static int64_t golden_energy(enum money_rounding rule)
{
    static const struct {
        int64_t q, c, want;
    } lines[] = {
        { 831185000, 39457, 32796 }, { 40947000, 63351, 2594 }, { 831185000, 18909, 15717 },
        { 40947000, 140085, 5736 },  { 872132000, 2470, 2154 }, { 3629000, 42166, 153 },
    };
    int64_t sum = 0;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct bill_line l = line_of(lines[i].q, lines[i].c, 0, 0, rule);
        assert_int_equal(l.gross_c, lines[i].want);
        sum += l.gross_c;
    }
    assert_int_equal(sum, 59150);
    return sum;
}

static void the_golden_invoice_comes_out_to_the_centavo(void **state)
{
    (void)state;
    for (enum money_rounding rule = MONEY_HALF_EVEN; rule <= MONEY_HALF_UP; rule++) {
        struct bill_line demand = line_of(65140700, 1809000, 170000, 80200, rule);
        struct bill_line overrun = line_of(30140700, INT64_C(2) * 1809000, 170000, 80200, rule);
        assert_int_equal(demand.gross_c, 154355);
        assert_int_equal(demand.icms_c, 26240);
        assert_int_equal(demand.pis_cofins_c, 10275);
        assert_int_equal(demand.net_c, 117840);
        assert_int_equal(overrun.gross_c, 142840);
        int64_t energy = golden_energy(rule);
        int64_t power = demand.gross_c + overrun.gross_c;
        int64_t withheld = money_withheld(&golden_taxes, energy, power, rule);
        assert_int_equal(withheld, 14975);
        assert_int_equal(energy + power - withheld, 341370);
    }
}

static void the_whole_interval_of_measured_demand_gives_both_printed_amounts(void **state)
{
    static const struct {
        int64_t q, demand, overrun;
    } table[] = {
        { 65140671, 154355, 142840 },
        { 65140766, 154355, 142840 },
        { 65141000, 154355, 142842 },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(line_of(table[i].q, 1809000, 170000, 80200, MONEY_HALF_EVEN).gross_c,
                         table[i].demand);
        assert_int_equal(
            line_of(table[i].q - 35000000, 3618000, 170000, 80200, MONEY_HALF_EVEN).gross_c,
            table[i].overrun);
    }
    assert_true(line_of(65140670, 1809000, 170000, 80200, MONEY_HALF_EVEN).gross_c != 154355 ||
                line_of(30140670, 3618000, 170000, 80200, MONEY_HALF_EVEN).gross_c != 142840);
    assert_true(line_of(65140767, 1809000, 170000, 80200, MONEY_HALF_EVEN).gross_c != 154355 ||
                line_of(30140767, 3618000, 170000, 80200, MONEY_HALF_EVEN).gross_c != 142840);
}

static void printed_prices_give_the_printed_price_vector(void **state)
{
    struct bill_line demand = line_of(65141000, 2369560, 0, 0, MONEY_HALF_EVEN);
    struct bill_line overrun = line_of(30141000, 4739091, 0, 0, MONEY_HALF_EVEN);
    int64_t energy = golden_energy(MONEY_HALF_EVEN);

    (void)state;
    assert_int_equal(demand.gross_c, 154356);
    assert_int_equal(overrun.gross_c, 142841);
    int64_t power = demand.gross_c + overrun.gross_c;
    int64_t withheld = money_withheld(&golden_taxes, energy, power, MONEY_HALF_EVEN);
    assert_int_equal(withheld, 14975);
    assert_int_equal(energy + power - withheld, 341372);
}

static void unused_demand_bears_no_icms(void **state)
{
    struct bill_line used = line_of(80000000, 1809000, 170000, 80200, MONEY_HALF_EVEN);
    struct bill_line unused = line_of(20000000, 1809000, 0, 80200, MONEY_HALF_EVEN);

    (void)state;
    assert_int_equal(used.gross_c, 189565);
    assert_int_equal(used.icms_c, 32226);
    assert_int_equal(used.pis_cofins_c, 12619);
    assert_int_equal(used.net_c, 144720);
    assert_int_equal(unused.gross_c, 39335);
    assert_int_equal(unused.icms_c, 0);
    assert_int_equal(unused.pis_cofins_c, 3155);
    assert_int_equal(unused.net_c, 36180);
}

static void amounts_at_the_bounds_do_not_overflow(void **state)
{
    struct bill_line l = { .quantity_milli = MONEY_QUANTITY_MAX, .price_e8 = MONEY_PRICE_MAX };

    (void)state;
    assert_err(money_line(&l, 899999, 499999, MONEY_HALF_EVEN), ERR_LIMIT);
    l.price_e8 = 1000;
    assert_ok(money_line(&l, 0, 0, MONEY_HALF_EVEN));
    assert_int_equal(l.gross_c, 1000000000);
    l.quantity_milli = MONEY_QUANTITY_MAX + 1;
    assert_err(money_line(&l, 0, 0, MONEY_HALF_EVEN), ERR_LIMIT);
    l.quantity_milli = -1;
    assert_err(money_line(&l, 0, 0, MONEY_HALF_EVEN), ERR_LIMIT);
    l.quantity_milli = 1;
    l.price_e8 = MONEY_PRICE_MAX + 1;
    assert_err(money_line(&l, 0, 0, MONEY_HALF_EVEN), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_reactive_hours_is_met),
        cmocka_unit_test(the_root_is_the_floor_of_the_exact_root),
        cmocka_unit_test(ties_go_to_the_even_centavo),
        cmocka_unit_test(half_a_centavo_shows_the_rule),
        cmocka_unit_test(the_golden_invoice_comes_out_to_the_centavo),
        cmocka_unit_test(the_whole_interval_of_measured_demand_gives_both_printed_amounts),
        cmocka_unit_test(printed_prices_give_the_printed_price_vector),
        cmocka_unit_test(unused_demand_bears_no_icms),
        cmocka_unit_test(amounts_at_the_bounds_do_not_overflow),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
