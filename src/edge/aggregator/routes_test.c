/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "edge/aggregator/routes.h"

static void a_meter_is_found_on_the_link_it_was_heard_on(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner o = { .link = 5 };
    uint64_t link = 0;
    bool moved;

    (void)state;
    assert_false(routes_find(&r, 1, &link));
    assert_ok(routes_learn(&r, &o, 1, &moved));
    assert_false(moved);
    assert_true(routes_find(&r, 1, &link));
    assert_int_equal(link, 5);
    routes_forget(&r, &o);
    assert_false(routes_find(&r, 1, &link));
    assert_int_equal(r.count, 0);
}

static void a_meter_that_roams_moves_its_route(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner a = { .link = 5 }, b = { .link = 6 };
    uint64_t link = 0;
    bool moved;

    (void)state;
    assert_ok(routes_learn(&r, &a, 1, &moved));
    assert_ok(routes_learn(&r, &b, 1, &moved));
    assert_true(moved);
    assert_true(routes_find(&r, 1, &link));
    assert_int_equal(link, 6);
    routes_forget(&r, &a);
    assert_true(routes_find(&r, 1, &link));
    routes_forget(&r, &b);
}

static void a_link_with_too_many_meters_pushes_out_its_own_oldest(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner quiet = { .link = 5 }, loud = { .link = 6 };
    uint64_t link;
    bool moved;

    (void)state;
    assert_ok(routes_learn(&r, &quiet, 1, &moved));
    for (uint64_t meter = 100; meter < 200; meter++) {
        assert_ok(routes_learn(&r, &loud, meter, &moved));
    }
    assert_int_equal(loud.count, 2);
    assert_true(routes_find(&r, 1, &link));
    assert_true(routes_find(&r, 199, &link));
    assert_false(routes_find(&r, 100, &link));
    routes_forget(&r, &quiet);
    routes_forget(&r, &loud);
}

static void a_full_table_refuses_a_link_without_routes(void **state)
{
    struct routes r = { .count_max = 4 };
    struct route_owner o[5] = { { .link = 1 }, { .link = 2 }, { .link = 3 }, { .link = 4 },
                                { .link = 5 } };
    bool moved;

    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        assert_ok(routes_learn(&r, &o[i], i, &moved));
    }
    assert_err(routes_learn(&r, &o[4], 9, &moved), ERR_LIMIT);
    assert_int_equal(r.count, 4);
    for (size_t i = 0; i < 5; i++) {
        routes_forget(&r, &o[i]);
    }
}

static void a_failed_allocation_leaves_the_table_as_it_was(void **state)
{
    struct routes r = { .count_max = 4 };
    struct route_owner o = { .link = 1 };
    bool moved;

    (void)state;
    EACH_FAILURE(i) {
        err e = routes_learn(&r, &o, 7, &moved);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
        assert_int_equal(r.count, 0);
        assert_int_equal(o.count, 0);
    }
    mem_fail_after(-1);
    routes_forget(&r, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_is_found_on_the_link_it_was_heard_on),
        cmocka_unit_test(a_meter_that_roams_moves_its_route),
        cmocka_unit_test(a_link_with_too_many_meters_pushes_out_its_own_oldest),
        cmocka_unit_test(a_full_table_refuses_a_link_without_routes),
        cmocka_unit_test(a_failed_allocation_leaves_the_table_as_it_was),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
