/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/record.h"

#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/nbr.h"

static const char vector_hex[] =
    "01010000000088e100000000123456786921cff0038400000000319c00003188"
    "000031a6000055dc000055e4000055f6000027100000251c000027d800000a18"
    "000009ce00000a4600000d440000066700000ebb000023280000236000002305"
    "0000232e000000d2000000cd000000dc0000035200000384000003340000ea6a"
    "00000d440000000000bc614e000000000045b35200000000000004d2";

static const struct record vector = {
    .flags = RECORD_SIMULATED,
    .sequence = 35041,
    .meter = 0x12345678,
    .end_s = 1763823600,
    .interval_s = RECORD_INTERVAL_S,
    .reads = { 12700, 12680, 12710, 21980, 21988, 22006, 10000, 9500, 10200,
               2584,  2510,  2630,  3396,  1639,  3771,  9000,  9056, 8965,
               9006,  210,   205,   220,   850,   900,   820,   60010, 3396 },
    .e_act = 12345678,
    .e_ind = 4567890,
    .e_cap = 1234,
};

static void the_vector_encodes_to_its_octets(void **state)
{
    uint8_t raw[RECORD_BYTES];

    (void)state;
    record_encode(&vector, raw);
    assert_hex(BYTES_OF(raw), vector_hex);
}

static void the_vector_parses_to_its_fields(void **state)
{
    uint8_t raw[RECORD_BYTES];
    struct record r;

    (void)state;
    assert_ok(hex_decode(bytes_of_string(vector_hex), raw, sizeof raw));
    assert_ok(record_parse(BYTES_OF(raw), &r));
    assert_true(record_equal(&r, &vector));
}

static void missing_reads_and_registers_survive_the_way(void **state)
{
    struct record r = vector;
    struct record back;
    uint8_t raw[RECORD_BYTES];

    (void)state;
    r.reads[READ_FREQ] = READ_MISSING;
    r.reads[READ_Q3] = -17;
    r.e_cap = REGISTER_MISSING;
    record_encode(&r, raw);
    assert_ok(record_parse(BYTES_OF(raw), &back));
    assert_true(record_equal(&r, &back));
}

static void every_shorter_and_longer_record_is_refused(void **state)
{
    uint8_t raw[RECORD_BYTES + 1] = { 0 };
    struct record r = { .sequence = 5 };

    (void)state;
    record_encode(&vector, raw);
    for (size_t n = 0; n <= sizeof raw; n++) {
        if (n != RECORD_BYTES) {
            assert_err(record_parse((struct bytes){ raw, n }, &r), ERR_PROTO);
        }
    }
    assert_int_equal(r.sequence, 5);
}

/* Sets `count` octets at `at` to `value` (big-endian) in the vector and parses. */
static err parse_with(size_t at, size_t count, uint32_t value)
{
    uint8_t raw[RECORD_BYTES];
    struct record r;

    record_encode(&vector, raw);
    for (size_t i = 0; i < count; i++) {
        raw[at + i] = (uint8_t)(value >> 8 * (count - 1 - i));
    }
    return record_parse(BYTES_OF(raw), &r);
}

static void refused_fields_are_named(void **state)
{
    static const struct {
        size_t at, count;
        uint32_t value;
        const char *name;
    } cases[] = {
        { 0, 1, 0, "version" },   { 0, 1, 2, "version" },          { 1, 1, 2, "flags" },
        { 2, 2, 0x0400, "status" }, { 22, 2, 1, "reserved" },      { 20, 2, 0, "interval" },
        { 20, 2, 7, "interval" }, { 20, 2, 7200, "interval" },     { 16, 4, 1763823601, "end" },
        { 16, 4, 1763823599, "end" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(parse_with(cases[i].at, cases[i].count, cases[i].value), ERR_PROTO);
        assert_non_null(strstr(err_text(), cases[i].name));
    }
    assert_ok(parse_with(2, 2, STATUS_KNOWN_BITS));
    assert_ok(parse_with(20, 2, 3600));
}

static void each_field_makes_a_record_differ(void **state)
{
    uint8_t raw[RECORD_BYTES];

    (void)state;
    for (size_t at = 4; at < RECORD_BYTES; at++) {
        struct record r;
        if (at >= 16 && at < 24) {
            continue; /* end and interval would be refused */
        }
        record_encode(&vector, raw);
        raw[at] ^= 0x40;
        assert_ok(record_parse(BYTES_OF(raw), &r));
        assert_false(record_equal(&r, &vector));
    }
}

static void names_are_those_of_the_thirty_reads(void **state)
{
    (void)state;
    assert_string_equal(record_read_name(1), "v_a");
    assert_string_equal(record_read_name(13), "p3");
    assert_string_equal(record_read_name(27), "demand");
    assert_string_equal(record_read_name(28), "e_act");
    assert_string_equal(record_read_name(30), "e_cap");
    for (unsigned n = 1; n <= 30; n++) {
        for (unsigned m = 1; m < n; m++) {
            assert_string_not_equal(record_read_name(n), record_read_name(m));
        }
    }
}

static struct report whole_report(void)
{
    return (struct report){ .record = vector, .newest = 35041, .oldest = 31682 };
}

static void the_vector_as_a_push_block_has_its_crc(void **state)
{
    const struct report whole = whole_report();
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r;

    (void)state;
    report_encode(&whole, block);
    assert_int_equal(block[256], 0x81);
    assert_int_equal(block[257], 0x15);
    assert_ok(report_parse(BYTES_OF(block), &r));
    assert_true(record_equal(&r.record, &vector));
    assert_int_equal(r.newest, 35041);
    assert_int_equal(r.oldest, 31682);
    assert_int_equal(r.missing_reason, 0);
}

static void a_missing_report_carries_sequence_and_reason(void **state)
{
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r = { .record = { .sequence = 77, .meter = 0x12345678 },
                        .newest = 100, .oldest = 3, .missing_reason = 1 };
    struct report back;

    (void)state;
    report_encode(&r, block);
    assert_int_equal(block[7], 0);
    assert_int_equal(block[8], 1);
    assert_int_equal(load_u32(block + 11), 77);
    assert_ok(report_parse(BYTES_OF(block), &back));
    assert_int_equal(back.missing_reason, 1);
    assert_int_equal(back.record.sequence, 77);
    assert_int_equal(back.record.meter, 0x12345678);
}

/* Changes one octet of a report block, mends the CRC, and parses. */
static err parse_changed(const struct report *from, size_t at, uint8_t value)
{
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r;

    report_encode(from, block);
    block[at] = value;
    nbr_crc_set(block, sizeof block);
    return report_parse(BYTES_OF(block), &r);
}

static void reports_that_are_none_are_refused(void **state)
{
    const struct report whole = whole_report();
    struct report missing = { .record = { .sequence = 77, .meter = 0x12345678 },
                              .missing_reason = 4 };
    uint8_t block[NBR_RESPONSE_BYTES];
    struct report r;

    (void)state;
    assert_err(parse_changed(&whole, 0, 0x14), ERR_PROTO);
    assert_err(parse_changed(&whole, 5, 0xA7), ERR_PROTO);
    assert_err(parse_changed(&whole, 6, 2), ERR_PROTO);
    assert_err(parse_changed(&whole, 4, 0x79), ERR_PROTO); /* serial of another meter */
    assert_err(parse_changed(&whole, 171, 1), ERR_PROTO);
    assert_err(parse_changed(&whole, 255, 1), ERR_PROTO);
    assert_ok(parse_changed(&missing, 8, 4));
    assert_err(parse_changed(&missing, 8, 5), ERR_PROTO);
    assert_err(parse_changed(&missing, 8, 0), ERR_PROTO);
    assert_err(parse_changed(&missing, 9, 1), ERR_PROTO);
    assert_err(parse_changed(&missing, 162, 1), ERR_PROTO);
    report_encode(&whole, block);
    block[100] ^= 1;
    assert_err(report_parse(BYTES_OF(block), &r), ERR_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_encodes_to_its_octets),
        cmocka_unit_test(the_vector_parses_to_its_fields),
        cmocka_unit_test(missing_reads_and_registers_survive_the_way),
        cmocka_unit_test(every_shorter_and_longer_record_is_refused),
        cmocka_unit_test(refused_fields_are_named),
        cmocka_unit_test(each_field_makes_a_record_differ),
        cmocka_unit_test(names_are_those_of_the_thirty_reads),
        cmocka_unit_test(the_vector_as_a_push_block_has_its_crc),
        cmocka_unit_test(a_missing_report_carries_sequence_and_reason),
        cmocka_unit_test(reports_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
