/* SPDX-License-Identifier: Apache-2.0 */
/* Manipulations of a correct bundle, each with the class under which it must be caught.
 * They come from three hands: somebody who can change files; the utility, which
 * can also sign bills; a meter (or who has its key), which can also sign seals. */
#pragma once

#include "sample.h"

#define MUTATION_CODES_MAX 3

struct mutation {
    const char *name;
    bool (*apply)(struct sample *s);           /* false: this sample has nothing to change */
    enum audit_code codes[MUTATION_CODES_MAX]; /* one of these is reported */
};

/* Each ends with an entry without name. */
extern const struct mutation mutations_of_files[];
extern const struct mutation mutations_by_utility[];
extern const struct mutation mutations_by_meter[];

static inline uint64_t mutation_pick(struct sample *s, uint64_t n)
{
    return rand64_below(&s->rand, n);
}
