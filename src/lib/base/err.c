/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_TEXT_BYTES 512

static _Thread_local char text[ERR_TEXT_BYTES];
static _Thread_local char where[64];

void err_set(const char *file, int line, const char *fmt, ...)
{
    const char *slash = strrchr(file, '/');
    char made[ERR_TEXT_BYTES]; /* an argument may be the kept text itself */
    va_list args;

    snprintf(where, sizeof where, "%s:%d", slash != NULL ? slash + 1 : file, line);
    va_start(args, fmt);
    vsnprintf(made, sizeof made, fmt, args);
    va_end(args);
    memcpy(text, made, sizeof text);
}

err err_context(err e, const char *fmt, ...)
{
    char made[ERR_TEXT_BYTES];
    va_list args;

    if (e.code == ERR_NONE) {
        return e;
    }
    va_start(args, fmt);
    int n = vsnprintf(made, sizeof made, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof made &&
        snprintf(made + n, sizeof made - (size_t)n, ": %s", text) < 0) {
        made[n] = '\0';
    }
    memcpy(text, made, sizeof text);
    return e;
}

const char *err_text(void)
{
    return text;
}

const char *err_where(void)
{
    return where;
}

const char *err_name(enum err_code code)
{
    static const char *const names[ERR_COUNT] = {
        [ERR_NONE] = "none",       [ERR_AGAIN] = "again", [ERR_CLOSED] = "closed",
        [ERR_IO] = "io",           [ERR_PROTO] = "proto", [ERR_AUTH] = "auth",
        [ERR_MISSING] = "missing", [ERR_LIMIT] = "limit", [ERR_CONFLICT] = "conflict",
        [ERR_CORRUPT] = "corrupt",
    };

    assert(code < ERR_COUNT);
    return names[code];
}
