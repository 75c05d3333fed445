/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "edge/aggregator/aggregator.h"
#include "lib/service/fake_host.h"
#include "lib/service/frames.h"
#include "lib/service/inlet.h"

#define UP 1
#define MESH 10
#define S_US 1000000ull

struct fixture {
    struct fake_host fake;
    struct aggregator *a;
    uint64_t now_us;
};

static void start(struct fixture *f, const struct aggregator_options *options)
{
    *f = (struct fixture){ .now_us = S_US };
    fake_host_init(&f->fake);
    assert_ok(aggregator_new(&f->fake.host, options, &f->a));
}

static void start_open(struct fixture *f)
{
    start(f, &(struct aggregator_options){ 0 });
    assert_ok(aggregator_ops.opened(f->a, f->now_us, UP, true));
    assert_ok(aggregator_ops.opened(f->a, f->now_us, MESH, false));
}

static void end(struct fixture *f)
{
    aggregator_free(f->a);
    fake_host_done(&f->fake);
}

static struct bytes frame(uint8_t *raw, uint8_t type, uint16_t length, uint64_t meter)
{
    bool sealed = type != ENVELOPE_HELLO && type != ENVELOPE_HELLO_OK;
    struct envelope e = { .type = type, .flags = sealed ? ENVELOPE_SEALED : 0, .epoch = 1,
                          .length = length, .meter = meter, .counter = sealed ? 1 : 0 };

    envelope_encode(&e, raw);
    memset(raw + ENVELOPE_HEADER_BYTES, (uint8_t)meter, length);
    return (struct bytes){ raw, ENVELOPE_HEADER_BYTES + (size_t)length };
}

static err from(struct fixture *f, uint64_t link, struct bytes octets)
{
    return aggregator_ops.octets(f->a, f->now_us, link, octets);
}

static void frames_of_meters_go_up_in_order(void **state)
{
    struct fixture f;
    uint8_t raw[800];

    (void)state;
    start_open(&f);
    struct bytes one = frame(raw, ENVELOPE_PUSH, 274, 1);
    struct bytes two = frame(raw + one.len, ENVELOPE_SIG, 24, 2);
    assert_ok(from(&f, MESH, (struct bytes){ raw, one.len + two.len }));
    struct bytes sent = fake_host_sent(&f.fake, UP);
    assert_int_equal(sent.len, one.len + two.len);
    assert_memory_equal(sent.ptr, raw, sent.len);
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_FRAMES_UP], 2);
    assert_int_equal(aggregator_meters(f.a), 2);
    end(&f);
}

static void a_frame_may_come_one_octet_at_a_time(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes whole = frame(raw, ENVELOPE_PUSH, 274, 1);
    for (size_t i = 0; i < whole.len; i++) {
        assert_int_equal(fake_host_sent(&f.fake, UP).len, 0);
        assert_ok(from(&f, MESH, (struct bytes){ raw + i, 1 }));
    }
    assert_int_equal(fake_host_sent(&f.fake, UP).len, whole.len);
    end(&f);
}

static void a_frame_down_goes_to_the_link_of_its_meter(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 1, false));
    assert_ok(from(&f, MESH, frame(raw, ENVELOPE_SIG, 24, 1)));
    assert_ok(from(&f, MESH + 1, frame(raw, ENVELOPE_SIG, 24, 2)));
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 2)));
    assert_int_equal(fake_host_sent(&f.fake, MESH).len, 0);
    assert_int_equal(fake_host_sent(&f.fake, MESH + 1).len, 110);
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 3)));
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_UNROUTED], 1);
    end(&f);
}

static void a_full_link_of_a_meter_does_not_stop_the_others(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 1, false));
    assert_ok(from(&f, MESH, frame(raw, ENVELOPE_SIG, 24, 1)));
    assert_ok(from(&f, MESH + 1, frame(raw, ENVELOPE_SIG, 24, 2)));
    fake_host_link(&f.fake, MESH)->full = true;
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 1)));
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 2)));
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_DOWN_FULL], 1);
    assert_int_equal(fake_host_sent(&f.fake, MESH + 1).len, 110);
    end(&f);
}

static void a_roaming_meter_is_answered_wherever_it_was_heard(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 1, false));
    assert_ok(from(&f, MESH, frame(raw, ENVELOPE_SIG, 24, 1)));
    assert_ok(from(&f, MESH + 1, frame(raw, ENVELOPE_SIG, 24, 1)));
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 1)));
    assert_int_equal(fake_host_sent(&f.fake, MESH).len, 110);
    assert_int_equal(fake_host_sent(&f.fake, MESH + 1).len, 110);
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_MOVED], 1);
    aggregator_ops.closed(f.a, f.now_us, MESH);
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_CMD, 82, 1)));
    assert_int_equal(fake_host_sent(&f.fake, MESH).len, 110);
    assert_int_equal(fake_host_sent(&f.fake, MESH + 1).len, 220);
    end(&f);
}

static void a_full_uplink_stops_reading_and_loses_nothing(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes push = frame(raw, ENVELOPE_PUSH, 274, 1);
    fake_host_link(&f.fake, UP)->full = true;
    assert_ok(from(&f, MESH, push));
    assert_true(fake_host_link(&f.fake, MESH)->held);
    assert_ok(from(&f, MESH, push)); /* was under way already */
    assert_ok(from(&f, MESH, (struct bytes){ push.ptr, 100 }));
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 0);

    fake_host_link(&f.fake, UP)->full = false;
    aggregator_ops.ready(f.a, f.now_us, UP);
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 2 * push.len);
    assert_false(fake_host_link(&f.fake, MESH)->held);
    assert_ok(from(&f, MESH, (struct bytes){ push.ptr + 100, push.len - 100 }));
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 3 * push.len);
    end(&f);
}

static void a_lost_uplink_holds_frames_until_it_is_back(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes push = frame(raw, ENVELOPE_PUSH, 274, 1);
    aggregator_ops.closed(f.a, f.now_us, UP);
    assert_true(fake_host_link(&f.fake, MESH)->held);
    assert_ok(from(&f, MESH, push));
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 1, false));
    assert_true(fake_host_link(&f.fake, MESH + 1)->held);

    assert_ok(aggregator_ops.opened(f.a, f.now_us, UP + 1, true));
    assert_int_equal(fake_host_sent(&f.fake, UP + 1).len, push.len);
    assert_false(fake_host_link(&f.fake, MESH)->held);
    assert_false(fake_host_link(&f.fake, MESH + 1)->held);
    end(&f);
}

static void nothing_is_read_before_there_is_an_uplink(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, &(struct aggregator_options){ 0 });
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH, false));
    assert_true(fake_host_link(&f.fake, MESH)->held);
    end(&f);
}

static void sixteen_bad_frames_in_a_minute_end_the_link(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes bad = frame(raw, ENVELOPE_SIG, 24, 1);
    raw[0] ^= 1;
    for (int i = 1; i < FRAMES_BAD_MAX; i++) {
        assert_ok(from(&f, MESH, bad));
    }
    assert_err(from(&f, MESH, bad), ERR_LIMIT);
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 0);
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_BAD_FRAME], FRAMES_BAD_MAX - 1);
    end(&f);
}

static void a_frame_of_the_other_direction_is_a_bad_frame(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    assert_ok(from(&f, MESH, frame(raw, ENVELOPE_CMD, 82, 1)));
    assert_ok(from(&f, UP, frame(raw, ENVELOPE_PUSH, 274, 1)));
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_BAD_FRAME], 2);
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 0);
    assert_int_equal(fake_host_sent(&f.fake, MESH).len, 0);
    end(&f);
}

/* The authenticator would count it against the uplink of all meters. */
static void a_clear_close_ends_the_link_it_comes_from_and_never_goes_up(void **state)
{
    struct fixture f;
    uint8_t raw[ENVELOPE_HEADER_BYTES + 4] = { 0 };
    struct envelope e = { .type = ENVELOPE_CLOSE, .length = 4, .meter = 1 };

    (void)state;
    start_open(&f);
    envelope_encode(&e, raw);
    for (int i = 1; i < FRAMES_BAD_MAX; i++) {
        assert_ok(from(&f, MESH, BYTES_OF(raw)));
    }
    assert_err(from(&f, MESH, BYTES_OF(raw)), ERR_LIMIT);
    assert_int_equal(fake_host_sent(&f.fake, UP).len, 0);
    assert_int_equal(aggregator_meters(f.a), 0);
    end(&f);
}

static void a_sealed_close_goes_up(void **state)
{
    struct fixture f;
    uint8_t raw[100];

    (void)state;
    start_open(&f);
    struct bytes close = frame(raw, ENVELOPE_CLOSE, 20, 1);
    assert_ok(from(&f, MESH, close));
    assert_int_equal(fake_host_sent(&f.fake, UP).len, close.len);
    end(&f);
}

static void a_length_above_the_bound_ends_the_link(void **state)
{
    struct fixture f;
    uint8_t raw[ENVELOPE_HEADER_BYTES];
    struct envelope e = { .type = ENVELOPE_HELLO, .length = ENVELOPE_BODY_BYTES_MAX + 1 };

    (void)state;
    start_open(&f);
    envelope_encode(&e, raw);
    assert_err(from(&f, MESH, BYTES_OF(raw)), ERR_PROTO);
    end(&f);
}

static void a_link_that_stops_inside_a_frame_is_closed_after_30_s(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes push = frame(raw, ENVELOPE_PUSH, 274, 1);
    assert_ok(from(&f, MESH, (struct bytes){ push.ptr, 20 }));
    aggregator_ops.tick(f.a, f.now_us + INLET_STALL_US - 1);
    assert_false(fake_host_link(&f.fake, MESH)->closed);
    aggregator_ops.tick(f.a, f.now_us + INLET_STALL_US);
    assert_true(fake_host_link(&f.fake, MESH)->closed);
    assert_int_equal(aggregator_links(f.a), 0);
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_STALLED], 1);
    end(&f);
}

static void a_held_link_does_not_stall(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    struct bytes push = frame(raw, ENVELOPE_PUSH, 274, 1);
    assert_ok(from(&f, MESH, (struct bytes){ push.ptr, 20 }));
    aggregator_ops.closed(f.a, f.now_us, UP);
    f.now_us += 10 * INLET_STALL_US;
    aggregator_ops.tick(f.a, f.now_us);
    assert_ok(aggregator_ops.opened(f.a, f.now_us, UP + 1, true));
    aggregator_ops.tick(f.a, f.now_us + 1);
    assert_false(fake_host_link(&f.fake, MESH)->closed);
    end(&f);
}

static void an_idle_link_is_closed(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, &(struct aggregator_options){ .idle_us = 100 * S_US });
    assert_ok(aggregator_ops.opened(f.a, f.now_us, UP, true));
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH, false));
    aggregator_ops.tick(f.a, f.now_us + 100 * S_US - 1);
    assert_int_equal(aggregator_links(f.a), 1);
    aggregator_ops.tick(f.a, f.now_us + 100 * S_US);
    assert_int_equal(aggregator_links(f.a), 0);
    assert_int_equal(aggregator_counts(f.a)[AGGREGATOR_IDLE], 1);
    end(&f);
}

static void more_links_than_allowed_are_refused(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, &(struct aggregator_options){ .links_max = 2 });
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH, false));
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 1, false));
    assert_err(aggregator_ops.opened(f.a, f.now_us, MESH + 2, false), ERR_LIMIT);
    aggregator_ops.closed(f.a, f.now_us, MESH);
    assert_ok(aggregator_ops.opened(f.a, f.now_us, MESH + 2, false));
    end(&f);
}

static void the_routes_of_a_closed_link_are_forgotten(void **state)
{
    struct fixture f;
    uint8_t raw[400];

    (void)state;
    start_open(&f);
    assert_ok(from(&f, MESH, frame(raw, ENVELOPE_HELLO, 348, 1)));
    assert_int_equal(aggregator_meters(f.a), 1);
    aggregator_ops.closed(f.a, f.now_us, MESH);
    assert_int_equal(aggregator_meters(f.a), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_meters_go_up_in_order),
        cmocka_unit_test(a_frame_may_come_one_octet_at_a_time),
        cmocka_unit_test(a_frame_down_goes_to_the_link_of_its_meter),
        cmocka_unit_test(a_full_link_of_a_meter_does_not_stop_the_others),
        cmocka_unit_test(a_roaming_meter_is_answered_wherever_it_was_heard),
        cmocka_unit_test(a_full_uplink_stops_reading_and_loses_nothing),
        cmocka_unit_test(a_lost_uplink_holds_frames_until_it_is_back),
        cmocka_unit_test(nothing_is_read_before_there_is_an_uplink),
        cmocka_unit_test(sixteen_bad_frames_in_a_minute_end_the_link),
        cmocka_unit_test(a_frame_of_the_other_direction_is_a_bad_frame),
        cmocka_unit_test(a_clear_close_ends_the_link_it_comes_from_and_never_goes_up),
        cmocka_unit_test(a_sealed_close_goes_up),
        cmocka_unit_test(a_length_above_the_bound_ends_the_link),
        cmocka_unit_test(a_link_that_stops_inside_a_frame_is_closed_after_30_s),
        cmocka_unit_test(a_held_link_does_not_stall),
        cmocka_unit_test(an_idle_link_is_closed),
        cmocka_unit_test(more_links_than_allowed_are_refused),
        cmocka_unit_test(the_routes_of_a_closed_link_are_forgotten),
    };
    return cmocka_run_group_tests_name("aggregator", tests, NULL, NULL);
}
