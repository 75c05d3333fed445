/* SPDX-License-Identifier: Apache-2.0 */
/* Where an answer of limited rows stopped, as a sealed text that the client sends back with the
 * same statement: it can neither be read nor made up, and is good for a minute. */
#pragma once

#include "lib/base/buf.h"

#define NEXT_LIFETIME_US 60000000
#define NEXT_TEXT_BYTES_MAX 4096

struct next_place {
    uint64_t emitted; /* rows given so far, towards LIMIT */
    uint32_t range;   /* of the plan, in the order of the scan */
    uint64_t snapshot; /* of the store; 0 = none */
    struct bytes key; /* of the first row that was not given; borrowed */
};

struct next_sealer;
err next_sealer_new(struct next_sealer **out) MUST_USE; /* a key of its own, for this process */
void next_sealer_free(struct next_sealer *s);

/* Bound to the statement and its parameters by `digest`. Appends text. */
err next_seal(struct next_sealer *s, struct bytes digest, uint64_t now_us,
              const struct next_place *place, struct buf *out) MUST_USE;
/* ERR_AUTH: forged, of another statement or process; ERR_AGAIN: too old. place->key borrows from
 * `room`. */
err next_open(struct next_sealer *s, struct bytes digest, uint64_t now_us, struct bytes text,
              struct buf *room, struct next_place *out) MUST_USE;
