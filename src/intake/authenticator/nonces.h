/* SPDX-License-Identifier: Apache-2.0 */
/* Nonces of HELLOs that were accepted: remembered for at least an hour, in bounded memory.
 *
 * Two generations of fingerprints; the older is forgotten after an hour or when the newer is full.
 * Only nonces under a good signature come in here, so a stranger cannot fill it; and forgetting one
 * too early is harmless, because a replayed HELLO cuts no session (key confirmation). */
#pragma once

#include "lib/base/bytes.h"

#define NONCES_PERIOD_US (3600 * 1000000ull)

struct nonces {
    uint64_t *slots[2]; /* open addressing; 0 = free; slots[0] is the newer generation */
    size_t slot_count;  /* a power of two, twice what a generation holds */
    size_t used;        /* in the newer generation */
    uint64_t since_us;
};

/* For about `count` nonces an hour. */
err nonces_init(struct nonces *n, size_t count) MUST_USE;
void nonces_done(struct nonces *n);

bool nonces_have(struct nonces *n, uint64_t now_us, uint64_t meter, struct bytes nonce);
void nonces_add(struct nonces *n, uint64_t now_us, uint64_t meter, struct bytes nonce);
