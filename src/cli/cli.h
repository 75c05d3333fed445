/* SPDX-License-Identifier: Apache-2.0 */
/* The one command a person types. Each verb is a function in a file of its own; verbs that belong
 * to a program of their own (meter, bill, audit, fraud, bench) run it from libexec. */
#pragma once

#include "lib/base/options.h"
#include "lib/service/place.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What every verb understands, taken out of argv by cli_options. */
struct options {
    const char *dir; /* --dir DIR; default: METERSEAL_DIR, else "meterseal-data" */
    bool json;       /* --json */
    bool help;       /* --help */
};

#define CLI_OPTIONS_MAX 24

/* options_parse with the options that every verb has beside those of `specs`. */
err cli_options(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                struct options *out, int *out_plain) MUST_USE;

/* "meterseal: <text>" on stderr; the exit status that fits. */
int cli_fail(err e);
int cli_usage(const char *usage);

/* DIR/../libexec/meterseal/<name>, from where this program was started. */
err cli_program(const char *name, struct place_path *out) MUST_USE;
/* .../share/meterseal/tariff/<name>: the examples that init copies. */
err cli_shared_file(const char *name, struct place_path *out) MUST_USE;

int verb_init(int argc, char **argv);
int verb_up(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_kv(int argc, char **argv);
int verb_sql(int argc, char **argv);
int verb_doctor(int argc, char **argv);
