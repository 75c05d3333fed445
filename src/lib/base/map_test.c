/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

#include <string.h>

#include "lib/base/test.h"

struct item {
    uint64_t id;
    int value;
    bool map_full;
    UT_hash_handle hh;
};

static struct item *item_find(struct item *map, uint64_t id)
{
    struct item *found;

    HASH_FIND(hh, map, &id, sizeof id, found);
    return found;
}

static struct item *item_add(struct item **map, uint64_t id)
{
    struct item *it = mem_take(sizeof *it);

    if (it == NULL) {
        return NULL;
    }
    it->id = id;
    it->value = (int)id * 2;
    HASH_ADD(hh, *map, id, sizeof it->id, it);
    if (it->map_full) {
        mem_give(it);
        return NULL;
    }
    return it;
}

static void map_free(struct item **map)
{
    struct item *it;
    struct item *next;

    HASH_ITER (hh, *map, it, next) {
        HASH_DEL(*map, it);
        mem_give(it);
    }
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    AUTO(map_free) struct item *map = NULL;

    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        assert_non_null(item_add(&map, i));
    }
    assert_int_equal(HASH_COUNT(map), 5000);
    for (uint64_t i = 0; i < 5000; i++) {
        struct item *it = item_find(map, i);
        assert_non_null(it);
        assert_int_equal(it->value, 2 * i);
    }
    assert_null(item_find(map, 5000));
    struct item *gone = item_find(map, 77);
    HASH_DEL(map, gone);
    mem_give(gone);
    assert_null(item_find(map, 77));
    assert_int_equal(HASH_COUNT(map), 4999);
}

static void a_full_memory_is_a_flag_and_no_exit(void **state)
{
    AUTO(map_free) struct item *map = NULL;

    (void)state;
    for (long n = 0; n < 3; n++) { /* the item, the table, its buckets */
        mem_fail_after(n);
        assert_null(item_add(&map, 1));
        mem_fail_after(-1);
        assert_null(map);
    }
    assert_non_null(item_add(&map, 1));
    assert_non_null(item_find(map, 1));
}

static void a_failed_insert_leaves_the_others_in_place(void **state)
{
    AUTO(map_free) struct item *map = NULL;

    (void)state;
    for (uint64_t i = 0; i < 2000; i++) { /* each at first without memory, also where it expands */
        mem_fail_after(1);
        struct item *it = item_add(&map, i);
        mem_fail_after(-1);
        if (it == NULL && item_find(map, i) == NULL) {
            assert_non_null(item_add(&map, i));
        }
    }
    for (uint64_t i = 0; i < 2000; i++) {
        assert_non_null(item_find(map, i));
    }
}

static void equal_keys_hash_equally_and_others_apart(void **state)
{
    uint8_t key[40] = { 0 };
    uint32_t seen[8 * sizeof key];
    size_t count = 0;

    (void)state;
    uint32_t base = map_hash(key, sizeof key);
    assert_int_equal(base, map_hash(key, sizeof key));
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seen[count++] = map_hash(key, sizeof key);
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    size_t collisions = 0;
    for (size_t i = 0; i < count; i++) {
        collisions += seen[i] == base;
        for (size_t j = 0; j < i; j++) {
            collisions += seen[i] == seen[j];
        }
    }
    assert_true(collisions < 3); /* about 1 in 80,000 expected */
}

static void the_length_is_part_of_the_hash(void **state)
{
    static const uint8_t zeros[64];
    size_t collisions = 0;

    (void)state;
    for (size_t a = 0; a <= sizeof zeros; a++) {
        for (size_t b = 0; b < a; b++) {
            collisions += map_hash(zeros, a) == map_hash(zeros, b);
        }
    }
    assert_true(collisions < 3);
}

static void keys_may_stand_at_odd_addresses(void **state)
{
    uint8_t room[20] = "xmeter 12345678";
    uint8_t even[20] = "meter 12345678";

    (void)state;
    assert_int_equal(map_hash(room + 1, 14), map_hash(even, 14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(a_full_memory_is_a_flag_and_no_exit),
        cmocka_unit_test(a_failed_insert_leaves_the_others_in_place),
        cmocka_unit_test(equal_keys_hash_equally_and_others_apart),
        cmocka_unit_test(the_length_is_part_of_the_hash),
        cmocka_unit_test(keys_may_stand_at_odd_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
