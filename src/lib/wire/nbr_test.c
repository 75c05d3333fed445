/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/nbr.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

struct vector {
    const char *octets; /* the first ones, in hex; the rest is zero */
    uint8_t low, high;  /* of the CRC, as sent */
};

static void make_block(const char *hex, uint8_t *block, size_t size)
{
    memset(block, 0, size);
    assert_ok(hex_decode(bytes_of_string(hex), block, strlen(hex) / 2));
    nbr_crc_set(block, size);
}

static void the_check_value_and_the_steps_are_those_of_arc(void **state)
{
    const uint8_t steps[] = { 0x11, 0x22, 0x33, 0x44 };
    const uint16_t want[] = { 0x0CC0, 0x498C, 0xB008, 0xF5B1 };

    (void)state;
    assert_int_equal(nbr_crc(0, BYTES_LIT("123456789")), 0xBB3D);
    assert_int_equal(nbr_crc(0xFFFF, BYTES_LIT("123456789")), 0x4B37);
    for (size_t n = 1; n <= 4; n++) {
        assert_int_equal(nbr_crc(0, (struct bytes){ steps, n }), want[n - 1]);
    }
}

static void single_octets_give_the_known_table_entries(void **state)
{
    const uint8_t octets[] = { 0x01, 0x02, 0x80, 0xFF };
    const uint16_t want[] = { 0xC0C1, 0xC181, 0xA001, 0x4040 };

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++) {
        assert_int_equal(nbr_crc(0, (struct bytes){ octets + i, 1 }), want[i]);
    }
}

static uint16_t crc_bit_by_bit(struct bytes t)
{
    unsigned crc = 0;

    for (size_t i = 0; i < t.len; i++) {
        crc ^= t.ptr[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1;
        }
    }
    return (uint16_t)crc;
}

static void eight_octets_a_step_equal_one_bit_a_step_for_every_length(void **state)
{
    uint8_t octets[258];

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (uint8_t)(i * 197 + 31);
    }
    for (size_t n = 0; n <= sizeof octets; n++) {
        struct bytes t = { octets, n };
        assert_int_equal(nbr_crc(0, t), crc_bit_by_bit(t));
    }
}

static void commands_carry_the_known_crcs(void **state)
{
    static const struct vector vectors[] = {
        { "14", 0x05, 0x0F },           { "23123456", 0x01, 0x0B },
        { "12001101", 0x77, 0x7C },     { "13001101", 0xB6, 0x8C },
        { "14001101", 0xF7, 0xDE },     { "21001101", 0x3B, 0x39 },
        { "23001101", 0xBA, 0x98 },     { "28001101", 0xF8, 0xCF },
        { "2500110101", 0x3B, 0x06 },   { "2900110102011304", 0xA2, 0x7A },
        { "14123456", 0x4C, 0x4D },     { "13123456", 0x0D, 0x1F },
        { "211234560000", 0x80, 0xAA }, { "30123456123456", 0xE4, 0x74 },
        { "2912345622112507", 0x2D, 0x99 }, { "E212345690", 0x4D, 0xAB },
        { "E212345690DE", 0x2D, 0x4F }, { "E212345690C0", 0x4D, 0x57 },
    };
    uint8_t block[NBR_COMMAND_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        make_block(vectors[i].octets, block, sizeof block);
        assert_int_equal(block[64], vectors[i].low);
        assert_int_equal(block[65], vectors[i].high);
        assert_int_equal(nbr_crc(0, BYTES_OF(block)), 0);
    }
}

static void responses_carry_the_known_crcs(void **state)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    (void)state;
    make_block("391234567887", block, sizeof block);
    assert_int_equal(block[256], 0xE8);
    assert_int_equal(block[257], 0x64);
    make_block("401234567843", block, sizeof block);
    assert_int_equal(block[256], 0x25);
    assert_int_equal(block[257], 0x22);
}

static void the_answer_of_a_real_meter_has_its_crc(void **state)
{
    static const char answer[] =
        "2032600760221500071021052215000710212215000710210000000110210000"
        "0000000000000000000000000000000000001800180018001800210021002100"
        "2100000000000000000000000000598501151512102112102102112115112102"
        "1121151121251221251221010122010122010322150422210422210422010522"
        "0000010000010000010000010000010000010171310000001681000101000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000110115201000000050000000002000000000060006092920600060000"
        "0000000600060000000000333303000101000000000107000000000000000000";
    uint8_t block[NBR_RESPONSE_BYTES];
    struct nbr_response r;

    (void)state;
    make_block(answer, block, sizeof block);
    assert_int_equal(block[256], 0x48);
    assert_int_equal(block[257], 0x5C);
    assert_ok(nbr_response_parse(BYTES_OF(block), &r));
    assert_int_equal(r.code, 0x20);
    assert_int_equal(r.meter, 0x32600760);
    assert_ptr_equal(r.data, block + NBR_RESPONSE_DATA);
}

static void a_command_tells_code_reader_and_parameters(void **state)
{
    uint8_t block[NBR_COMMAND_BYTES];
    struct nbr_command c;

    (void)state;
    make_block("30123456123456", block, sizeof block);
    assert_ok(nbr_command_parse(BYTES_OF(block), &c));
    assert_int_equal(c.code, 0x30);
    assert_int_equal(c.reader, 123456);
    assert_ptr_equal(c.parameters, block + 4);
}

static void every_other_size_is_refused(void **state)
{
    uint8_t block[NBR_RESPONSE_BYTES + 1] = { 0 };
    struct nbr_command c;
    struct nbr_response r;

    (void)state;
    for (size_t n = 0; n <= sizeof block; n++) {
        if (n != NBR_COMMAND_BYTES) {
            assert_err(nbr_command_parse((struct bytes){ block, n }, &c), ERR_PROTO);
        }
        if (n != NBR_RESPONSE_BYTES) {
            assert_err(nbr_response_parse((struct bytes){ block, n }, &r), ERR_PROTO);
        }
    }
}

static void every_flipped_bit_is_noticed(void **state)
{
    uint8_t block[NBR_COMMAND_BYTES];
    struct nbr_command c = { .code = 7 };

    (void)state;
    make_block("14123456", block, sizeof block);
    for (size_t bit = 0; bit < 8 * sizeof block; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_err(nbr_command_parse(BYTES_OF(block), &c), ERR_PROTO);
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(c.code, 7);
}

static void codes_are_bcd_and_no_signals_but_the_extension_is_one(void **state)
{
    uint8_t block[NBR_COMMAND_BYTES];
    struct nbr_command c;

    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        char hex[16];
        snprintf(hex, sizeof hex, "%02x123456", code);
        make_block(hex, block, sizeof block);
        bool bcd = code >> 4 <= 9 && (code & 15) <= 9 && code != 0;
        bool signal = code == 5 || code == 6 || code == 0x10 || code == 0x15;
        bool good = code == 0xE2 || (bcd && !signal);
        assert_err(nbr_command_parse(BYTES_OF(block), &c), good ? ERR_NONE : ERR_PROTO);
    }
}

static void serial_digits_above_nine_are_refused(void **state)
{
    uint8_t command[NBR_COMMAND_BYTES];
    uint8_t response[NBR_RESPONSE_BYTES];
    struct nbr_command c;
    struct nbr_response r;

    (void)state;
    make_block("141234A6", command, sizeof command);
    assert_err(nbr_command_parse(BYTES_OF(command), &c), ERR_PROTO);
    make_block("141234567A", response, sizeof response);
    assert_err(nbr_response_parse(BYTES_OF(response), &r), ERR_PROTO);
    assert_non_null(strstr(err_text(), "serial"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_and_the_steps_are_those_of_arc),
        cmocka_unit_test(single_octets_give_the_known_table_entries),
        cmocka_unit_test(eight_octets_a_step_equal_one_bit_a_step_for_every_length),
        cmocka_unit_test(commands_carry_the_known_crcs),
        cmocka_unit_test(responses_carry_the_known_crcs),
        cmocka_unit_test(the_answer_of_a_real_meter_has_its_crc),
        cmocka_unit_test(a_command_tells_code_reader_and_parameters),
        cmocka_unit_test(every_other_size_is_refused),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(codes_are_bcd_and_no_signals_but_the_extension_is_one),
        cmocka_unit_test(serial_digits_above_nine_are_refused),
    };
    return cmocka_run_group_tests_name("nbr", tests, NULL, NULL);
}
