/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/envelope.h"

#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/nbr.h"

/* A sealed CMD of the reference, header only. */
#define CMD_HEADER                                           \
    "4d5301030101005200000000123456780000000700000000000000" \
    "01"

static const struct envelope cmd = { .type = ENVELOPE_CMD,
                                     .flags = ENVELOPE_SEALED,
                                     .epoch = 1,
                                     .length = 82,
                                     .meter = 0x12345678,
                                     .transaction = 7,
                                     .counter = 1 };

static err parse_of(struct envelope e)
{
    uint8_t header[ENVELOPE_HEADER_BYTES];
    struct envelope out;

    envelope_encode(&e, header);
    return envelope_parse(BYTES_OF(header), &out);
}

static void a_header_has_its_vector(void **state)
{
    uint8_t header[ENVELOPE_HEADER_BYTES];
    struct envelope e;

    (void)state;
    envelope_encode(&cmd, header);
    assert_hex(BYTES_OF(header), CMD_HEADER);
    assert_ok(envelope_parse(BYTES_OF(header), &e));
    assert_int_equal(e.type, ENVELOPE_CMD);
    assert_int_equal(e.flags, ENVELOPE_SEALED);
    assert_int_equal(e.epoch, 1);
    assert_int_equal(e.length, 82);
    assert_true(e.meter == 0x12345678);
    assert_int_equal(e.transaction, 7);
    assert_true(e.counter == 1);
}

static void every_shorter_header_is_refused(void **state)
{
    struct bytes whole = UNHEX(CMD_HEADER);
    struct envelope e = { .type = 99 };

    (void)state;
    for (size_t n = 0; n < ENVELOPE_HEADER_BYTES; n++) {
        assert_err(envelope_parse((struct bytes){ whole.ptr, n }, &e), ERR_PROTO);
    }
    assert_int_equal(e.type, 99);
}

static void a_wrong_field_is_refused_and_named(void **state)
{
    const struct {
        size_t at;
        uint8_t value;
        const char *text;
    } cases[] = { { 0, 0x4e, "magic" },     { 1, 0x54, "magic" },   { 2, 0, "version" },
                  { 2, 2, "version" },      { 3, 0, "frame type" }, { 3, 8, "frame type" },
                  { 3, 255, "frame type" }, { 4, 0x11, "flags" },   { 4, 0x81, "flags" },
                  { 4, 0, "sealed" },       { 7, 81, "length" },    { 7, 83, "length" },
                  { 6, 1, "length" },       { 27, 0, "counter" } };
    struct envelope e;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t header[ENVELOPE_HEADER_BYTES];
        envelope_encode(&cmd, header);
        header[cases[i].at] = cases[i].value;
        assert_err(envelope_parse(BYTES_OF(header), &e), ERR_PROTO);
        assert_non_null(strstr(err_text(), cases[i].text));
    }
}

static void each_type_has_exactly_its_lengths(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t flags;
        uint16_t length;
    } good[] = { { ENVELOPE_CMD, 1, 82 }, { ENVELOPE_RSP, 1, 274 },  { ENVELOPE_PUSH, 1, 274 },
                 { ENVELOPE_SIG, 1, 24 }, { ENVELOPE_CLOSE, 1, 20 }, { ENVELOPE_CLOSE, 0, 4 } };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct envelope e = { .type = good[i].type,
                              .flags = good[i].flags,
                              .counter = good[i].flags };
        for (uint32_t n = 0; n <= UINT16_MAX; n += n < 2100 ? 1 : 997) {
            e.length = (uint16_t)n;
            assert_err(parse_of(e), n == good[i].length ? ERR_NONE : ERR_PROTO);
        }
    }
}

static void only_a_close_may_be_clear(void **state)
{
    static const uint16_t bodies[] = { 66, 258, 258, 8 };

    (void)state;
    for (uint8_t type = ENVELOPE_CMD; type <= ENVELOPE_SIG; type++) {
        struct envelope e = { .type = type, .length = bodies[type - ENVELOPE_CMD] };
        assert_err(parse_of(e), ERR_PROTO);
        assert_non_null(strstr(err_text(), "must be sealed"));
    }
}

static void a_clear_frame_has_counter_and_flags_zero(void **state)
{
    struct envelope e = { .type = ENVELOPE_CLOSE, .length = 4 };

    (void)state;
    assert_ok(parse_of(e));
    e.counter = 1;
    assert_err(parse_of(e), ERR_PROTO);
    e.counter = 0;
    e.flags = ENVELOPE_URGENT;
    assert_err(parse_of(e), ERR_PROTO);
}

static void a_push_has_no_transaction(void **state)
{
    struct envelope e = {
        .type = ENVELOPE_PUSH, .flags = ENVELOPE_SEALED, .length = 274, .counter = 1
    };

    (void)state;
    assert_ok(parse_of(e));
    e.transaction = 1;
    assert_err(parse_of(e), ERR_PROTO);
}

static void a_handshake_is_clear_and_bounded(void **state)
{
    (void)state;
    for (uint8_t type = ENVELOPE_HELLO; type <= ENVELOPE_HELLO_OK; type++) {
        struct envelope e = { .type = type, .length = ENVELOPE_BODY_BYTES_MAX, .epoch = 255 };
        assert_ok(parse_of(e));
        e.length++;
        assert_err(parse_of(e), ERR_PROTO);
        e.length = 348;
        e.flags = ENVELOPE_SEALED;
        assert_err(parse_of(e), ERR_PROTO);
        e.flags = 0;
        e.transaction = 1;
        assert_err(parse_of(e), ERR_PROTO);
        e.transaction = 0;
        e.counter = 1;
        assert_err(parse_of(e), ERR_PROTO);
    }
}

static void the_four_known_flags_may_be_set(void **state)
{
    struct envelope e = { .type = ENVELOPE_RSP,
                          .length = 274,
                          .counter = 1,
                          .transaction = 3,
                          .flags =
                              ENVELOPE_SEALED | ENVELOPE_URGENT | ENVELOPE_MORE | ENVELOPE_CACHED };

    (void)state;
    assert_ok(parse_of(e));
}

/* --- streams --- */

static size_t put_frame(uint8_t *at, uint8_t type, uint16_t length, uint64_t counter)
{
    struct envelope e = {
        .type = type, .flags = counter > 0, .length = length, .counter = counter
    };

    envelope_encode(&e, at);
    memset(at + ENVELOPE_HEADER_BYTES, (int)counter, length);
    return ENVELOPE_HEADER_BYTES + length;
}

static void frames_come_one_after_the_other_off_a_stream(void **state)
{
    uint8_t raw[512];
    size_t size = put_frame(raw, ENVELOPE_SIG, 24, 1);
    struct envelope e;
    struct bytes frame;

    (void)state;
    size += put_frame(raw + size, ENVELOPE_PUSH, 274, 2);
    struct bytes in = { raw, size };
    assert_ok(envelope_take(&in, &e, &frame));
    assert_int_equal(e.type, ENVELOPE_SIG);
    assert_int_equal(frame.len, 52);
    assert_ok(envelope_take(&in, &e, &frame));
    assert_int_equal(e.type, ENVELOPE_PUSH);
    assert_int_equal(frame.len, 302);
    assert_ptr_equal(frame.ptr, raw + 52);
    assert_int_equal(in.len, 0);
    assert_err(envelope_take(&in, &e, &frame), ERR_AGAIN);
}

static void an_incomplete_frame_is_left_alone(void **state)
{
    uint8_t raw[512];
    size_t size = put_frame(raw, ENVELOPE_PUSH, 274, 2);

    (void)state;
    for (size_t n = 0; n < size; n++) {
        struct bytes in = { raw, n };
        struct bytes frame = { 0 };
        struct envelope e = { .type = 99 };
        assert_err(envelope_take(&in, &e, &frame), ERR_AGAIN);
        assert_ptr_equal(in.ptr, raw);
        assert_int_equal(in.len, n);
        assert_int_equal(e.type, 99);
        assert_null(frame.ptr);
    }
}

static void a_stream_that_is_lost_says_so_before_the_body_is_there(void **state)
{
    uint8_t raw[ENVELOPE_HEADER_BYTES] = "HTTP/1.1 400 Bad Request\r\n";
    struct bytes in = BYTES_OF(raw);
    struct bytes frame;
    struct envelope e;

    (void)state;
    assert_err(envelope_take(&in, &e, &frame), ERR_PROTO);
    assert_ptr_equal(in.ptr, raw);
    put_frame(raw, ENVELOPE_HELLO, 0, 0);
    store_u16(raw + 6, ENVELOPE_BODY_BYTES_MAX + 1);
    assert_err(envelope_take(&in, &e, &frame), ERR_PROTO);
}

/* --- signals --- */

static err parse_signal(uint8_t signal, uint8_t reason)
{
    const struct signal s = { signal, reason, 35041 };
    struct signal out;
    uint8_t octets[SIGNAL_BYTES];

    signal_encode(&s, octets);
    TRY(signal_parse(BYTES_OF(octets), &out));
    assert_int_equal(out.signal, signal);
    assert_int_equal(out.reason, reason);
    assert_int_equal(out.value, 35041);
    return OK;
}

static void signals_carry_only_their_reasons(void **state)
{
    (void)state;
    for (unsigned r = 0; r < 256; r++) {
        assert_err(parse_signal(NBR_ENQ, (uint8_t)r), r == 0 ? ERR_NONE : ERR_PROTO);
        assert_err(parse_signal(NBR_WAIT, (uint8_t)r), r == 0 ? ERR_NONE : ERR_PROTO);
        assert_err(parse_signal(NBR_ACK, (uint8_t)r), r <= 1 ? ERR_NONE : ERR_PROTO);
        assert_err(parse_signal(NBR_NAK, (uint8_t)r), r >= 1 && r <= 6 ? ERR_NONE : ERR_PROTO);
    }
}

static void other_signals_are_refused(void **state)
{
    (void)state;
    for (unsigned s = 0; s < 256; s++) {
        bool known = s == NBR_ENQ || s == NBR_ACK || s == NBR_WAIT;
        assert_err(parse_signal((uint8_t)s, 0), known ? ERR_NONE : ERR_PROTO);
    }
}

static void a_signal_of_another_size_or_with_the_zero_field_set_is_refused(void **state)
{
    const uint8_t raw[] = { NBR_ENQ, 0, 0, 0, 0, 0, 0, 0, 0 };
    const uint8_t high[] = { NBR_ENQ, 0, 1, 0, 0, 0, 0, 0 };
    const uint8_t low[] = { NBR_ENQ, 0, 0, 1, 0, 0, 0, 0 };
    struct signal s = { .signal = 99 };

    (void)state;
    for (size_t n = 0; n < SIGNAL_BYTES; n++) {
        assert_err(signal_parse((struct bytes){ raw, n }, &s), ERR_PROTO);
    }
    assert_err(signal_parse(BYTES_OF(raw), &s), ERR_PROTO);
    assert_err(signal_parse(BYTES_OF(high), &s), ERR_PROTO);
    assert_err(signal_parse(BYTES_OF(low), &s), ERR_PROTO);
    assert_int_equal(s.signal, 99);
    assert_ok(signal_parse((struct bytes){ raw, SIGNAL_BYTES }, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_its_vector),
        cmocka_unit_test(every_shorter_header_is_refused),
        cmocka_unit_test(a_wrong_field_is_refused_and_named),
        cmocka_unit_test(each_type_has_exactly_its_lengths),
        cmocka_unit_test(only_a_close_may_be_clear),
        cmocka_unit_test(a_clear_frame_has_counter_and_flags_zero),
        cmocka_unit_test(a_push_has_no_transaction),
        cmocka_unit_test(a_handshake_is_clear_and_bounded),
        cmocka_unit_test(the_four_known_flags_may_be_set),
        cmocka_unit_test(frames_come_one_after_the_other_off_a_stream),
        cmocka_unit_test(an_incomplete_frame_is_left_alone),
        cmocka_unit_test(a_stream_that_is_lost_says_so_before_the_body_is_there),
        cmocka_unit_test(signals_carry_only_their_reasons),
        cmocka_unit_test(other_signals_are_refused),
        cmocka_unit_test(a_signal_of_another_size_or_with_the_zero_field_set_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
