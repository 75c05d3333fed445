/* SPDX-License-Identifier: Apache-2.0 */
/* SplitMix64: the repeatable generator of simulations, load profiles and attacks.
 *
 * Never for keys, nonces or anything an attacker must not guess: that is lib/crypto/random.h. */
#pragma once

#include <stdint.h>

struct rand64 {
    uint64_t state;
};

uint64_t rand64_next(struct rand64 *r);
uint64_t rand64_below(struct rand64 *r, uint64_t n); /* next mod n; n > 0 */
double rand64_unit(struct rand64 *r);                /* (next >> 11) * 2^-53, in [0, 1) */
double rand64_range(struct rand64 *r, double low, double high);
double rand64_normal(struct rand64 *r); /* mean 0, deviation 1; draws two */

/* One well-mixed number from several, so that (seed, meter, sequence) gives a stream of its own. */
uint64_t rand64_mix(uint64_t a, uint64_t b, uint64_t c);
