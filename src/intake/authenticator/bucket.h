/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket in eight octets: one event each `period_us`, `burst` at once after a rest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t due_us; /* when the bucket will be full again */
};

static inline bool bucket_take(struct bucket *b, uint64_t now_us, uint64_t period_us,
                               uint64_t burst)
{
    uint64_t due_us = b->due_us > now_us ? b->due_us : now_us;

    if (due_us - now_us > (burst - 1) * period_us) {
        return false;
    }
    b->due_us = due_us + period_us;
    return true;
}

/* One event that was taken does not count. */
static inline void bucket_give_back(struct bucket *b, uint64_t period_us)
{
    b->due_us = b->due_us > period_us ? b->due_us - period_us : 0;
}
