/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/merkle.h"

#include "lib/base/test.h"

#define RECORD_BYTES 156
#define LEAVES_MAX 130

/* R(i) of the reference: octet j is (i + j) mod 256. */
static struct digest leaf_of(size_t i)
{
    uint8_t record[RECORD_BYTES];

    for (size_t j = 0; j < sizeof record; j++) {
        record[j] = (uint8_t)(i + j);
    }
    return merkle_leaf(BYTES_OF(record));
}

static struct digest leaves[LEAVES_MAX];

static int make_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEAVES_MAX; i++) {
        leaves[i] = leaf_of(i);
    }
    return 0;
}

#define assert_digest(call, hex)             \
    do {                                     \
        struct digest got_ = (call);         \
        assert_hex(DIGEST_VIEW(&got_), hex); \
    } while (0)

static void leaves_have_their_vectors(void **state)
{
    static const uint8_t zeros[RECORD_BYTES];

    (void)state;
    assert_digest(merkle_leaf(BYTES_OF(zeros)),
                  "5ec13d514d24aba23fd78497a131244321c5e650a1468b6e636a19a7ca1fe593");
    assert_digest(leaves[0], "8cc6263fe777f4cf64f44bc4ea9639fbb0847137262354cc242eb0369702904f");
    assert_digest(leaves[1], "3f1a0f65ee12f7efe64477247359af8ef02cf27d104481b4f5922f71432b8178");
}

static const struct {
    size_t count;
    const char *root;
} roots[] = {
    { 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { 1, "8cc6263fe777f4cf64f44bc4ea9639fbb0847137262354cc242eb0369702904f" },
    { 2, "48d0ce59e166497d393dc726901a8302131eacaf2e7c094a0adbf489778bc579" },
    { 3, "8014289f8abea5aae753d79afa8915cc1aaae95c31b3b277c1b2207e24c23516" },
    { 4, "2ce915c895000abd17ad67e00d808885e680dcb476aa0a26532f92d11496705e" },
    { 5, "9e77e81af1814a87cfeef6d2b184ef55dbff862956ca1a080b137a9a8cebcf14" },
    { 7, "17b3f6b6ed9d54d355fb874f7a5d3feede3159fb8152ecf414fb9a4bffb065e5" },
    { 92, "8e91215ef9a9d284727a2560610c3590115d0f8e7338bcf0ed12634b7f07a053" },
    { 96, "d878b726df5a9e7361e5653356bff7e50bf99bf639bbe8c30ca50eda322857ee" },
    { 100, "5c6a0a285a74f58202995757f2b02740bd5f68a5c4b1c976de84cb5e9797de70" },
};

static void roots_have_their_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        assert_digest(merkle_root_of(leaves, roots[i].count), roots[i].root);
    }
}

/* The definition of the standard, word by word, to compare with. */
static struct digest root_by_definition(const struct digest *at, size_t n)
{
    size_t k = 1;

    if (n == 0) {
        return sha256((struct bytes){ 0 });
    }
    if (n == 1) {
        return at[0];
    }
    while (k * 2 < n) {
        k *= 2;
    }
    struct digest left = root_by_definition(at, k);
    struct digest right = root_by_definition(at + k, n - k);
    return merkle_node(&left, &right);
}

static void a_growing_tree_has_the_defined_root_at_every_size(void **state)
{
    struct merkle m = { .count = 0 };

    (void)state;
    for (size_t n = 0; n < LEAVES_MAX; n++) {
        struct digest want = root_by_definition(leaves, n);
        struct digest got = merkle_root(&m);
        assert_true(digest_equal(&got, &want));
        assert_ok(merkle_add(&m, &leaves[n]));
    }
}

static void a_full_tree_takes_no_leaf_more(void **state)
{
    struct merkle m = { .count = MERKLE_LEAVES_MAX - 1 };
    struct digest before;

    (void)state;
    assert_ok(merkle_add(&m, &leaves[0]));
    before = merkle_root(&m);
    assert_err(merkle_add(&m, &leaves[1]), ERR_LIMIT);
    assert_int_equal(m.count, MERKLE_LEAVES_MAX);
    struct digest after = merkle_root(&m);
    assert_true(digest_equal(&before, &after));
}

static void paths_have_their_vectors(void **state)
{
    struct merkle_path p;

    (void)state;
    assert_ok(merkle_path_of(leaves, 5, 2, &p));
    assert_int_equal(p.count, 3);
    assert_digest(p.hashes[0], "ee6a4b70ab9ff8707870e4d3b0b6a1685ad6d1b6cf1dc07b7eee140e4030da66");
    assert_digest(p.hashes[1], "48d0ce59e166497d393dc726901a8302131eacaf2e7c094a0adbf489778bc579");
    assert_digest(p.hashes[2], "9efd89e211839561f732d30e83b9d53abfb8bbbb091b98d27b7c033031a262c9");
    assert_ok(merkle_path_of(leaves, 5, 4, &p));
    assert_int_equal(p.count, 1);
    assert_digest(p.hashes[0], "2ce915c895000abd17ad67e00d808885e680dcb476aa0a26532f92d11496705e");
}

static void in_a_day_the_first_path_has_7_hashes_and_the_last_6(void **state)
{
    struct merkle_path p;

    (void)state;
    assert_ok(merkle_path_of(leaves, 96, 0, &p));
    assert_int_equal(p.count, 7);
    assert_ok(merkle_path_of(leaves, 96, 95, &p));
    assert_int_equal(p.count, 6);
}

static void every_leaf_of_every_size_is_proved(void **state)
{
    struct merkle_path p;

    (void)state;
    for (size_t n = 1; n <= 33; n++) {
        struct digest root = merkle_root_of(leaves, n);
        for (size_t i = 0; i < n; i++) {
            assert_ok(merkle_path_of(leaves, n, i, &p));
            assert_ok(merkle_path_check(&leaves[i], i, n, &p, &root));
        }
    }
}

static void a_path_proves_no_other_leaf_index_root_or_path(void **state)
{
    struct digest root = merkle_root_of(leaves, 13);
    struct merkle_path good;

    (void)state;
    assert_ok(merkle_path_of(leaves, 13, 6, &good));
    assert_err(merkle_path_check(&leaves[7], 6, 13, &good, &root), ERR_AUTH);
    for (uint64_t i = 0; i < 20; i++) {
        assert_err(merkle_path_check(&leaves[6], i, 13, &good, &root),
                   i == 6 ? ERR_NONE : ERR_AUTH);
    }
    assert_err(merkle_path_check(&leaves[6], 6, 13, &good, &leaves[0]), ERR_AUTH);
    for (size_t i = 0; i < good.count; i++) {
        struct merkle_path bad = good;
        bad.hashes[i].octets[5] ^= 1;
        assert_err(merkle_path_check(&leaves[6], 6, 13, &bad, &root), ERR_AUTH);
    }
}

static void a_path_too_short_or_too_long_is_refused(void **state)
{
    struct digest root = merkle_root_of(leaves, 13);
    struct merkle_path p;

    (void)state;
    assert_ok(merkle_path_of(leaves, 13, 6, &p));
    size_t count = p.count;
    for (p.count = 0; p.count <= MERKLE_PATH_MAX; p.count++) {
        err e = merkle_path_check(&leaves[6], 6, 13, &p, &root);
        assert_err(e, p.count == count ? ERR_NONE : ERR_AUTH);
    }
    assert_err(merkle_path_check(&leaves[6], 6, 13, &p, &root), ERR_AUTH); /* past the array */
}

static void no_leaf_is_proved_in_an_empty_tree(void **state)
{
    struct digest root = merkle_root_of(NULL, 0);
    struct merkle_path p = { .count = 0 };

    (void)state;
    assert_err(merkle_path_check(&root, 0, 0, &p, &root), ERR_AUTH);
    assert_err(merkle_path_of(leaves, 0, 0, &p), ERR_MISSING);
    assert_err(merkle_path_of(leaves, 5, 5, &p), ERR_MISSING);
}

static void a_node_is_not_a_leaf_of_its_halves(void **state)
{
    uint8_t both[2 * DIGEST_BYTES];
    struct digest node = merkle_node(&leaves[0], &leaves[1]);

    (void)state;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        both[i] = leaves[0].octets[i];
        both[DIGEST_BYTES + i] = leaves[1].octets[i];
    }
    struct digest leaf = merkle_leaf(BYTES_OF(both));
    assert_false(digest_equal(&leaf, &node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_have_their_vectors),
        cmocka_unit_test(roots_have_their_vectors),
        cmocka_unit_test(a_growing_tree_has_the_defined_root_at_every_size),
        cmocka_unit_test(a_full_tree_takes_no_leaf_more),
        cmocka_unit_test(paths_have_their_vectors),
        cmocka_unit_test(in_a_day_the_first_path_has_7_hashes_and_the_last_6),
        cmocka_unit_test(every_leaf_of_every_size_is_proved),
        cmocka_unit_test(a_path_proves_no_other_leaf_index_root_or_path),
        cmocka_unit_test(a_path_too_short_or_too_long_is_refused),
        cmocka_unit_test(no_leaf_is_proved_in_an_empty_tree),
        cmocka_unit_test(a_node_is_not_a_leaf_of_its_halves),
    };

    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
