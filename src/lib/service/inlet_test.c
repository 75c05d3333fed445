/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "lib/service/fake_host.h"
#include "lib/service/inlet.h"
#include "lib/service/outlet.h"

/* Messages of three octets; 'x' ends the link, and `closed_gate` makes the owner unable to go
 * on. */
struct taker {
    size_t taken;
    bool closed_gate;
};

static err take_three(void *arg, struct bytes *in)
{
    struct taker *t = arg;
    struct bytes message;

    if (t->closed_gate || in->len < 3) {
        FAIL(ERR_AGAIN, "not now");
    }
    TRY(bytes_read(in, 3, &message));
    if (message.ptr[0] == 'x') {
        FAIL(ERR_PROTO, "an x");
    }
    t->taken++;
    return OK;
}

static void whole_messages_leave_nothing_behind(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { 0 };

    (void)state;
    assert_ok(inlet_run(&i, 5, BYTES_LIT("abcdef"), take_three, &t));
    assert_int_equal(t.taken, 2);
    assert_int_equal(i.rest.len, 0);
    assert_null(i.rest.ptr);
}

static void octets_may_come_one_at_a_time(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { 0 };

    (void)state;
    for (int n = 0; n < 9; n++) {
        assert_ok(inlet_run(&i, 5, BYTES_LIT("a"), take_three, &t));
    }
    assert_int_equal(t.taken, 3);
    assert_int_equal(i.rest.len, 0);
}

static void what_the_owner_cannot_take_waits(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { .closed_gate = true };

    (void)state;
    assert_ok(inlet_run(&i, 5, BYTES_LIT("abcde"), take_three, &t));
    assert_ok(inlet_run(&i, 6, BYTES_LIT("fgh"), take_three, &t));
    assert_int_equal(t.taken, 0);
    t.closed_gate = false;
    assert_ok(inlet_run(&i, 7, (struct bytes){ 0 }, take_three, &t));
    assert_int_equal(t.taken, 2);
    assert_int_equal(i.rest.len, 2);
}

static void an_error_of_the_owner_ends_the_link(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { 0 };

    (void)state;
    assert_err(inlet_run(&i, 5, BYTES_LIT("abcxyz"), take_three, &t), ERR_PROTO);
    assert_int_equal(t.taken, 1);
}

static void more_than_the_bound_is_refused(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { .closed_gate = true };
    static uint8_t big[INLET_BYTES_MAX];

    (void)state;
    assert_ok(inlet_run(&i, 5, BYTES_OF(big), take_three, &t));
    assert_err(inlet_run(&i, 5, BYTES_LIT("a"), take_three, &t), ERR_LIMIT);
}

static void a_message_has_thirty_seconds_from_its_first_octet(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { 0 };
    uint64_t start = 100;

    (void)state;
    assert_false(inlet_stalled(&i, start));
    assert_ok(inlet_run(&i, start, BYTES_LIT("a"), take_three, &t));
    assert_ok(inlet_run(&i, start + INLET_STALL_US - 2, BYTES_LIT("b"), take_three, &t));
    assert_false(inlet_stalled(&i, start + INLET_STALL_US - 1));
    assert_true(inlet_stalled(&i, start + INLET_STALL_US));
}

static void the_time_starts_anew_with_each_message(void **state)
{
    AUTO(inlet_done) struct inlet i = { 0 };
    struct taker t = { 0 };

    (void)state;
    assert_ok(inlet_run(&i, 100, BYTES_LIT("a"), take_three, &t));
    assert_ok(inlet_run(&i, 200, BYTES_LIT("bcd"), take_three, &t));
    assert_false(inlet_stalled(&i, 100 + INLET_STALL_US));
    assert_true(inlet_stalled(&i, 200 + INLET_STALL_US));
}

static void a_full_link_keeps_the_messages_whole(void **state)
{
    AUTO(outlet_done) struct outlet o = { 0 };
    AUTO(fake_host_done) struct fake_host f;

    (void)state;
    fake_host_init(&f);
    fake_host_link(&f, 1)->full = true;
    assert_ok(outlet_add(&o, BYTES_LIT("abc")));
    assert_false(outlet_flush(&o, &f.host, 1));
    assert_true(o.full);
    fake_host_link(&f, 1)->full = false;
    assert_ok(outlet_add(&o, BYTES_LIT("def")));
    assert_false(outlet_flush(&o, &f.host, 1)); /* until the core heard that there is room */
    o.full = false;
    assert_true(outlet_flush(&o, &f.host, 1));
    assert_int_equal(fake_host_sent(&f, 1).len, 6);
}

static void an_outlet_has_a_bound(void **state)
{
    AUTO(outlet_done) struct outlet o = { 0 };
    static uint8_t big[OUTLET_BYTES_MAX];

    (void)state;
    assert_ok(outlet_add(&o, BYTES_OF(big)));
    assert_true(outlet_is_long(&o));
    assert_err(outlet_add(&o, BYTES_LIT("a")), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_leave_nothing_behind),
        cmocka_unit_test(octets_may_come_one_at_a_time),
        cmocka_unit_test(what_the_owner_cannot_take_waits),
        cmocka_unit_test(an_error_of_the_owner_ends_the_link),
        cmocka_unit_test(more_than_the_bound_is_refused),
        cmocka_unit_test(a_message_has_thirty_seconds_from_its_first_octet),
        cmocka_unit_test(the_time_starts_anew_with_each_message),
        cmocka_unit_test(a_full_link_keeps_the_messages_whole),
        cmocka_unit_test(an_outlet_has_a_bound),
    };
    return cmocka_run_group_tests_name("inlet", tests, NULL, NULL);
}
