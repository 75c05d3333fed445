/* SPDX-License-Identifier: Apache-2.0 */
/* Merkle tree of RFC 9162 section 2.1: leaf = SHA-256(00 | entry), node = SHA-256(01 | left |
 * right), split at the largest power of two below n. The root of no entries is SHA-256 of nothing.
 */
#pragma once

#include "lib/crypto/hash.h"

#define MERKLE_PATH_MAX 32
#define MERKLE_LEAVES_MAX UINT64_C(0xFFFFFFFF)

struct digest merkle_leaf(struct bytes entry);
struct digest merkle_node(const struct digest *left, const struct digest *right);

/* A tree that grows at its right edge and keeps one hash a level: 1 KiB for any size. A zeroed
 * struct is the empty tree. */
struct merkle {
    uint64_t count;
    struct digest edge[MERKLE_PATH_MAX]; /* edge[i] holds 2^i leaves where bit i of count is set */
};

err merkle_add(struct merkle *m, const struct digest *leaf) MUST_USE; /* ERR_LIMIT when full */
struct digest merkle_root(const struct merkle *m);

/* Root of leaves in memory. */
struct digest merkle_root_of(const struct digest *leaves, size_t count);

/* Inclusion proof (RFC 9162 2.1.3), from the leaf up. ERR_MISSING for an index past the tree. */
struct merkle_path {
    struct digest hashes[MERKLE_PATH_MAX];
    size_t count;
};
err merkle_path_of(const struct digest *leaves, size_t count, size_t index,
                   struct merkle_path *out) MUST_USE;
/* ERR_AUTH when the leaf at `index` of a tree of `count` does not lead to `root` by this path. */
err merkle_path_check(const struct digest *leaf, uint64_t index, uint64_t count,
                      const struct merkle_path *path, const struct digest *root) MUST_USE;
