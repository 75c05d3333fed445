/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rand.h"

#include <assert.h>
#include <math.h>

uint64_t rand64_next(struct rand64 *r)
{
    r->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t rand64_below(struct rand64 *r, uint64_t n)
{
    assert(n > 0);
    return rand64_next(r) % n;
}

double rand64_unit(struct rand64 *r)
{
    return (double)(rand64_next(r) >> 11) * 0x1p-53;
}

double rand64_range(struct rand64 *r, double low, double high)
{
    return low + (high - low) * rand64_unit(r);
}

double rand64_normal(struct rand64 *r)
{
    double u = 1.0 - rand64_unit(r); /* in (0, 1], so that the logarithm exists */
    double v = rand64_unit(r);

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t rand64_mix(uint64_t a, uint64_t b, uint64_t c)
{
    struct rand64 r = { a };

    r.state ^= rand64_next(&(struct rand64){ b ^ UINT64_C(0x6D657465727365) });
    r.state = rand64_next(&r) ^ c;
    return rand64_next(&r);
}
