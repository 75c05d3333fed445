/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/retry.h"

#include <assert.h>

uint64_t retry_pause_us(struct retry *r)
{
    assert(r->max_us >= RETRY_FIRST_US);
    uint64_t us = r->last_us == 0 ? RETRY_FIRST_US : r->last_us + r->last_us / 2;

    r->last_us = us < r->max_us ? us : r->max_us;
    return r->last_us;
}

void retry_reset(struct retry *r)
{
    r->last_us = 0;
}
