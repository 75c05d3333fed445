/* SPDX-License-Identifier: Apache-2.0 */
/* Why a consumer cannot be billed: a closed set of reasons, each with its place in time. Nothing is
 * guessed: a bill is exact or it is refused. */
#pragma once

#include "lib/base/bytes.h"

enum refusal_reason {
    REFUSAL_CONTRACT,        /* none in force, or not of this tariff */
    REFUSAL_CERTIFICATE,     /* none, expired, or not of the institute */
    REFUSAL_OPENING,         /* no seal closes the day before the period */
    REFUSAL_SEAL_MISSING,    /* a day has no seal */
    REFUSAL_SEAL_BROKEN,     /* signature, chain or root of a seal is wrong */
    REFUSAL_PREVIOUS,        /* does not join the bill before */
    REFUSAL_READING_MISSING, /* sealed by the meter, not in the store: fill the gap first */
    REFUSAL_READING_DOUBLED,
    REFUSAL_READING_FOREIGN, /* another interval or another time */
    REFUSAL_GAP,             /* the meter has none, and the bill would not be exact */
    REFUSAL_QUALITY,         /* validation marked it: an operator decides first */
    REFUSAL_ESTIMATED,       /* the contract does not allow estimates */
    REFUSAL_REGISTER,        /* went back, was reset, or does not close */
    REFUSAL_TEST,            /* test mode or simulated, under a production tariff */
    REFUSAL_RANGE,           /* a quantity or amount passes its bound */
    REFUSAL_REASONS
};
const char *refusal_name(enum refusal_reason r); /* "seal_missing" */

#define REFUSALS_MAX 32
#define REFUSAL_TEXT_BYTES 120

struct refusal {
    enum refusal_reason reason;
    int64_t from_s; /* 0 = the whole period */
    int64_t to_s;
    char text[REFUSAL_TEXT_BYTES];
};

struct refusals { /* a zeroed struct is empty */
    struct refusal list[REFUSALS_MAX];
    size_t count; /* may pass REFUSALS_MAX: those above it are only counted */
};

void refusal_add(struct refusals *r, enum refusal_reason reason, int64_t from_s, int64_t to_s,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
