/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/test_fixture.h"

#include "intake/authenticator/hello_pool.h"

#define PATIENCE_US (20 * US_PER_S)

struct pool_fixture {
    struct fixture f; /* first: what `work` and `refused` are given */
    struct loop *loop;
    struct hello_pool *pool;
    struct loop_timer patience;
    size_t done, wanted;
};

static void on_patience(void *arg)
{
    struct pool_fixture *p = arg;

    loop_stop(p->loop);
}

static void on_done(void *arg, struct hello_job *job)
{
    struct pool_fixture *p = arg;

    authenticator_hello_done(p->f.a, p->f.now_us, job);
    p->done++;
    if (p->done == p->wanted) {
        loop_stop(p->loop);
    }
}

static void give(void *arg, struct hello_job *job)
{
    struct pool_fixture *p = arg;

    assert_ok(hello_pool_give(p->pool, job));
}

static void start_pool(struct pool_fixture *p)
{
    *p = (struct pool_fixture){ 0 };
    assert_ok(loop_new(&p->loop));
    assert_ok(hello_pool_new(p->loop, 2, on_done, p, &p->pool));
    loop_timer_init(&p->patience, p->loop, on_patience, p);
    start_with(&p->f, (struct authenticator_options){ .work = give });
}

static void run(struct pool_fixture *p)
{
    assert_ok(loop_timer_at(&p->patience, loop_now_us(p->loop) + PATIENCE_US));
    assert_ok(loop_run(p->loop));
    assert_int_equal(p->done, p->wanted);
    loop_timer_cancel(&p->patience);
}

static void end_pool(struct pool_fixture *p)
{
    hello_pool_free(p->pool);
    end(&p->f);
    loop_free(p->loop);
}

static void threads_work_on_hellos_and_the_loop_hears_of_it(void **state)
{
    struct pool_fixture p;
    struct test_meter m = { .id = METER, .link = AGG };

    (void)state;
    start_pool(&p);
    p.wanted = 1;
    say_hello(&p.f, &m);
    assert_int_equal(authenticator_jobs(p.f.a), 1);
    run(&p);
    assert_int_equal(authenticator_jobs(p.f.a), 0);
    take_answer(&p.f, &m);
    end_pool(&p);
}

static void many_meters_are_worked_on_at_once(void **state)
{
    struct pool_fixture p;

    (void)state;
    start_pool(&p);
    p.wanted = 20;
    for (uint64_t i = 0; i < p.wanted; i++) {
        struct test_meter m = { .id = METER + i, .link = AGG };
        say_hello(&p.f, &m);
        hello_done(&m.hello);
    }
    assert_int_equal(authenticator_jobs(p.f.a), p.wanted);
    run(&p);
    assert_int_equal(counted(&p.f, AUTHENTICATOR_HELLOS), p.wanted);
    end_pool(&p);
}

static void a_pool_without_work_ends_at_once(void **state)
{
    struct pool_fixture p;

    (void)state;
    start_pool(&p);
    end_pool(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_work_on_hellos_and_the_loop_hears_of_it),
        cmocka_unit_test(many_meters_are_worked_on_at_once),
        cmocka_unit_test(a_pool_without_work_ends_at_once),
    };
    return cmocka_run_group_tests_name("hello_pool", tests, make_keys, free_keys);
}
