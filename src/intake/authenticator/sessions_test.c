/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "intake/authenticator/sessions.h"

#define X SESSION_NOT_ALLOWED
#define ALLOCATOR_BYTES 16 /* what malloc adds */
#define BUCKET_BYTES 16    /* the map's share a meter: buckets are kept below ten items */

static struct session fresh(uint64_t meter, uint8_t epoch)
{
    struct session s = { .meter = meter, .epoch = epoch };

    memset(s.send.key.octets, 0xAA, sizeof s.send.key.octets);
    return s;
}

static void say_hello(struct sessions *t, uint64_t now_us, uint8_t epoch)
{
    struct session s = fresh(7, epoch);

    assert_ok(sessions_hello(t, now_us, 1, &s, 0, 0));
    assert_int_equal(s.send.key.octets[0], 0); /* moved: no second copy of a key stays */
}

static void every_cell_of_the_table_is_as_the_reference_says(void **state)
{
    static const uint8_t want[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
        { SESSION_PENDING, X, X, X, X, X },
        { SESSION_PENDING, SESSION_OPEN, X, X, X, SESSION_NONE },
        { SESSION_OPEN_PENDING, X, SESSION_OPEN, X, SESSION_NONE, X },
        { SESSION_OPEN_PENDING, SESSION_OPEN_OLD, SESSION_OPEN_PENDING, X, SESSION_PENDING,
          SESSION_OPEN },
        { SESSION_OPEN_PENDING, X, SESSION_OPEN_OLD, SESSION_OPEN_OLD, SESSION_NONE,
          SESSION_OPEN },
    };

    (void)state;
    for (unsigned s = 0; s < SESSION_STATE_COUNT; s++) {
        for (unsigned ev = 0; ev < SESSION_EVENT_COUNT; ev++) {
            assert_int_equal(session_next(s, ev), want[s][ev]);
        }
    }
}

static void an_open_session_costs_at_most_512_octets(void **state)
{
    (void)state;
    assert_true(sizeof(struct meter_session) + ALLOCATOR_BYTES + BUCKET_BYTES <= 512);
}

static void the_newest_hello_wins(void **state)
{
    struct sessions t = { .count_max = 4 };

    (void)state;
    say_hello(&t, 1, 1);
    say_hello(&t, 2, 2);
    struct meter_session *m = sessions_find(&t, 7);
    assert_int_equal(m->state, SESSION_PENDING);
    assert_int_equal(m->other->session.epoch, 2);
    assert_int_equal(sessions_count(&t), 1);
    sessions_done(&t);
}

static void a_confirmed_session_keeps_the_one_before(void **state)
{
    struct sessions t = { .count_max = 4 };

    (void)state;
    say_hello(&t, 1, 1);
    struct meter_session *m = sessions_find(&t, 7);
    sessions_confirm(m, 2);
    assert_int_equal(m->state, SESSION_OPEN);
    assert_null(m->other); /* there was none before */
    say_hello(&t, 3, 2);
    assert_int_equal(m->current.epoch, 1);
    sessions_confirm(m, 4);
    assert_int_equal(m->state, SESSION_OPEN_OLD);
    assert_int_equal(m->current.epoch, 2);
    assert_int_equal(m->other->session.epoch, 1);
    assert_int_equal(m->other->until_us, 4 + SESSION_OLD_US);
    assert_false(sessions_timeout(&t, m));
    assert_int_equal(m->state, SESSION_OPEN);
    sessions_done(&t);
}

static void an_unconfirmed_hello_leaves_the_open_session_alone(void **state)
{
    struct sessions t = { .count_max = 4 };

    (void)state;
    say_hello(&t, 1, 1);
    struct meter_session *m = sessions_find(&t, 7);
    sessions_confirm(m, 2);
    say_hello(&t, 3, 2);
    assert_false(sessions_timeout(&t, m));
    assert_int_equal(m->state, SESSION_OPEN);
    assert_int_equal(m->current.epoch, 1);
    sessions_done(&t);
}

static void a_session_that_ends_leaves_a_pending_hello(void **state)
{
    struct sessions t = { .count_max = 4 };

    (void)state;
    say_hello(&t, 1, 1);
    struct meter_session *m = sessions_find(&t, 7);
    sessions_confirm(m, 2);
    say_hello(&t, 3, 2);
    assert_false(sessions_end(&t, m));
    assert_int_equal(m->state, SESSION_PENDING);
    assert_int_equal(m->current.send.key.octets[0], 0);
    assert_true(sessions_timeout(&t, m));
    assert_null(sessions_find(&t, 7));
}

static void more_than_the_bound_is_refused_and_wiped(void **state)
{
    struct sessions t = { .count_max = 1 };
    struct session s = fresh(8, 1);

    (void)state;
    say_hello(&t, 1, 1);
    assert_err(sessions_hello(&t, 2, 1, &s, 0, 0), ERR_LIMIT);
    assert_int_equal(s.send.key.octets[0], 0);
    say_hello(&t, 3, 2); /* a meter that has one may have another */
    sessions_done(&t);
}

static void a_failed_allocation_changes_nothing(void **state)
{
    struct sessions t = { .count_max = 4 };

    (void)state;
    EACH_FAILURE(i) {
        struct session s = fresh(7, 1);
        err e = sessions_hello(&t, 1, 1, &s, 0, 0);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
        assert_int_equal(sessions_count(&t), 0);
    }
    mem_fail_after(-1);
    sessions_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_table_is_as_the_reference_says),
        cmocka_unit_test(an_open_session_costs_at_most_512_octets),
        cmocka_unit_test(the_newest_hello_wins),
        cmocka_unit_test(a_confirmed_session_keeps_the_one_before),
        cmocka_unit_test(an_unconfirmed_hello_leaves_the_open_session_alone),
        cmocka_unit_test(a_session_that_ends_leaves_a_pending_hello),
        cmocka_unit_test(more_than_the_bound_is_refused_and_wiped),
        cmocka_unit_test(a_failed_allocation_changes_nothing),
    };
    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
