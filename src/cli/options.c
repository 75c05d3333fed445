/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define COMMON_COUNT 3

err cli_options(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                struct options *out, int *out_plain)
{
    struct options o = { .dir = place_default_dir() };
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

/* The folder that bin, libexec and share are in: this program's own folder's folder. */
static err install_root(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);

    if (n <= 0) {
        FAIL(ERR_IO, "cannot find the folder of this program");
    }
    out[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(out, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    return OK;
}

static err installed_file(const char *folder, const char *name, int access_mode,
                          struct place_path *out)
{
    char root[PATH_MAX];

    TRY(install_root(root, sizeof root));
    if (snprintf(out->text, sizeof out->text, "%s/%s/%s", root, folder, name) >=
        (int)sizeof out->text) {
        FAIL(ERR_LIMIT, "%s: path too long", root);
    }
    if (access(out->text, access_mode) != 0) {
        FAIL(ERR_MISSING, "%s: not installed; build it with ./setup build", out->text);
    }
    return OK;
}

err cli_program(const char *name, struct place_path *out)
{
    return installed_file("libexec/meterseal", name, X_OK, out);
}

err cli_shared_file(const char *name, struct place_path *out)
{
    return installed_file("share/meterseal/tariff", name, R_OK, out);
}
