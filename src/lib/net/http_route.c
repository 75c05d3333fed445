/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What is before the next '/', of path and pattern alike. */
static struct bytes segment(struct bytes text)
{
    const uint8_t *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;

    return (struct bytes){ text.ptr, slash != NULL ? (size_t)(slash - text.ptr) : text.len };
}

static void skip(struct bytes *text, size_t n)
{
    text->ptr += n;
    text->len -= n;
}

static void part_add(struct http_match *m, struct bytes name, struct bytes value)
{
    assert(m->count < HTTP_PARTS_MAX);
    m->parts[m->count++] = (struct http_part){ name, value };
}

/* Pattern and path both begin behind a '/'. */
static bool pattern_fits(struct bytes pattern, struct bytes path, struct http_match *m)
{
    for (;;) {
        struct bytes want = segment(pattern);
        struct bytes have = segment(path);
        if (want.len > 2 && want.ptr[0] == '{' && want.ptr[want.len - 2] == '*') {
            part_add(m, (struct bytes){ want.ptr + 1, want.len - 3 }, path);
            return true;
        }
        if (want.len > 2 && want.ptr[0] == '{') {
            if (have.len == 0) {
                return false;
            }
            part_add(m, (struct bytes){ want.ptr + 1, want.len - 2 }, have);
        } else if (!bytes_equal(want, have)) {
            return false;
        }
        skip(&pattern, want.len);
        skip(&path, have.len);
        if (pattern.len == 0 || path.len == 0) {
            return pattern.len == path.len;
        }
        skip(&pattern, 1);
        skip(&path, 1);
    }
}

static bool route_fits(const struct http_route *r, struct bytes path, struct http_match *m)
{
    struct bytes pattern = bytes_of_string(r->pattern);

    assert(pattern.len > 0 && pattern.ptr[0] == '/');
    m->count = 0;
    if (path.len == 0 || path.ptr[0] != '/') {
        return false;
    }
    skip(&pattern, 1);
    skip(&path, 1);
    return pattern_fits(pattern, path, m);
}

static bool method_fits(const struct http_route *r, const char *method)
{
    return strcmp(r->method, method) == 0 ||
           (strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

void http_route_find(const struct http_route *routes, const char *method, struct bytes path,
                     struct http_match *out)
{
    out->known = false;
    for (const struct http_route *r = routes; r->method != NULL; r++) {
        if (!route_fits(r, path, out)) {
            continue;
        }
        out->known = true;
        if (method_fits(r, method)) {
            out->route = r;
            return;
        }
    }
    out->route = NULL;
    out->count = 0;
}

static void allow_add(char *out, size_t size, const char *method)
{
    size_t len = strlen(out);

    if (strstr(out, method) == NULL) {
        snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", method);
    }
}

void http_route_allow(const struct http_route *routes, struct bytes path, char *out, size_t size)
{
    struct http_match m;

    out[0] = '\0';
    for (const struct http_route *r = routes; r->method != NULL; r++) {
        if (route_fits(r, path, &m)) {
            allow_add(out, size, r->method);
            if (strcmp(r->method, "GET") == 0) {
                allow_add(out, size, "HEAD");
            }
        }
    }
}

err http_unescape(struct arena *a, struct bytes text, struct bytes *out)
{
    uint8_t *to = arena_take(a, text.len);
    size_t n = 0;

    if (to == NULL) {
        FAIL(ERR_LIMIT, "request memory is used up");
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            to[n++] = text.ptr[i];
            continue;
        }
        if (text.len - i < 3 ||
            hex_decode((struct bytes){ text.ptr + i + 1, 2 }, &to[n], 1).code) {
            FAIL(ERR_PROTO, "bad percent escape at octet %zu of the path or query", i);
        }
        n++;
        i += 2;
    }
    *out = (struct bytes){ to, n };
    return OK;
}
