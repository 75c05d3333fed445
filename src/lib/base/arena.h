/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one request: taken piece by piece, given back at once, zeroed when given back.
 *
 *     AUTO(arena_done) struct arena a = { .max = REQUEST_BYTES_MAX };
 *     char *name = arena_take(&a, n);     // NULL: the bound is crossed or memory is full
 *
 * Pieces are aligned for any type and zeroed. */
#pragma once

#include "lib/base/bytes.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *newest;
    size_t used; /* octets handed out since the last reset, padding included */
    size_t max;  /* never more than this many */
};

void *arena_take(struct arena *a, size_t size) MUST_USE;
char *arena_string(struct arena *a, struct bytes text) MUST_USE; /* a NUL-terminated copy */
err arena_copy(struct arena *a, struct bytes octets, struct bytes *out) MUST_USE;

void arena_reset(struct arena *a); /* zeroes what was used; keeps at most one chunk */
void arena_done(struct arena *a);  /* zeroes and frees everything */
