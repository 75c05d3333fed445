/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* "--name" or "--name=value" -> what stands behind the name, or NULL when it is another option. */
static const char *option_match(const char *argument, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, name, len) != 0) {
        return NULL;
    }
    const char *rest = argument + 2 + len;
    return *rest == '\0' || *rest == '=' ? rest : NULL;
}

static err option_set(const struct option_spec *spec, const char *rest, int argc, char **argv, int *i)
{
    if (spec->value == NULL) {
        if (*rest == '=') {
            FAIL(ERR_PROTO, "--%s takes no value", spec->name);
        }
        *spec->flag = true;
        return OK;
    }
    if (*rest == '=') {
        *spec->value = rest + 1;
        return OK;
    }
    if (*i + 1 >= argc) {
        FAIL(ERR_PROTO, "--%s needs a value", spec->name);
    }
    *spec->value = argv[++*i];
    return OK;
}

static err option_take(const struct option_spec *specs, size_t count, int argc, char **argv, int *i,
                       bool *found)
{
    for (size_t s = 0; s < count; s++) {
        const char *rest = option_match(argv[*i], specs[s].name);
        if (rest != NULL) {
            *found = true;
            return option_set(&specs[s], rest, argc, argv, i);
        }
    }
    return OK;
}

static const char *default_dir(void)
{
    const char *dir = getenv("METERSEAL_DIR");

    return dir != NULL && *dir != '\0' ? dir : "meterseal-data";
}

err cli_options(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                struct options *out, int *out_count)
{
    struct options o = { .dir = default_dir() };
    const struct option_spec common[] = {
        { "dir", NULL, &o.dir },
        { "json", &o.json, NULL },
        { "help", &o.help, NULL },
    };
    int plain = 0;
    bool only_plain = false;

    for (int i = 0; i < argc; i++) {
        bool found = false;
        if (!only_plain && strcmp(argv[i], "--") == 0) {
            only_plain = true;
            continue;
        }
        if (only_plain || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[plain++] = argv[i];
            continue;
        }
        TRY(option_take(specs, spec_count, argc, argv, &i, &found));
        if (!found) {
            TRY(option_take(common, sizeof common / sizeof common[0], argc, argv, &i, &found));
        }
        if (!found) {
            FAIL(ERR_PROTO, "unknown option %s", argv[i]);
        }
    }
    *out = o;
    *out_count = plain;
    return OK;
}

err cli_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v;
    err e = decimal_parse(bytes_of_string(text), max, &v);

    if (e.code || v < min) {
        FAIL(ERR_PROTO, "--%s takes a whole number from %llu to %llu", option,
             (unsigned long long)min, (unsigned long long)max);
    }
    *out = v;
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
