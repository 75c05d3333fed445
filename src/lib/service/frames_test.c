/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "lib/service/frames.h"

#define MINUTE_US (60 * 1000000ull)

static size_t frame(uint8_t *out, uint8_t type, uint8_t flags, uint16_t length)
{
    struct envelope e = { .type = type, .flags = flags, .epoch = 1, .length = length, .meter = 7,
                          .counter = (flags & ENVELOPE_SEALED) != 0 ? 1 : 0 };

    envelope_encode(&e, out);
    memset(out + ENVELOPE_HEADER_BYTES, 0, length);
    return ENVELOPE_HEADER_BYTES + (size_t)length;
}

static err take(struct frames_guard *g, uint64_t now_us, const uint8_t *raw, size_t size,
                struct bytes *out)
{
    struct bytes in = { raw, size };
    struct envelope e;

    return frames_take(g, now_us, &in, &e, out);
}

static void a_good_frame_is_taken_whole(void **state)
{
    struct frames_guard g = { 0 };
    uint8_t raw[400];
    size_t size = frame(raw, ENVELOPE_PUSH, ENVELOPE_SEALED, 274);
    struct bytes got;

    (void)state;
    assert_ok(take(&g, 1, raw, size + 5, &got));
    assert_int_equal(got.len, 302);
    assert_int_equal(g.bad_count, 0);
}

static void a_part_of_a_frame_waits_for_the_rest(void **state)
{
    struct frames_guard g = { 0 };
    uint8_t raw[400];
    size_t size = frame(raw, ENVELOPE_SIG, ENVELOPE_SEALED, 24);
    struct bytes got;

    (void)state;
    for (size_t n = 0; n < size; n++) {
        assert_err(take(&g, 1, raw, n, &got), ERR_AGAIN);
    }
    assert_ok(take(&g, 1, raw, size, &got));
}

static void a_wrong_magic_version_type_or_flag_is_dropped_alone(void **state)
{
    static const struct {
        size_t at;
        uint8_t to;
    } wrong[] = { { 0, 0 }, { 1, 0 }, { 2, 2 }, { 3, 0 }, { 3, 8 }, { 4, 0x81 } };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct frames_guard g = { 0 };
        uint8_t raw[400];
        size_t size = frame(raw, ENVELOPE_SIG, ENVELOPE_SEALED, 24);
        struct bytes in = { raw, size };
        struct bytes got = { raw, 1 };
        struct envelope e;
        raw[wrong[i].at] = wrong[i].to;
        assert_ok(frames_take(&g, 1, &in, &e, &got));
        assert_int_equal(got.len, 0);
        assert_int_equal(in.len, 0);
        assert_int_equal(g.bad_count, 1);
    }
}

static void a_length_that_is_not_one_of_the_type_ends_the_link(void **state)
{
    static const struct {
        uint8_t type;
        uint16_t length;
    } wrong[] = { { ENVELOPE_PUSH, 273 }, { ENVELOPE_PUSH, 275 }, { ENVELOPE_RSP, 0 },
                  { ENVELOPE_CMD, 274 },  { ENVELOPE_SIG, 23 },   { ENVELOPE_CLOSE, 5 },
                  { ENVELOPE_HELLO, ENVELOPE_BODY_BYTES_MAX + 1 }, { 99, 65535 } };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct frames_guard g = { 0 };
        uint8_t raw[ENVELOPE_HEADER_BYTES];
        struct bytes got;
        struct envelope e = { .type = wrong[i].type, .flags = ENVELOPE_SEALED, .counter = 1,
                              .length = wrong[i].length };
        envelope_encode(&e, raw);
        assert_err(take(&g, 1, raw, sizeof raw, &got), ERR_PROTO);
    }
}

static void the_sixteenth_bad_frame_of_a_minute_ends_the_link(void **state)
{
    struct frames_guard g = { 0 };

    (void)state;
    for (int i = 1; i < FRAMES_BAD_MAX; i++) {
        assert_ok(frames_bad(&g, 1000));
    }
    assert_err(frames_bad(&g, 1000), ERR_LIMIT);
}

static void fifteen_bad_frames_each_minute_are_borne(void **state)
{
    struct frames_guard g = { 0 };

    (void)state;
    for (uint64_t minute = 1; minute < 5; minute++) {
        for (int i = 1; i < FRAMES_BAD_MAX; i++) {
            assert_ok(frames_bad(&g, minute * MINUTE_US));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_frame_is_taken_whole),
        cmocka_unit_test(a_part_of_a_frame_waits_for_the_rest),
        cmocka_unit_test(a_wrong_magic_version_type_or_flag_is_dropped_alone),
        cmocka_unit_test(a_length_that_is_not_one_of_the_type_ends_the_link),
        cmocka_unit_test(the_sixteenth_bad_frame_of_a_minute_ends_the_link),
        cmocka_unit_test(fifteen_bad_frames_each_minute_are_borne),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
