/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/options.h"

#include <string.h>

#include "lib/base/clock.h"

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

static err option_set(const struct option_spec *spec, const char *rest, int argc, char **argv,
                      int *i)
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

static err option_take(const struct option_spec *specs, size_t count, int argc, char **argv, int *i)
{
    for (size_t s = 0; s < count; s++) {
        const char *rest = option_match(argv[*i], specs[s].name);
        if (rest != NULL) {
            return option_set(&specs[s], rest, argc, argv, i);
        }
    }
    FAIL(ERR_PROTO, "unknown option %s", argv[*i]);
}

err options_parse(int argc, char **argv, const struct option_spec *specs, size_t spec_count,
                  int *out_plain)
{
    int plain = 0;
    bool only_plain = false;

    for (int i = 0; i < argc; i++) {
        if (!only_plain && strcmp(argv[i], "--") == 0) {
            only_plain = true;
        } else if (only_plain || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[plain++] = argv[i];
        } else {
            TRY(option_take(specs, spec_count, argc, argv, &i));
        }
    }
    *out_plain = plain;
    return OK;
}

err option_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v;
    err e = decimal_parse(bytes_of_string(text), max, &v);

    if (e.code || v < min) {
        FAIL(ERR_PROTO, "--%s takes a whole number from %llu to %llu", name,
             (unsigned long long)min, (unsigned long long)max);
    }
    *out = v;
    return OK;
}

err option_signed(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text[0] == '-';
    uint64_t v;
    err e = decimal_parse(bytes_of_string(text + negative), INT64_MAX, &v);
    int64_t n = e.code ? 0 : (negative ? -(int64_t)v : (int64_t)v);

    if (e.code || n < min || n > max) {
        FAIL(ERR_PROTO, "--%s takes a whole number from %lld to %lld", name, (long long)min,
             (long long)max);
    }
    *out = n;
    return OK;
}

err option_time(const char *name, const char *text, int64_t *out_s)
{
    return err_context(time_parse(bytes_of_string(text), out_s), "--%s", name);
}
