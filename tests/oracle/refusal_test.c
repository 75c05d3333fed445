/* SPDX-License-Identifier: Apache-2.0 */
/* Who cannot be billed, and why: each reason has its case. */
#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/tables.h"
#include "sample.h"

static struct world w;
static struct sample s;

static int make_world(void **state)
{
    (void)state;
    world_new(&w);
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    world_done(&w);
    return 0;
}

/* A sample with an opening seal, at least two days, no gap, no bill before. */
static void plain_sample(void)
{
    for (uint64_t seed = 1;; seed++) {
        sample_new(&w, seed, &s);
        if (s.has_opening && !s.has_previous && s.seal_count > 3 && s.bill.meter.gap_count == 0) {
            return;
        }
        sample_done(&s);
    }
}

static void joined_sample(void)
{
    for (uint64_t seed = 1;; seed++) {
        sample_new(&w, seed, &s);
        if (s.has_previous && s.seal_count > 2) {
            return;
        }
        sample_done(&s);
    }
}

static bool has_reason(const struct refusals *r, enum refusal_reason reason)
{
    for (size_t i = 0; i < r->count && i < REFUSALS_MAX; i++) {
        if (r->list[i].reason == reason) {
            return true;
        }
    }
    return false;
}

static void refused(enum refusal_reason reason)
{
    struct refusals r = { .count = 0 };

    sample_try(&s, &r);
    if (!has_reason(&r, reason)) {
        fail_msg("not refused for %s, but %zu reasons, first %s: %s", refusal_name(reason), r.count,
                 r.count > 0 ? refusal_name(r.list[0].reason) : "none", r.list[0].text);
    }
    sample_done(&s);
}

static void drop_seal_at(size_t at)
{
    memmove(&s.seals[at], &s.seals[at + 1], (s.seal_count - at - 1) * sizeof s.seals[0]);
    s.seal_count--;
}

static void drop_record_at(size_t at)
{
    memmove(&s.records[at], &s.records[at + 1], (s.record_count - at - 1) * sizeof s.records[0]);
    s.record_count--;
}

static void a_contract_of_another_tariff_is_refused(void **state)
{
    (void)state;
    plain_sample();
    memcpy(s.contract.subgroup, "A3", 3);
    refused(REFUSAL_CONTRACT);
    plain_sample();
    memcpy(s.contract.modality, "blue", 5);
    refused(REFUSAL_CONTRACT);
    plain_sample();
    s.contract.contracted_w = 0;
    refused(REFUSAL_CONTRACT);
    plain_sample();
    s.contract.contracted_w = -5;
    refused(REFUSAL_CONTRACT);
}

static void a_missing_seal_is_named_with_its_days(void **state)
{
    struct refusals r = { .count = 0 };

    (void)state;
    plain_sample();
    struct seal gone = s.seals[2].seal;
    drop_seal_at(2);
    sample_try(&s, &r);
    assert_true(has_reason(&r, REFUSAL_SEAL_MISSING));
    assert_int_equal(r.list[0].from_s, gone.start_s);
    assert_int_equal(r.list[0].to_s, gone.end_s);
    sample_done(&s);
    plain_sample();
    s.seal_count--;
    refused(REFUSAL_SEAL_MISSING);
    plain_sample();
    s.seal_count = 1;
    refused(REFUSAL_SEAL_MISSING);
    plain_sample();
    s.seal_count = 0;
    refused(REFUSAL_SEAL_MISSING);
}

static void without_an_opening_seal_only_a_new_meter_is_billed(void **state)
{
    (void)state;
    plain_sample();
    drop_seal_at(0);
    refused(REFUSAL_OPENING);
}

static void a_broken_chain_of_seals_is_refused(void **state)
{
    (void)state;
    plain_sample();
    s.seals[2].seal.previous.octets[0] ^= 1;
    refused(REFUSAL_SEAL_BROKEN);
    plain_sample();
    s.seals[2].seal.meter++;
    refused(REFUSAL_SEAL_BROKEN);
    plain_sample();
    s.seals[3].seal.key_epoch++;
    refused(REFUSAL_SEAL_BROKEN);
    plain_sample();
    s.seals[2].seal.e_ind = s.seals[1].seal.e_ind - 1;
    refused(REFUSAL_REGISTER);
}

static void a_sealed_reading_that_is_not_stored_waits_for_gap_filling(void **state)
{
    (void)state;
    plain_sample();
    drop_record_at(17);
    refused(REFUSAL_READING_MISSING);
}

static void readings_in_the_wrong_place_are_refused(void **state)
{
    (void)state;
    plain_sample();
    s.records[5] = s.records[4];
    refused(REFUSAL_READING_DOUBLED);
    plain_sample();
    s.records[5].end_s = s.records[4].end_s;
    refused(REFUSAL_READING_FOREIGN);
    plain_sample();
    s.records[5].interval_s = 1800;
    refused(REFUSAL_READING_FOREIGN);
    plain_sample();
    s.records[5].end_s += 1;
    refused(REFUSAL_READING_FOREIGN);
    plain_sample();
    s.records[s.record_count - 1].end_s += 900;
    refused(REFUSAL_READING_FOREIGN);
    plain_sample();
    s.records[0].sequence = s.seals[1].seal.first - 1;
    refused(REFUSAL_READING_FOREIGN);
}

static void estimated_reset_and_test_readings_are_refused(void **state)
{
    (void)state;
    plain_sample();
    s.records[7].status |= STATUS_ESTIMATED;
    refused(REFUSAL_ESTIMATED);
    plain_sample();
    s.records[7].status |= STATUS_REGISTER_RESET;
    refused(REFUSAL_REGISTER);
    plain_sample();
    s.tariff.production = true;
    refused(REFUSAL_TEST);
    plain_sample();
    s.tariff.production = true;
    for (size_t i = 0; i < s.record_count; i++) {
        s.records[i].flags = 0;
    }
    s.records[9].status |= STATUS_TEST_MODE;
    refused(REFUSAL_TEST);
}

static void what_validation_marked_is_refused_and_listed(void **state)
{
    struct refusals r = { .count = 0 };

    (void)state;
    plain_sample();
    s.quality[7] = QUALITY_SUSPECT;
    s.quality[20] = s.quality[21] = s.quality[22] = QUALITY_SUSPECT;
    s.quality[23] = QUALITY_INVALID;
    sample_try(&s, &r);
    assert_int_equal(r.count, 3);
    for (size_t i = 0; i < r.count; i++) {
        assert_int_equal(r.list[i].reason, REFUSAL_QUALITY);
    }
    assert_int_equal(r.list[1].from_s, s.records[20].end_s - 900);
    assert_int_equal(r.list[1].to_s, s.records[22].end_s);
    assert_non_null(strstr(r.list[1].text, "suspect"));
    assert_non_null(strstr(r.list[2].text, "invalid"));
    sample_done(&s);
}

static void no_quality_but_valid_and_edited_is_billed(void **state)
{
    static const uint8_t never[] = { QUALITY_SUSPECT,   QUALITY_INVALID,    QUALITY_MISSING,
                                     QUALITY_ESTIMATED, QUALITY_EDITED + 1, UINT8_MAX };
    struct refusals r = { .count = 0 };

    (void)state;
    for (size_t i = 0; i < sizeof never; i++) {
        plain_sample();
        s.quality[s.record_count - 1] = never[i];
        refused(REFUSAL_QUALITY);
    }
    plain_sample();
    s.quality[7] = QUALITY_EDITED; /* an operator has decided */
    sample_try(&s, &r);
    assert_int_equal(r.count, 0);
    sample_done(&s);
}

static void an_estimated_reading_is_refused_once(void **state)
{
    struct refusals r = { .count = 0 };

    (void)state;
    plain_sample();
    s.records[7].status |= STATUS_ESTIMATED;
    s.quality[7] = QUALITY_ESTIMATED;
    s.quality[8] = QUALITY_ESTIMATED; /* without its status bit */
    sample_try(&s, &r);
    assert_int_equal(r.count, 2);
    assert_true(has_reason(&r, REFUSAL_ESTIMATED));
    assert_true(has_reason(&r, REFUSAL_QUALITY));
    sample_done(&s);
}

static void a_gap_the_meter_admits_is_refused_when_energy_fell_in_it(void **state)
{
    (void)state;
    plain_sample();
    /* Two hours of load without reading, and the meter's seals say so. */
    for (size_t i = 0; i < 8; i++) {
        drop_record_at(40);
    }
    s.records[40].reads[READ_DEMAND] = READ_MISSING;
    sample_seal(&s);
    refused(REFUSAL_GAP);
}

static void registers_that_go_back_are_refused(void **state)
{
    (void)state;
    plain_sample();
    s.records[8].e_cap = 0;
    refused(REFUSAL_REGISTER);
}

static void a_bill_must_join_the_bill_before(void **state)
{
    (void)state;
    joined_sample();
    s.previous_bill.end_s -= 86400;
    refused(REFUSAL_PREVIOUS);
    joined_sample();
    s.previous_bill.meter.closing.seal.octets[0] ^= 1;
    refused(REFUSAL_PREVIOUS);
    joined_sample();
    drop_seal_at(0);
    refused(REFUSAL_OPENING);
}

static void amounts_out_of_range_are_refused(void **state)
{
    (void)state;
    plain_sample();
    s.contract.contracted_w = INT64_C(9000000000000);
    s.tariff.prices_e8[PRICE_DEMAND] = TARIFF_PRICE_MAX;
    refused(REFUSAL_RANGE);
}

static void all_reasons_are_told_not_only_the_first(void **state)
{
    struct refusals r = { .count = 0 };

    (void)state;
    plain_sample();
    s.contract.contracted_w = 0;
    s.records[7].status |= STATUS_ESTIMATED;
    drop_record_at(17);
    sample_try(&s, &r);
    assert_true(has_reason(&r, REFUSAL_CONTRACT));
    assert_true(has_reason(&r, REFUSAL_ESTIMATED));
    assert_true(has_reason(&r, REFUSAL_READING_MISSING));
    sample_done(&s);
}

static void what_the_meter_signed_is_verified(void **state)
{
    struct refusals r = { .count = 0 };

    (void)state;
    plain_sample();
    sample_verify(&s, &r);
    assert_int_equal(r.count, 0);
    s.records[11].reads[3]++;
    sample_verify(&s, &r);
    assert_true(has_reason(&r, REFUSAL_SEAL_BROKEN));
    s.records[11].reads[3]--;
    r.count = 0;
    s.seals[1].signature.octets[9] ^= 1;
    sample_verify(&s, &r);
    assert_true(has_reason(&r, REFUSAL_SEAL_BROKEN));
    sample_done(&s);
}

static void a_new_meter_is_billed_from_zero_or_from_its_first_reading(void **state)
{
    size_t zero = 0;
    size_t later = 0;

    (void)state;
    for (uint64_t seed = 1; zero == 0 || later == 0; seed++) {
        sample_new(&w, seed, &s);
        const struct bill_end *o = &s.bill.meter.opening;
        if (!o->sealed && s.records[0].sequence == 1) {
            assert_int_equal(o->e_act, 0);
            zero++;
        } else if (!o->sealed) {
            assert_int_equal(o->e_act, s.records[0].e_act);
            later++;
        }
        sample_done(&s);
    }
}

static void every_reason_has_its_own_name(void **state)
{
    (void)state;
    for (enum refusal_reason i = 0; i < REFUSAL_REASONS; i++) {
        assert_non_null(refusal_name(i));
        for (enum refusal_reason j = 0; j < i; j++) {
            assert_string_not_equal(refusal_name(i), refusal_name(j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_of_another_tariff_is_refused),
        cmocka_unit_test(a_missing_seal_is_named_with_its_days),
        cmocka_unit_test(without_an_opening_seal_only_a_new_meter_is_billed),
        cmocka_unit_test(a_broken_chain_of_seals_is_refused),
        cmocka_unit_test(a_sealed_reading_that_is_not_stored_waits_for_gap_filling),
        cmocka_unit_test(readings_in_the_wrong_place_are_refused),
        cmocka_unit_test(estimated_reset_and_test_readings_are_refused),
        cmocka_unit_test(what_validation_marked_is_refused_and_listed),
        cmocka_unit_test(no_quality_but_valid_and_edited_is_billed),
        cmocka_unit_test(an_estimated_reading_is_refused_once),
        cmocka_unit_test(a_gap_the_meter_admits_is_refused_when_energy_fell_in_it),
        cmocka_unit_test(registers_that_go_back_are_refused),
        cmocka_unit_test(a_bill_must_join_the_bill_before),
        cmocka_unit_test(amounts_out_of_range_are_refused),
        cmocka_unit_test(all_reasons_are_told_not_only_the_first),
        cmocka_unit_test(what_the_meter_signed_is_verified),
        cmocka_unit_test(a_new_meter_is_billed_from_zero_or_from_its_first_reading),
        cmocka_unit_test(every_reason_has_its_own_name),
    };
    return cmocka_run_group_tests_name("refusals", tests, make_world, drop_world);
}
