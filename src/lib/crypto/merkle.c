/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/merkle.h"

struct digest merkle_leaf(struct bytes entry)
{
    static const uint8_t mark[] = { 0x00 };
    const struct bytes parts[] = { BYTES_OF(mark), entry };

    return sha256_parts(parts, 2);
}

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
    static const uint8_t mark[] = { 0x01 };
    const struct bytes parts[] = { BYTES_OF(mark), DIGEST_VIEW(left), DIGEST_VIEW(right) };

    return sha256_parts(parts, 3);
}

err merkle_add(struct merkle *m, const struct digest *leaf)
{
    struct digest carry = *leaf;
    unsigned level = 0;

    if (m->count >= MERKLE_LEAVES_MAX) {
        FAIL(ERR_LIMIT, "a tree holds at most %llu leaves", (unsigned long long)MERKLE_LEAVES_MAX);
    }
    /* As in binary counting: two trees of 2^i leaves become one of 2^(i+1). */
    for (; (m->count >> level & 1) != 0; level++) {
        carry = merkle_node(&m->edge[level], &carry);
    }
    m->edge[level] = carry;
    m->count++;
    return OK;
}

struct digest merkle_root(const struct merkle *m)
{
    struct digest root = { { 0 } };
    bool begun = false;

    if (m->count == 0) {
        return sha256((struct bytes){ 0 });
    }
    for (unsigned level = 0; level < MERKLE_PATH_MAX; level++) {
        if ((m->count >> level & 1) == 0) {
            continue;
        }
        root = begun ? merkle_node(&m->edge[level], &root) : m->edge[level];
        begun = true;
    }
    return root;
}

struct digest merkle_root_of(const struct digest *leaves, size_t count)
{
    struct merkle m = { .count = 0 };

    for (size_t i = 0; i < count; i++) {
        err e = merkle_add(&m, &leaves[i]);
        if (e.code) {
            break; /* 2^32 leaves take 128 GiB: no caller holds them */
        }
    }
    return merkle_root(&m);
}

/* The largest power of two below n; n > 1. */
static size_t split(size_t n)
{
    size_t k = 1;

    while (k * 2 < n) {
        k *= 2;
    }
    return k;
}

err merkle_path_of(const struct digest *leaves, size_t count, size_t index, struct merkle_path *out)
{
    struct merkle_path down = { .count = 0 };

    if (index >= count) {
        FAIL(ERR_MISSING, "no leaf %zu in a tree of %zu", index, count);
    }
    if (count > MERKLE_LEAVES_MAX) {
        FAIL(ERR_LIMIT, "a tree holds at most %llu leaves", (unsigned long long)MERKLE_LEAVES_MAX);
    }
    /* From the root down: the side without the leaf is one hash of the path. */
    while (count > 1) {
        size_t k = split(count);
        bool right = index >= k;
        down.hashes[down.count++] =
            right ? merkle_root_of(leaves, k) : merkle_root_of(leaves + k, count - k);
        leaves += right ? k : 0;
        index -= right ? k : 0;
        count = right ? count - k : k;
    }
    *out = (struct merkle_path){ .count = down.count };
    for (size_t i = 0; i < down.count; i++) {
        out->hashes[i] = down.hashes[down.count - 1 - i];
    }
    return OK;
}

/* RFC 9162 2.1.3.2. */
err merkle_path_check(const struct digest *leaf, uint64_t index, uint64_t count,
                      const struct merkle_path *path, const struct digest *root)
{
    struct digest at = *leaf;

    if (index >= count || path->count > MERKLE_PATH_MAX) {
        FAIL(ERR_AUTH, "no leaf %llu in a tree of %llu", (unsigned long long)index,
             (unsigned long long)count);
    }
    uint64_t last = count - 1;
    for (size_t i = 0; i < path->count; i++) {
        if (last == 0) {
            FAIL(ERR_AUTH, "the path of leaf %llu is too long", (unsigned long long)index);
        }
        if ((index & 1) != 0 || index == last) {
            at = merkle_node(&path->hashes[i], &at);
            for (; (index & 1) == 0 && index != 0; index >>= 1) {
                last >>= 1;
            }
        } else {
            at = merkle_node(&at, &path->hashes[i]);
        }
        index >>= 1;
        last >>= 1;
    }
    if (last != 0 || !digest_equal(&at, root)) {
        FAIL(ERR_AUTH, "the path does not lead to the root");
    }
    return OK;
}
