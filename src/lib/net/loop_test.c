/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/test.h"
#include "lib/net/loop.h"

struct trace {
    struct loop *loop;
    struct loop_timer timer[8];
    struct loop_task task[8];
    int order[64];
    int count;
    int stop_at; /* number of events after which the loop is stopped; 0 = never */
};

struct mark { /* what a callback is told */
    struct trace *trace;
    int id;
};

static void note(void *arg)
{
    const struct mark *m = arg;
    struct trace *t = m->trace;

    t->order[t->count++] = m->id;
    if (t->count == t->stop_at) {
        loop_stop(t->loop);
    }
}

static void a_loop_with_nothing_to_wait_for_returns(void **state)
{
    struct loop *l;

    (void)state;
    assert_ok(loop_new(&l));
    assert_ok(loop_run(l));
    loop_free(l);
    loop_free(NULL);
}

static void timers_fire_in_the_order_of_their_deadlines(void **state)
{
    static const int delay_ms[8] = { 5, 1, 7, 3, 2, 8, 4, 6 };
    struct trace t = { 0 };
    struct mark m[8];

    (void)state;
    assert_ok(loop_new(&t.loop));
    uint64_t now_us = loop_now_us(t.loop);
    for (int i = 0; i < 8; i++) {
        m[i] = (struct mark){ &t, delay_ms[i] };
        loop_timer_init(&t.timer[i], t.loop, note, &m[i]);
        assert_ok(loop_timer_at(&t.timer[i], now_us + (uint64_t)delay_ms[i] * 1000));
    }
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(t.order[i], i + 1);
    }
    assert_true(loop_now_us(t.loop) >= now_us + 8000);
    loop_free(t.loop);
}

static void a_cancelled_timer_does_not_fire(void **state)
{
    struct trace t = { 0 };
    struct mark m[3] = { { &t, 0 }, { &t, 1 }, { &t, 2 } };

    (void)state;
    assert_ok(loop_new(&t.loop));
    for (int i = 0; i < 3; i++) {
        loop_timer_init(&t.timer[i], t.loop, note, &m[i]);
        assert_ok(loop_timer_at(&t.timer[i], loop_now_us(t.loop) + 1000));
    }
    loop_timer_cancel(&t.timer[1]);
    loop_timer_cancel(&t.timer[1]);
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 2);
    assert_int_equal(t.order[0] + t.order[1], 2);
    loop_free(t.loop);
}

static void setting_a_timer_again_replaces_its_deadline(void **state)
{
    struct trace t = { 0 };
    struct mark m[2] = { { &t, 0 }, { &t, 1 } };

    (void)state;
    assert_ok(loop_new(&t.loop));
    for (int i = 0; i < 2; i++) {
        loop_timer_init(&t.timer[i], t.loop, note, &m[i]);
    }
    assert_ok(loop_timer_at(&t.timer[0], loop_now_us(t.loop) + 1000));
    assert_ok(loop_timer_at(&t.timer[1], loop_now_us(t.loop) + 3000));
    assert_ok(loop_timer_at(&t.timer[0], loop_now_us(t.loop) + 6000));
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 2);
    assert_int_equal(t.order[0], 1);
    loop_free(t.loop);
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
    struct trace t = { 0 };
    struct mark m = { &t, 7 };

    (void)state;
    assert_ok(loop_new(&t.loop));
    loop_timer_init(&t.timer[0], t.loop, note, &m);
    assert_ok(loop_timer_at(&t.timer[0], 0));
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 1);
    loop_free(t.loop);
}

static void many_random_timers_keep_their_order(void **state)
{
    enum { COUNT = 500 };
    static struct loop_timer timers[COUNT];
    struct trace t = { 0 };
    struct mark m = { &t, 0 };
    uint64_t seed = 1;

    (void)state;
    assert_ok(loop_new(&t.loop));
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        loop_timer_init(&timers[i], t.loop, note, &m);
        assert_ok(loop_timer_at(&timers[i], UINT64_MAX / 2 - (seed >> 40)));
    }
    for (int i = 0; i < COUNT; i += 3) {
        assert_ok(loop_timer_at(&timers[i], UINT64_MAX / 2 + (uint64_t)i));
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        loop_timer_cancel(&timers[i]);
        assert_int_equal(timers[i].heap_index, 0);
    }
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 0);
    loop_free(t.loop);
}

static void tasks_of_one_thread_run_in_order(void **state)
{
    struct trace t = { 0 };
    struct mark m[8];

    (void)state;
    assert_ok(loop_new(&t.loop));
    for (int i = 0; i < 8; i++) {
        m[i] = (struct mark){ &t, i };
        t.task[i] = (struct loop_task){ .run = note, .arg = &m[i] };
        loop_post(t.loop, &t.task[i]);
    }
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(t.order[i], i);
    }
    loop_free(t.loop);
}

enum { THREADS = 4, POSTS = 500 };

struct poster {
    struct loop *loop;
    struct loop_task task[POSTS];
    int next; /* only the loop's thread touches it */
    int *left;
};

struct post_mark {
    struct poster *poster;
    int id;
};

static struct post_mark post_marks[THREADS][POSTS];

static void on_post(void *arg)
{
    struct post_mark *m = arg;

    assert_int_equal(m->poster->next++, m->id);
    if (--*m->poster->left == 0) {
        loop_stop(m->poster->loop);
    }
}

static void *post_all(void *arg)
{
    struct poster *p = arg;

    for (int i = 0; i < POSTS; i++) {
        loop_post(p->loop, &p->task[i]);
    }
    return NULL;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void tasks_of_many_threads_all_run_each_thread_in_order(void **state)
{
    static struct poster posters[THREADS];
    pthread_t threads[THREADS];
    struct loop *l;
    struct loop_timer alive;
    int left = THREADS * POSTS;

    (void)state;
    assert_ok(loop_new(&l));
    loop_timer_init(&alive, l, nothing, NULL);
    assert_ok(loop_timer_at(&alive, loop_now_us(l) + 60000000));
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .loop = l, .left = &left };
        for (int k = 0; k < POSTS; k++) {
            post_marks[i][k] = (struct post_mark){ &posters[i], k };
            posters[i].task[k] = (struct loop_task){ .run = on_post, .arg = &post_marks[i][k] };
        }
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    assert_ok(loop_run(l));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(left, 0);
    loop_timer_cancel(&alive);
    loop_free(l);
}

static void *stop_it(void *arg)
{
    loop_stop(arg);
    return NULL;
}

static void another_thread_can_stop_the_loop(void **state)
{
    struct loop *l;
    struct loop_timer alive;
    pthread_t thread;

    (void)state;
    assert_ok(loop_new(&l));
    loop_timer_init(&alive, l, nothing, NULL);
    assert_ok(loop_timer_at(&alive, loop_now_us(l) + 60000000));
    assert_int_equal(pthread_create(&thread, NULL, stop_it, l), 0);
    assert_ok(loop_run(l));
    pthread_join(thread, NULL);
    loop_timer_cancel(&alive);
    loop_free(l);
}

static void a_signal_is_told_in_the_loop(void **state)
{
    struct trace t = { .stop_at = 1 };
    struct mark m = { &t, 1 };
    struct loop_timer alive;

    (void)state;
    assert_ok(loop_new(&t.loop));
    loop_timer_init(&alive, t.loop, nothing, NULL);
    assert_ok(loop_timer_at(&alive, loop_now_us(t.loop) + 60000000));
    assert_ok(loop_on_signal(t.loop, SIGHUP, note, &m));
    kill(getpid(), SIGHUP);
    assert_ok(loop_run(t.loop));
    assert_int_equal(t.count, 1);
    loop_timer_cancel(&alive);
    loop_free(t.loop);
}

static void a_signal_handler_alone_does_not_keep_the_loop(void **state)
{
    struct trace t = { 0 };
    struct mark m = { &t, 1 };

    (void)state;
    assert_ok(loop_new(&t.loop));
    assert_ok(loop_on_signal(t.loop, SIGHUP, note, &m));
    assert_ok(loop_run(t.loop));
    loop_free(t.loop);
}

static void full_memory_is_an_error_not_a_crash(void **state)
{
    (void)state;
    EACH_FAILURE(i) {
        struct loop *l;
        struct loop_timer t;
        err e = loop_new(&l);
        if (e.code) {
            assert_err(e, ERR_LIMIT);
            continue;
        }
        loop_timer_init(&t, l, nothing, NULL);
        e = loop_timer_at(&t, 0);
        loop_timer_cancel(&t);
        loop_free(l);
        if (!e.code) {
            assert_true(i > 1);
            break;
        }
        assert_err(e, ERR_LIMIT);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_with_nothing_to_wait_for_returns),
        cmocka_unit_test(timers_fire_in_the_order_of_their_deadlines),
        cmocka_unit_test(a_cancelled_timer_does_not_fire),
        cmocka_unit_test(setting_a_timer_again_replaces_its_deadline),
        cmocka_unit_test(a_deadline_in_the_past_fires_at_once),
        cmocka_unit_test(many_random_timers_keep_their_order),
        cmocka_unit_test(tasks_of_one_thread_run_in_order),
        cmocka_unit_test(tasks_of_many_threads_all_run_each_thread_in_order),
        cmocka_unit_test(another_thread_can_stop_the_loop),
        cmocka_unit_test(a_signal_is_told_in_the_loop),
        cmocka_unit_test(a_signal_handler_alone_does_not_keep_the_loop),
        cmocka_unit_test(full_memory_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
