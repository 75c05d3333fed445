/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define COMMON_COUNT 3

static const char *default_dir(void)
{
    const char *dir = getenv("METERSEAL_DIR");

    return dir != NULL && *dir != '\0' ? dir : "meterseal-data";
}

err cli_options(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                struct options *out, int *out_plain)
{
    struct options o = { .dir = default_dir() };
    struct option_spec all[CLI_OPTIONS_MAX] = {
        { "dir", NULL, &o.dir },
        { "json", &o.json, NULL },
        { "help", &o.help, NULL },
    };

    assert(spec_count + COMMON_COUNT <= CLI_OPTIONS_MAX);
    for (size_t i = 0; i < spec_count; i++) {
        all[COMMON_COUNT + i] = specs[i];
    }
    TRY(options_parse(argc, argv, all, spec_count + COMMON_COUNT, out_plain));
    *out = o;
    return OK;
}

int cli_fail(err e)
{
    fprintf(stderr, "meterseal: %s\n", err_text());
    return e.code == ERR_NONE ? EXIT_DONE : EXIT_FAILED;
}

int cli_usage(const char *usage)
{
    fprintf(stderr, "%s", usage);
    return EXIT_USAGE;
}

err cli_program(const char *name, struct place_path *out)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0) {
        FAIL(ERR_IO, "cannot find the folder of this program");
    }
    self[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    if (snprintf(out->text, sizeof out->text, "%s/libexec/meterseal/%s", self, name) >=
        (int)sizeof out->text) {
        FAIL(ERR_LIMIT, "%s: path too long", self);
    }
    if (access(out->text, X_OK) != 0) {
        FAIL(ERR_MISSING, "%s: not installed; build it with ./setup build", out->text);
    }
    return OK;
}
