/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of keys: which one a prefix, a start and an end name together, and what the keys in a
 * range have in common (a scope must cover that). */
#pragma once

#include "lib/wire/kvs_api.h"

struct key_range {
    struct bytes start; /* inclusive; empty = from the first key */
    struct bytes end;   /* exclusive; empty = to the last key */
    bool nothing;       /* no key can be in it */
};

/* What all three bounds leave; empty bounds leave all. `room` holds the end that a prefix makes. */
struct key_range range_make(struct bytes prefix, struct bytes start, struct bytes end,
                            uint8_t room[KVS_KEY_BYTES_MAX]);

/* The longest beginning that every key in start..end is sure to have; a view of `start`. */
struct bytes range_common_prefix(struct bytes start, struct bytes end);
