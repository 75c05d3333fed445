/* SPDX-License-Identifier: Apache-2.0 */
/* Order-preserving keys: the tuple encoding of FoundationDB, so that memcmp order is SQL order
 * (docs/storage.md, "Keys"). Elements are self-delimiting; a prefix of whole elements is a prefix
 * of octets. */
#pragma once

#include "lib/base/buf.h"

enum tuple_type { TUPLE_NULL, TUPLE_BYTES, TUPLE_TEXT, TUPLE_INT, TUPLE_FLOAT8, TUPLE_BOOL,
                  TUPLE_FLOAT4 };

struct tuple_value {
    enum tuple_type type;
    union {
        int64_t i;
        double f; /* float8; float4 widened */
        bool b;
        struct bytes octets; /* text or bytes; borrowed */
    };
};

/* -0.0 is written as 0.0, every NaN as the one quiet NaN. ERR_LIMIT leaves `out` as it was. */
err tuple_put(struct buf *out, const struct tuple_value *v) MUST_USE;
err tuple_put_int(struct buf *out, int64_t v) MUST_USE;
err tuple_put_text(struct buf *out, struct bytes text) MUST_USE;

/* Turns the octets of `out` from `start` on, one whole element, into its descending form. */
void tuple_descend(struct buf *out, size_t start);

/* Takes one element off the front. Texts and bytes are unescaped into `scratch`, from which the
 * value borrows; taking the further elements of the same key does not move it. Only the one
 * canonical encoding is accepted: ERR_PROTO, and nothing has changed. */
err tuple_take(struct bytes *in, struct buf *scratch, struct tuple_value *out) MUST_USE;
/* The same for a key that has an integer next: what most of our keys are made of. */
err tuple_take_int(struct bytes *in, int64_t *out) MUST_USE;

/* The first key behind every key that begins with `prefix`: drops trailing ff, adds 1 to the last.
 * An empty result means "no end". `out` is replaced. */
err tuple_prefix_end(struct bytes prefix, struct buf *out) MUST_USE;
