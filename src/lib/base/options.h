/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of our programs: --name VALUE, --name=VALUE, flags, and plain arguments, from one
 * table a verb. Every program has --help; those that print results have --json. */
#pragma once

#include "lib/base/bytes.h"

struct option_spec { /* a flag when `value` is NULL, else it takes the next argument */
    const char *name;  /* without the dashes */
    bool *flag;
    const char **value;
};
#define OPTION_COUNT(specs) (sizeof(specs) / sizeof((specs)[0]))

/* What is no option is moved to the front of argv, its number in *out_plain; after "--" nothing is
 * an option. ERR_PROTO names an unknown option, a missing or a superfluous value. */
err options_parse(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                  int *out_plain) MUST_USE;

/* Values of options: ERR_PROTO names the option and what it takes. */
err option_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
    MUST_USE;
err option_signed(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
    MUST_USE;
/* As time_parse of lib/base/clock.h. */
err option_time(const char *name, const char *text, int64_t *out_s) MUST_USE;
