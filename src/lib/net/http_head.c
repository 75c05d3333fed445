/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_head.h"

#include <string.h>

#include <http_parser.h>

static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS" };

/* ---- http_parser ---- */

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct http_head *h = p->data;
    const char *mark = memchr(at, '?', len);
    size_t path_len = mark != NULL ? (size_t)(mark - at) : len;

    h->path = (struct bytes){ (const uint8_t *)at, path_len };
    h->query = (struct bytes){ (const uint8_t *)at + path_len + (mark != NULL),
                               len - path_len - (mark != NULL) };
    return 0;
}

/* The whole head is parsed at once, so a name and a value come in one piece each. */
static int on_name(http_parser *p, const char *at, size_t len)
{
    struct http_head *h = p->data;

    if (h->count == HTTP_HEADER_COUNT_MAX) {
        return -1;
    }
    h->fields[h->count++] = (struct http_field){ .name = { (const uint8_t *)at, len } };
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct http_head *h = p->data;

    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
        len--;
    }
    h->fields[h->count - 1].value = (struct bytes){ (const uint8_t *)at, len };
    return 0;
}

/* "No body and nothing behind it": the parser stops at the end of the head, for bodies are ours. */
static int on_headers_complete(http_parser *p)
{
    (void)p;
    return 2;
}

static unsigned parser_run(struct bytes octets, struct http_head *h)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_headers_complete,
    };
    http_parser p;

    http_parser_init(&p, HTTP_REQUEST);
    p.data = h;
    size_t n = http_parser_execute(&p, &settings, (const char *)octets.ptr, octets.len);
    switch (HTTP_PARSER_ERRNO(&p)) {
    case HPE_OK: return n == octets.len ? 0 : 400;
    case HPE_INVALID_METHOD:
    case HPE_INVALID_TRANSFER_ENCODING: return 501;
    default: return 400;
    }
}

/* ---- our rules ---- */

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static unsigned check_version(struct bytes v)
{
    if (bytes_equal(v, BYTES_LIT("HTTP/1.1"))) {
        return 0;
    }
    bool form = v.len == 8 && bytes_have_prefix(v, BYTES_LIT("HTTP/")) && digit(v.ptr[5]) &&
                v.ptr[6] == '.' && digit(v.ptr[7]);
    return form ? 505 : 400;
}

static unsigned check_method(struct bytes octets, struct http_head *h)
{
    const uint8_t *blank = memchr(octets.ptr, ' ', octets.len);
    struct bytes name = { octets.ptr, (size_t)(blank - octets.ptr) };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (bytes_equal(name, bytes_of_string(methods[i]))) {
            h->method = methods[i];
            return 0;
        }
    }
    return 501;
}

static unsigned count_of(const struct http_head *h, const char *name, struct bytes *last)
{
    unsigned n = 0;

    for (unsigned i = 0; i < h->count; i++) {
        if (http_text_equal(h->fields[i].name, name)) {
            *last = h->fields[i].value;
            n++;
        }
    }
    return n;
}

static unsigned check_host(const struct http_head *h)
{
    struct bytes host;

    if (count_of(h, "Host", &host) != 1 || host.len == 0) {
        return 400;
    }
    for (size_t i = 0; i < host.len; i++) {
        if (strchr(" \t,/?#@\\\"<>", host.ptr[i]) != NULL) {
            return 400;
        }
    }
    return 0;
}

/* RFC 9112 6: one length, or chunked and nothing else, never both. */
static unsigned check_framing(struct http_head *h)
{
    struct bytes length, coding;
    unsigned lengths = count_of(h, "Content-Length", &length);
    unsigned codings = count_of(h, "Transfer-Encoding", &coding);

    if (lengths > 1 || (lengths == 1 && codings > 0)) {
        return 400;
    }
    if (codings > 0 && (codings > 1 || !http_text_equal(coding, "chunked"))) {
        return 501;
    }
    h->chunked = codings == 1;
    h->has_length = lengths == 1;
    if (h->has_length && (length.len > HTTP_LENGTH_DIGITS_MAX ||
                          decimal_parse(length, UINT64_MAX, &h->length).code)) {
        return 400;
    }
    return 0;
}

/* A list of tokens, "keep-alive, close". */
static bool list_has(struct bytes list, const char *token)
{
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.ptr, ',', list.len);
        size_t n = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
        struct bytes item = { list.ptr, n };
        while (item.len > 0 && (item.ptr[0] == ' ' || item.ptr[0] == '\t')) {
            item.ptr++;
            item.len--;
        }
        while (item.len > 0 && (item.ptr[item.len - 1] == ' ' || item.ptr[item.len - 1] == '\t')) {
            item.len--;
        }
        if (http_text_equal(item, token)) {
            return true;
        }
        list.ptr += n + (comma != NULL);
        list.len -= n + (comma != NULL);
    }
    return false;
}

static unsigned check_options(struct http_head *h)
{
    for (unsigned i = 0; i < h->count; i++) {
        const struct http_field *f = &h->fields[i];
        if (http_text_equal(f->name, "Connection") && list_has(f->value, "close")) {
            h->close = true;
        }
        if (http_text_equal(f->name, "Expect")) {
            if (!http_text_equal(f->value, "100-continue")) {
                return 417;
            }
            h->expect_continue = h->chunked || h->length > 0;
        }
    }
    return 0;
}

unsigned http_head_parse(struct bytes octets, const struct http_guard *guard, struct http_head *out)
{
    struct bytes version = { octets.ptr + guard->version_at, guard->version_len };
    unsigned status = check_method(octets, out);

    out->count = 0;
    out->has_length = out->chunked = out->close = out->expect_continue = false;
    out->length = 0;
    out->path = out->query = (struct bytes){ 0 };
    status = status != 0 ? status : check_version(version);
    status = status != 0 ? status : parser_run(octets, out);
    status = status != 0 ? status : check_host(out);
    status = status != 0 ? status : check_framing(out);
    return status != 0 ? status : check_options(out);
}

bool http_head_find(const struct http_head *h, const char *name, struct bytes *out)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (http_text_equal(h->fields[i].name, name)) {
            *out = h->fields[i].value;
            return true;
        }
    }
    return false;
}
