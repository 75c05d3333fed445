/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define LOG_LINE_BYTES 1024
#define LOG_NUM_COUNT 16

static const char *service_name = "meterseal";
static enum log_level lowest_level = LOG_INFO;

void log_start(const char *service, enum log_level lowest)
{
    service_name = service;
    lowest_level = lowest;
}

struct line {
    char text[LOG_LINE_BYTES];
    size_t len;
};

/* The last octet is kept for the line end. */
static void put_char(struct line *l, char c)
{
    if (l->len < sizeof l->text - 1) {
        l->text[l->len++] = c;
    }
}

static void put(struct line *l, const char *s)
{
    for (; *s != '\0'; s++) {
        put_char(l, *s);
    }
}

static bool plain(const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

static void put_escaped(struct line *l, unsigned char c)
{
    char hex[8];

    if (c == '"' || c == '\\') {
        put_char(l, '\\');
        put_char(l, (char)c);
    } else if (c < ' ' || c >= 0x7f) {
        snprintf(hex, sizeof hex, "\\x%02x", c);
        put(l, hex);
    } else {
        put_char(l, (char)c);
    }
}

static void put_value(struct line *l, const char *value)
{
    if (*value != '\0' && plain(value)) {
        put(l, value);
        return;
    }
    put_char(l, '"');
    for (; *value != '\0'; value++) {
        put_escaped(l, (unsigned char)*value);
    }
    put_char(l, '"');
}

static void put_pair(struct line *l, const char *key, const char *value)
{
    put_char(l, ' ');
    put(l, key);
    put_char(l, '=');
    put_value(l, value != NULL ? value : "");
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    uint64_t us = time_utc_us();
    char when[TIME_TEXT_BYTES];
    char millis[8];

    time_format_s((int64_t)(us / US_PER_S), when);
    snprintf(millis, sizeof millis, ".%03uZ", (unsigned)(us / 1000 % 1000));
    when[19] = '\0'; /* the Z moves behind the milliseconds */
    put(l, "ts=");
    put(l, when);
    put(l, millis);
    put_pair(l, "level", names[level]);
    put_pair(l, "svc", service_name);
    put_pair(l, "event", event);
}

void log_event(enum log_level level, const char *event, ...)
{
    struct line l = { .len = 0 };
    va_list args;

    if (level < lowest_level) {
        return;
    }
    put_head(&l, level, event);
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        put_pair(&l, key, va_arg(args, const char *));
    }
    va_end(args);
    l.text[l.len++] = '\n';
    /* One write a line, so that lines of several threads do not mix. Nothing to do if it fails. */
    ssize_t ignored = write(STDERR_FILENO, l.text, l.len);
    (void)ignored;
}

void log_error(enum log_level level, const char *event, err e)
{
    log_event(level, event, "code", err_name(e.code), "error", err_text(), "at", err_where(), NULL);
}

const char *log_num(int64_t v)
{
    static _Thread_local char text[LOG_NUM_COUNT][24];
    static _Thread_local unsigned next;
    char *at = text[next++ % LOG_NUM_COUNT];

    snprintf(at, sizeof text[0], "%lld", (long long)v);
    return at;
}

_Bool log_allowed(struct log_limit *limit, uint64_t now_us, uint64_t period_us)
{
    if (now_us < limit->next_us) {
        limit->suppressed++;
        return false;
    }
    limit->next_us = now_us + period_us;
    return true;
}
