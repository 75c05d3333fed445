/* SPDX-License-Identifier: Apache-2.0 */
/* Brings simulated meters into an installation: keys and certificates, and rows in the registers of
 * meters and contracts. */
#pragma once

#include "edge/meter/profile.h"
#include "lib/service/place.h"

#define ENROL_COUNT_MAX 1000000
#define ENROL_THREADS_MAX 64

struct enrolled { /* what happened */
    size_t keys_made;
    size_t registered; /* rows that were not there */
};

/* `threads` 0 = as many as processors. What exists is left alone. */
err enrol(const struct place *p, const struct profile_site *sites, size_t count, unsigned threads,
          struct enrolled *out) MUST_USE;
