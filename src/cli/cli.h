/* SPDX-License-Identifier: Apache-2.0 */
/* The one command a person types. Each verb is a function in a file of its own; verbs that belong
 * to a program of their own (meter, bill, audit, fraud, bench) run it from libexec. */
#pragma once

#include "lib/service/place.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What every verb understands, taken out of argv by cli_options. */
struct options {
    const char *dir; /* --dir DIR; default: METERSEAL_DIR, else "meterseal-data" */
    bool json;       /* --json */
    bool help;       /* --help */
};

/* One option of a verb: a flag when `value` is NULL, else it takes the next argument. */
struct option_spec {
    const char *name; /* without the dashes */
    bool *flag;
    const char **value;
};

/* Reads --name VALUE and --name=VALUE; what is left are plain arguments, moved to the front of
 * argv, their number in *out_count. ERR_PROTO names an unknown option. */
err cli_options(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                struct options *out, int *out_count) MUST_USE;
/* A whole number within bounds, or ERR_PROTO naming the option. */
err cli_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
    MUST_USE;

/* "meterseal: <text>" on stderr; the exit status that fits. */
int cli_fail(err e);
int cli_usage(const char *usage);

/* DIR/../libexec/meterseal/<name>, from where this program was started. */
err cli_program(const char *name, struct place_path *out) MUST_USE;

int verb_init(int argc, char **argv);
int verb_up(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_kv(int argc, char **argv);
int verb_sql(int argc, char **argv);
int verb_doctor(int argc, char **argv);
