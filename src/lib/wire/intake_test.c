/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/intake.h"

#include <string.h>

#include "lib/base/test.h"

#define METER UINT64_C(0x0123456789abcdef)

static const uint8_t response[NBR_RESPONSE_BYTES] = { 0x14, 1, 2, 3 };
static const uint8_t command[NBR_COMMAND_BYTES] = { 0x20, 1, 2, 3 };
static const uint8_t spki[SPKI_BYTES_MAX + 1] = { 0x30 };

static struct intake_message message(uint8_t kind)
{
    struct intake_message m = { .kind = kind, .meter = METER };

    switch (kind) {
    case INTAKE_METER:
        m.meter_entry.known = true;
        m.meter_entry.suite = 3;
        m.meter_entry.spki = (struct bytes){ spki, 294 };
        break;
    case INTAKE_BLOCK:
        m.block.type = ENVELOPE_PUSH;
        m.block.flags = ENVELOPE_SEALED;
        m.block.transaction = 5;
        m.block.block = BYTES_OF(response);
        break;
    case INTAKE_SIGNAL:
        m.signal.transaction = 6;
        m.signal.signal = (struct signal){ NBR_ACK, ACK_SEALS, 35041 };
        break;
    case INTAKE_COMMAND:
        m.command.transaction = 7;
        m.command.not_after_s = 1763823600;
        m.command.block = BYTES_OF(command);
        break;
    case INTAKE_OPENED:
        m.opened.epoch = 250;
        m.opened.clock_flags = 1;
        m.opened.meter_s = 1763823601;
        m.opened.ours_s = 1763823602;
        break;
    case INTAKE_CLOSED: m.closed.reason = 9; break;
    case INTAKE_ALARM: m.alarm.reason = NAK_INNER_SERIAL; break;
    default: break;
    }
    return m;
}

/* Encodes `m` and takes it off again. */
static struct intake_message passed_on(const struct intake_message *m, struct buf *b)
{
    struct intake_message out;

    buf_clear(b);
    assert_ok(intake_encode(m, b));
    struct bytes in = buf_bytes(b);
    assert_ok(intake_take(&in, &out));
    assert_int_equal(in.len, 0);
    assert_int_equal(out.kind, m->kind);
    assert_true(out.meter == m->meter);
    return out;
}

static err take_of(const uint8_t *raw, size_t size)
{
    struct bytes in = { raw, size };
    struct intake_message out = { .kind = 99 };

    err e = intake_take(&in, &out);
    if (e.code) {
        assert_ptr_equal(in.ptr, raw);
        assert_int_equal(in.len, size);
        assert_int_equal(out.kind, 99);
    }
    return e;
}

static void a_lookup_has_its_octets(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_LOOKUP);

    (void)state;
    assert_ok(intake_encode(&m, &b));
    assert_hex(buf_bytes(&b), "000a01000123456789abcdef");
}

static void a_command_has_its_octets(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_COMMAND);

    (void)state;
    assert_ok(intake_encode(&m, &b));
    assert_int_equal(b.len, 2 + 10 + 8 + 66);
    assert_hex(((struct bytes){ b.ptr, 24 }), "005405000123456789abcdef00000007692"
                                              "1cff020010203");
}

static void a_known_meter_is_passed_on_with_its_key(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_METER);
    struct intake_message out = passed_on(&m, &b);

    (void)state;
    assert_true(out.meter_entry.known);
    assert_int_equal(out.meter_entry.suite, 3);
    assert_true(bytes_equal(out.meter_entry.spki, m.meter_entry.spki));
}

static void an_unknown_meter_has_neither_suite_nor_key(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = { .kind = INTAKE_METER, .meter = METER };
    struct intake_message out = passed_on(&m, &b);

    (void)state;
    assert_false(out.meter_entry.known);
    assert_int_equal(out.meter_entry.spki.len, 0);
    assert_hex(buf_bytes(&b), "000e02000123456789abcdef01000000");
    b.ptr[13] = 3;
    assert_err(take_of(b.ptr, b.len), ERR_PROTO);
}

static void blocks_signals_and_commands_are_passed_on(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_BLOCK);
    struct intake_message out = passed_on(&m, &b);

    (void)state;
    assert_int_equal(out.block.type, ENVELOPE_PUSH);
    assert_int_equal(out.block.flags, ENVELOPE_SEALED);
    assert_int_equal(out.block.transaction, 5);
    assert_true(bytes_equal(out.block.block, BYTES_OF(response)));
    m = message(INTAKE_SIGNAL);
    out = passed_on(&m, &b);
    assert_int_equal(out.signal.transaction, 6);
    assert_int_equal(out.signal.signal.signal, NBR_ACK);
    assert_int_equal(out.signal.signal.reason, ACK_SEALS);
    assert_int_equal(out.signal.signal.value, 35041);
    m = message(INTAKE_COMMAND);
    out = passed_on(&m, &b);
    assert_int_equal(out.command.transaction, 7);
    assert_int_equal(out.command.not_after_s, 1763823600);
    assert_true(bytes_equal(out.command.block, BYTES_OF(command)));
}

static void openings_closings_and_alarms_are_passed_on(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_OPENED);
    struct intake_message out = passed_on(&m, &b);

    (void)state;
    assert_int_equal(out.opened.epoch, 250);
    assert_int_equal(out.opened.clock_flags, 1);
    assert_int_equal(out.opened.meter_s, 1763823601);
    assert_int_equal(out.opened.ours_s, 1763823602);
    m = message(INTAKE_CLOSED);
    out = passed_on(&m, &b);
    assert_int_equal(out.closed.reason, 9);
    m = message(INTAKE_ALARM);
    out = passed_on(&m, &b);
    assert_int_equal(out.alarm.reason, NAK_INNER_SERIAL);
}

static void messages_come_one_after_the_other_off_a_stream(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct intake_message out;

    (void)state;
    for (uint8_t kind = INTAKE_LOOKUP; kind <= INTAKE_ALARM; kind++) {
        struct intake_message m = message(kind);
        assert_ok(intake_encode(&m, &b));
    }
    struct bytes in = buf_bytes(&b);
    for (uint8_t kind = INTAKE_LOOKUP; kind <= INTAKE_ALARM; kind++) {
        assert_ok(intake_take(&in, &out));
        assert_int_equal(out.kind, kind);
    }
    assert_err(intake_take(&in, &out), ERR_AGAIN);
}

static void an_incomplete_message_is_left_alone(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };

    (void)state;
    for (uint8_t kind = INTAKE_LOOKUP; kind <= INTAKE_ALARM; kind++) {
        struct intake_message m = message(kind);
        buf_clear(&b);
        assert_ok(intake_encode(&m, &b));
        for (size_t n = 0; n < b.len; n++) {
            assert_err(take_of(b.ptr, n), ERR_AGAIN);
        }
    }
}

static void a_body_too_short_or_too_long_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };

    (void)state;
    for (uint8_t kind = INTAKE_LOOKUP; kind <= INTAKE_ALARM; kind++) {
        struct intake_message m = message(kind);
        buf_clear(&b);
        assert_ok(intake_encode(&m, &b));
        size_t total = b.len - 2;
        assert_ok(buf_u8(&b, 0));
        for (size_t n = 0; n <= total + 1; n++) {
            store_u16(b.ptr, (uint16_t)n);
            assert_err(take_of(b.ptr, 2 + n), n == total ? ERR_NONE : ERR_PROTO);
        }
    }
}

static void a_length_past_the_limit_is_refused_at_once(void **state)
{
    uint8_t raw[] = { 0x03, 0xff };

    (void)state;
    assert_err(take_of(raw, sizeof raw), ERR_PROTO); /* 1,023 + 2 octets */
    raw[1] = 0xfe;
    assert_err(take_of(raw, sizeof raw), ERR_AGAIN); /* 1,022 + 2 = the limit */
    raw[0] = 0xff;
    assert_err(take_of(raw, sizeof raw), ERR_PROTO);
}

static void unknown_values_are_refused_and_named(void **state)
{
    const struct {
        uint8_t kind;
        size_t at;
        uint8_t value;
        const char *text;
    } cases[] = {
        { INTAKE_LOOKUP, 2, 0, "kind 0" },          { INTAKE_LOOKUP, 2, 9, "kind 9" },
        { INTAKE_LOOKUP, 3, 1, "zero field" },      { INTAKE_METER, 12, 2, "status" },
        { INTAKE_METER, 12, 1, "METER has a key" }, { INTAKE_BLOCK, 12, 3, "frame type" },
        { INTAKE_BLOCK, 12, 6, "frame type" },      { INTAKE_BLOCK, 13, 0x10, "flags" },
        { INTAKE_SIGNAL, 16, 7, "signal" },         { INTAKE_SIGNAL, 18, 1, "zero field" },
        { INTAKE_OPENED, 13, 2, "clock flags" },
    };
    AUTO(buf_done) struct buf b = { .max = 2048 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct intake_message m = message(cases[i].kind);
        buf_clear(&b);
        assert_ok(intake_encode(&m, &b));
        b.ptr[cases[i].at] = cases[i].value;
        assert_err(take_of(b.ptr, b.len), ERR_PROTO);
        assert_non_null(strstr(err_text(), cases[i].text));
    }
}

static void what_cannot_be_said_is_not_encoded(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 2048 };
    struct intake_message m = message(INTAKE_METER);

    (void)state;
    m.meter_entry.spki.len = SPKI_BYTES_MAX;
    assert_ok(intake_encode(&m, &b));
    size_t size = b.len;
    m.meter_entry.spki.len = SPKI_BYTES_MAX + 1;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    m.meter_entry.spki.len = 0;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    m = message(INTAKE_BLOCK);
    m.block.block.len--;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    m = message(INTAKE_COMMAND);
    m.command.block.len--;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    m.kind = 0;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    m.kind = INTAKE_ALARM + 1;
    assert_err(intake_encode(&m, &b), ERR_PROTO);
    assert_int_equal(b.len, size);
}

static void a_full_buffer_gets_no_half_message(void **state)
{
    struct intake_message m = message(INTAKE_BLOCK);

    (void)state;
    for (size_t max = 1; max < 276; max++) {
        AUTO(buf_done) struct buf b = { .max = max };
        assert_err(intake_encode(&m, &b), ERR_LIMIT);
        assert_int_equal(b.len, 0);
    }
    AUTO(buf_done) struct buf b = { .max = 276 };
    assert_ok(intake_encode(&m, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lookup_has_its_octets),
        cmocka_unit_test(a_command_has_its_octets),
        cmocka_unit_test(a_known_meter_is_passed_on_with_its_key),
        cmocka_unit_test(an_unknown_meter_has_neither_suite_nor_key),
        cmocka_unit_test(blocks_signals_and_commands_are_passed_on),
        cmocka_unit_test(openings_closings_and_alarms_are_passed_on),
        cmocka_unit_test(messages_come_one_after_the_other_off_a_stream),
        cmocka_unit_test(an_incomplete_message_is_left_alone),
        cmocka_unit_test(a_body_too_short_or_too_long_is_refused),
        cmocka_unit_test(a_length_past_the_limit_is_refused_at_once),
        cmocka_unit_test(unknown_values_are_refused_and_named),
        cmocka_unit_test(what_cannot_be_said_is_not_encoded),
        cmocka_unit_test(a_full_buffer_gets_no_half_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
