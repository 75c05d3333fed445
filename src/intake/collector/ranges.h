/* SPDX-License-Identifier: Apache-2.0 */
/* Which sequence numbers of a meter are settled (durably stored, or known missing): all up to a
 * mark, and a few ranges above it.
 *
 * Ranges that do not fit are forgotten from the top: a report that is asked for again is found in
 * the store as a duplicate, so forgetting costs work and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX 12

struct range {
    uint32_t first;
    uint32_t last;
};

struct ranges {
    uint32_t mark; /* 1 to mark are settled; sequences begin at 1 */
    uint32_t count;
    struct range above[RANGES_MAX]; /* ascending, with holes between them */
};

void ranges_add(struct ranges *r, uint32_t first, uint32_t last);
bool ranges_have(const struct ranges *r, uint32_t sequence);
/* The lowest hole below a known range, or up to `newest` when none is known; false: no hole. */
bool ranges_hole(const struct ranges *r, uint32_t newest, struct range *out);
