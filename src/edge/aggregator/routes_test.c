/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "edge/aggregator/routes.h"

static void a_meter_is_found_on_the_link_it_was_heard_on(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner o = { .link = 5 };
    uint64_t links[ROUTES_OF_METER_MAX];
    bool moved;

    (void)state;
    assert_int_equal(routes_find(&r, 1, links), 0);
    assert_ok(routes_learn(&r, &o, 1, &moved));
    assert_ok(routes_learn(&r, &o, 1, &moved));
    assert_false(moved);
    assert_int_equal(routes_find(&r, 1, links), 1);
    assert_int_equal(links[0], 5);
    routes_forget(&r, &o);
    assert_int_equal(routes_find(&r, 1, links), 0);
    assert_int_equal(r.count, 0);
}

static void a_meter_that_roams_is_answered_on_both_links_until_one_ends(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner a = { .link = 5 }, b = { .link = 6 };
    uint64_t links[ROUTES_OF_METER_MAX];
    bool moved;

    (void)state;
    assert_ok(routes_learn(&r, &a, 1, &moved));
    assert_ok(routes_learn(&r, &b, 1, &moved));
    assert_true(moved);
    assert_int_equal(routes_meters(&r), 1);
    assert_int_equal(routes_find(&r, 1, links), 2);
    assert_int_equal(links[0], 5);
    assert_int_equal(links[1], 6);
    routes_forget(&r, &a);
    assert_int_equal(routes_find(&r, 1, links), 1);
    assert_int_equal(links[0], 6);
    routes_forget(&r, &b);
    assert_int_equal(r.count, 0);
    assert_null(r.owners);
}

/* Ids in headers are clear: whoever has seen or guessed one may claim it. */
static void no_number_of_claims_takes_a_meter_from_its_link(void **state)
{
    struct routes r = { .count_max = 64 };
    struct route_owner own = { .link = 5 }, others[9];
    uint64_t links[ROUTES_OF_METER_MAX];
    bool moved;

    (void)state;
    assert_ok(routes_learn(&r, &own, 1, &moved));
    for (size_t i = 0; i < 9; i++) {
        others[i] = (struct route_owner){ .link = 100 + i };
        assert_ok(routes_learn(&r, &others[i], 1, &moved));
    }
    assert_int_equal(routes_find(&r, 1, links), ROUTES_OF_METER_MAX);
    assert_int_equal(links[0], 5);
    assert_int_equal(links[1], 100);
    assert_int_equal(links[ROUTES_OF_METER_MAX - 1], 108); /* the newest may be the true one */
    assert_int_equal(r.count, ROUTES_OF_METER_MAX);
    routes_forget(&r, &others[0]); /* from the middle of the chain */
    assert_int_equal(routes_find(&r, 1, links), ROUTES_OF_METER_MAX - 1);
    assert_int_equal(links[1], 101);
    for (size_t i = 0; i < 9; i++) {
        routes_forget(&r, &others[i]);
    }
    assert_int_equal(routes_find(&r, 1, links), 1);
    routes_forget(&r, &own);
    assert_int_equal(r.count, 0);
}

static void a_link_with_too_many_meters_pushes_out_its_own_oldest(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner quiet = { .link = 5 }, loud = { .link = 6 };
    uint64_t links[ROUTES_OF_METER_MAX];
    bool moved;

    (void)state;
    assert_ok(routes_learn(&r, &quiet, 1, &moved));
    for (uint64_t meter = 100; meter < 200; meter++) {
        assert_ok(routes_learn(&r, &loud, meter, &moved));
    }
    assert_int_equal(loud.count, 7);
    assert_int_equal(routes_find(&r, 1, links), 1);
    assert_int_equal(routes_find(&r, 199, links), 1);
    assert_int_equal(routes_find(&r, 100, links), 0);
    routes_forget(&r, &quiet);
    routes_forget(&r, &loud);
}

static void a_full_table_makes_room_for_a_new_link_from_the_loudest(void **state)
{
    struct routes r = { .count_max = 8 };
    struct route_owner loud[2] = { { .link = 1 }, { .link = 2 } }, late = { .link = 3 };
    uint64_t links[ROUTES_OF_METER_MAX];
    bool moved;

    (void)state;
    for (uint64_t meter = 0; meter < 8; meter++) {
        assert_ok(routes_learn(&r, &loud[meter < 3], meter, &moved));
    }
    assert_ok(routes_learn(&r, &late, 9, &moved));
    assert_int_equal(routes_find(&r, 9, links), 1);
    assert_int_equal(loud[0].count, 4);
    assert_int_equal(loud[1].count, 3);
    assert_int_equal(r.count, 8);
    routes_forget(&r, &loud[0]);
    routes_forget(&r, &loud[1]);
    routes_forget(&r, &late);
}

static void a_full_table_of_links_with_one_route_each_refuses_another(void **state)
{
    struct routes r = { .count_max = 4 };
    struct route_owner o[5] = {
        { .link = 1 }, { .link = 2 }, { .link = 3 }, { .link = 4 }, { .link = 5 }
    };
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

/* Against the plain list of what was learned and forgotten. */
static void chains_and_lists_agree_whatever_comes(void **state)
{
    struct routes r = { .count_max = 40 };
    struct route_owner o[6];
    uint64_t links[ROUTES_OF_METER_MAX];
    uint32_t seed = 1;
    bool moved;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        o[i] = (struct route_owner){ .link = 10 + i };
    }
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525u + 1013904223u;
        struct route_owner *owner = &o[(seed >> 8) % 6];
        if ((seed >> 20) % 50 == 0) {
            routes_forget(&r, owner);
            assert_int_equal(owner->count, 0);
        } else {
            assert_ok(routes_learn(&r, owner, (seed >> 12) % 17, &moved));
        }
        size_t by_owner = 0, by_meter = 0;
        for (size_t i = 0; i < 6; i++) {
            by_owner += o[i].count;
        }
        for (uint64_t meter = 0; meter < 17; meter++) {
            by_meter += routes_find(&r, meter, links);
        }
        assert_int_equal(by_owner, r.count);
        assert_int_equal(by_meter, r.count);
        assert_true(r.count <= r.count_max);
    }
    for (size_t i = 0; i < 6; i++) {
        routes_forget(&r, &o[i]);
    }
    assert_int_equal(r.count, 0);
    assert_null(r.owners);
}

static void a_failed_allocation_leaves_the_table_as_it_was(void **state)
{
    struct routes r = { .count_max = 4 };
    struct route_owner o = { .link = 1 };
    bool moved;

    (void)state;
    EACH_FAILURE (i) {
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
        cmocka_unit_test(a_meter_that_roams_is_answered_on_both_links_until_one_ends),
        cmocka_unit_test(no_number_of_claims_takes_a_meter_from_its_link),
        cmocka_unit_test(a_link_with_too_many_meters_pushes_out_its_own_oldest),
        cmocka_unit_test(a_full_table_makes_room_for_a_new_link_from_the_loudest),
        cmocka_unit_test(a_full_table_of_links_with_one_route_each_refuses_another),
        cmocka_unit_test(chains_and_lists_agree_whatever_comes),
        cmocka_unit_test(a_failed_allocation_leaves_the_table_as_it_was),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
