/* SPDX-License-Identifier: Apache-2.0 */
/* Records that cannot be read as a whole still say which reading they claim to be: the checks of
 * sequences go on with that. */
#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/bundle.h"
#include "sample.h"

#define SEQUENCE_AT 4
#define METER_AT 8
#define END_AT 16
#define VICTIM ((size_t)9)

static struct world w;
static struct sample s;
static struct findings f;

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

static int make_sample(void **state)
{
    (void)state;
    sample_new(&w, 7, &s);
    return 0;
}

static int drop_sample(void **state)
{
    (void)state;
    findings_done(&f);
    f = (struct findings){ 0 };
    sample_done(&s);
    return 0;
}

static uint8_t *record_at(size_t i)
{
    return s.files[AUDIT_READINGS].ptr + i * RECORD_BYTES;
}

/* The record once more, behind itself. */
static uint8_t *twin_of(size_t at)
{
    struct buf *b = &s.files[AUDIT_READINGS];
    uint8_t copy[RECORD_BYTES];

    memcpy(copy, record_at(at), RECORD_BYTES);
    assert_ok(buf_append(b, BYTES_OF(copy)));
    memmove(record_at(at + 2), record_at(at + 1), b->len - (at + 2) * RECORD_BYTES);
    memcpy(record_at(at + 1), copy, RECORD_BYTES);
    return record_at(at + 1);
}

static void move_end(uint8_t *record, uint32_t seconds)
{
    store_u32(record + END_AT, load_u32(record + END_AT) + seconds);
}

static void audit(void)
{
    struct audit_options options = { .level = AUDIT_L1 };
    struct audit_files files = sample_files(&s);

    assert_ok(audit_bundle(&files, &options, &f));
}

/* Exactly these codes, so often. */
static void assert_codes(const uint16_t (*want)[2], size_t count)
{
    for (size_t i = 0; i < f.code_count; i++) {
        uint32_t expected = 0;
        for (size_t k = 0; k < count; k++) {
            expected = want[k][0] == f.counts[i].code ? want[k][1] : expected;
        }
        if (f.counts[i].count != expected) {
            fail_msg("%u findings of E%u, wanted %u", f.counts[i].count, f.counts[i].code,
                     expected);
        }
    }
    assert_int_equal(f.code_count, count);
}
#define ASSERT_CODES(...)                              \
    assert_codes((const uint16_t[][2]){ __VA_ARGS__ }, \
                 sizeof((const uint16_t[][2]){ __VA_ARGS__ }) / sizeof(uint16_t[2]))

static void a_reading_doubled_one_second_later_is_a_double_and_a_wrong_clock(void **state)
{
    (void)state;
    move_end(twin_of(VICTIM), 1);
    audit();
    ASSERT_CODES({ E303, 1 }, { E406, 1 });
    for (size_t i = 0; i < f.count; i++) {
        assert_int_equal(f.list[i].sequence, s.records[VICTIM].sequence);
    }
}

static void such_doubles_that_are_equal_are_told_apart_from_different_ones(void **state)
{
    (void)state;
    move_end(twin_of(VICTIM), 1);
    memcpy(twin_of(VICTIM), record_at(VICTIM + 2), RECORD_BYTES);
    audit();
    ASSERT_CODES({ E302, 1 }, { E303, 1 }, { E406, 2 });
}

static void a_double_before_the_true_one_changes_nothing(void **state)
{
    (void)state;
    twin_of(VICTIM);
    move_end(record_at(VICTIM), (uint32_t)-1);
    audit();
    ASSERT_CODES({ E303, 1 }, { E406, 1 });
}

static void a_sole_reading_with_a_wrong_end_is_not_missing_but_altered(void **state)
{
    (void)state;
    move_end(record_at(VICTIM), 1);
    audit();
    assert_int_equal(findings_count_of(&f, E301), 0);
    assert_int_equal(findings_count_of(&f, E302), 0);
    assert_int_equal(findings_count_of(&f, E303), 0);
    assert_true(findings_count_of(&f, E308) > 0); /* a gap that the bill does not list */
    assert_int_equal(findings_count_of(&f, E406), 1);
    assert_int_equal(findings_count_of(&f, E401), 1);
    assert_int_equal(findings_count_of(&f, E402), 1);
}

static void the_meter_of_such_a_reading_is_checked_too(void **state)
{
    uint8_t *twin;

    (void)state;
    twin = record_at(VICTIM);
    move_end(twin, 1);
    store_u64(twin + METER_AT, s.meter->id + 1);
    audit();
    assert_int_equal(findings_count_of(&f, E204), 1);
}

static void such_a_reading_that_no_seal_covers_is_named(void **state)
{
    struct buf *b = &s.files[AUDIT_READINGS];
    uint8_t copy[RECORD_BYTES];

    (void)state;
    memcpy(copy, record_at(s.record_count - 1), RECORD_BYTES);
    store_u32(copy + SEQUENCE_AT, load_u32(copy + SEQUENCE_AT) + 1000);
    move_end(copy, 1);
    assert_ok(buf_append(b, BYTES_OF(copy)));
    audit();
    assert_int_equal(findings_count_of(&f, E305), 1);
    assert_int_equal(findings_count_of(&f, E308), 2); /* received and measured */
    assert_int_equal(findings_count_of(&f, E406), 1);
}

static void octets_of_another_version_claim_nothing(void **state)
{
    (void)state;
    *twin_of(VICTIM) = 9;
    audit();
    ASSERT_CODES({ E101, 1 });
}

static void a_missing_reading_is_missed_beside_an_unreadable_one(void **state)
{
    struct buf *b = &s.files[AUDIT_READINGS];

    (void)state;
    move_end(record_at(VICTIM), 1);
    memmove(record_at(VICTIM + 1), record_at(VICTIM + 2), b->len - (VICTIM + 2) * RECORD_BYTES);
    b->len -= RECORD_BYTES;
    audit();
    assert_int_equal(findings_count_of(&f, E301), 1);
    for (size_t i = 0; i < f.count; i++) {
        if (f.list[i].code == E301) {
            assert_int_equal(f.list[i].sequence, s.records[VICTIM + 1].sequence);
        }
    }
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, make_sample, drop_sample)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(a_reading_doubled_one_second_later_is_a_double_and_a_wrong_clock),
        WITH_SAMPLE(such_doubles_that_are_equal_are_told_apart_from_different_ones),
        WITH_SAMPLE(a_double_before_the_true_one_changes_nothing),
        WITH_SAMPLE(a_sole_reading_with_a_wrong_end_is_not_missing_but_altered),
        WITH_SAMPLE(the_meter_of_such_a_reading_is_checked_too),
        WITH_SAMPLE(such_a_reading_that_no_seal_covers_is_named),
        WITH_SAMPLE(octets_of_another_version_claim_nothing),
        WITH_SAMPLE(a_missing_reading_is_missed_beside_an_unreadable_one),
    };
    return cmocka_run_group_tests_name("unreadable", tests, make_world, drop_world);
}
