/* SPDX-License-Identifier: Apache-2.0 */
/* Order-preserving keys: the tuple encoding of FoundationDB, so that memcmp order is SQL order
 * (docs/storage.md, "Keys"). Elements are self-delimiting; a prefix of whole elements is a prefix of
 * octets. */
#pragma once

#include "lib/base/buf.h"

enum tuple_type { TUPLE_NULL, TUPLE_BYTES, TUPLE_TEXT, TUPLE_INT, TUPLE_FLOAT8, TUPLE_BOOL };

struct tuple_value {
    enum tuple_type type;
    union {
        int64_t i;
        double f;
        bool b;
        struct bytes octets; /* text or bytes; borrowed */
    };
};

err tuple_put(struct buf *out, const struct tuple_value *v) MUST_USE;
err tuple_put_int(struct buf *out, int64_t v) MUST_USE;
err tuple_put_text(struct buf *out, struct bytes text) MUST_USE;

/* Takes one element off the front. Texts and bytes are unescaped into `scratch`, from which the
 * value borrows. Only the one canonical encoding is accepted: ERR_PROTO. */
err tuple_take(struct bytes *in, struct buf *scratch, struct tuple_value *out) MUST_USE;

/* The first key behind every key that begins with `prefix`: drops trailing ff, adds 1 to the last.
 * An empty result means "no end". */
err tuple_prefix_end(struct bytes prefix, struct buf *out) MUST_USE;
