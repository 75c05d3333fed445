/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_guard.h"

#include <string.h>
#include <strings.h>

#include "lib/net/http_server.h"

static bool is_visible(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

bool http_is_token(uint8_t c)
{
    /* One bit for each of the 128 octets of ASCII: digits, letters and !#$%&'*+-.^_`|~ */
    static const uint32_t token[4] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };

    return c < 0x80 && (token[c >> 5] >> (c & 31) & 1) != 0;
}

bool http_is_value(uint8_t c)
{
    return is_visible(c) || c == ' ' || c == '\t';
}

bool http_text_equal(struct bytes text, const char *other)
{
    return text.len == strlen(other) && strncasecmp((const char *)text.ptr, other, text.len) == 0;
}

static enum http_guard_state step(enum http_guard_state g, uint8_t c)
{
    switch (g) {
    case GUARD_METHOD:
        return c == ' ' ? GUARD_SLASH : c >= 'A' && c <= 'Z' ? GUARD_METHOD : GUARD_BAD;
    case GUARD_SLASH: return c == '/' ? GUARD_TARGET : GUARD_BAD;
    case GUARD_TARGET:
        return c == ' ' ? GUARD_VERSION : is_visible(c) && c != '#' ? GUARD_TARGET : GUARD_BAD;
    case GUARD_VERSION: return c == '\r' ? GUARD_LF : is_visible(c) ? GUARD_VERSION : GUARD_BAD;
    case GUARD_LF: return c == '\n' ? GUARD_FIRST : GUARD_BAD;
    case GUARD_FIRST: return c == '\r' ? GUARD_LAST : http_is_token(c) ? GUARD_NAME : GUARD_BAD;
    case GUARD_NAME: return c == ':' ? GUARD_VALUE : http_is_token(c) ? GUARD_NAME : GUARD_BAD;
    case GUARD_VALUE: return c == '\r' ? GUARD_LF : http_is_value(c) ? GUARD_VALUE : GUARD_BAD;
    case GUARD_LAST: return c == '\n' ? GUARD_DONE : GUARD_BAD;
    default: return GUARD_BAD;
    }
}

/* Tokens of methods we do not know (lower case, digits) are 501; what is no token is 400. */
static unsigned refusal(const struct http_guard *g, uint8_t c)
{
    bool method = g->state == GUARD_METHOD && (http_is_token(c) || (c == ' ' && g->len > 0));

    return method ? 501 : 400;
}

static unsigned over_bound(const struct http_guard *g)
{
    if (g->len >= HTTP_HEAD_BYTES_MAX || g->headers > HTTP_HEADER_COUNT_MAX) {
        return 431;
    }
    switch (g->state) {
    case GUARD_METHOD: return g->line_len > HTTP_METHOD_BYTES_MAX ? 501 : 0;
    case GUARD_TARGET: return g->line_len > HTTP_TARGET_BYTES_MAX ? 414 : 0;
    case GUARD_VERSION: return g->line_len > HTTP_VERSION_BYTES_MAX ? 400 : 0;
    case GUARD_NAME:
    case GUARD_VALUE: return g->line_len > HTTP_LINE_BYTES_MAX ? 431 : 0;
    default: return 0;
    }
}

static void count(struct http_guard *g, enum http_guard_state to)
{
    g->len++;
    g->line_len++;
    if (to == g->state) {
        return;
    }
    switch (to) {
    case GUARD_VERSION: g->version_at = g->len; g->line_len = 0; break;
    case GUARD_TARGET: g->line_len = 1; break;
    case GUARD_NAME: g->line_len = 1; g->headers++; break;
    case GUARD_LF:
        if (g->state == GUARD_VERSION) {
            g->version_len = g->line_len - 1;
        }
        break;
    default: break;
    }
}

unsigned http_guard_run(struct http_guard *g, struct bytes in, size_t *used)
{
    size_t i = 0;

    while (i < in.len && g->state != GUARD_DONE) {
        uint8_t c = in.ptr[i++];
        enum http_guard_state to = step(g->state, c);
        /* An empty method is no method: " /" and ": /" are malformed, not unknown. */
        if (to == GUARD_SLASH && g->len == 0) {
            to = GUARD_BAD;
        }
        if (to == GUARD_BAD) {
            unsigned status = refusal(g, c);
            g->state = GUARD_BAD;
            *used = i;
            return status;
        }
        count(g, to);
        g->state = to;
        unsigned status = over_bound(g);
        if (status != 0 && to != GUARD_DONE) {
            g->state = GUARD_BAD;
            *used = i;
            return status;
        }
    }
    *used = i;
    return 0;
}
