/* SPDX-License-Identifier: Apache-2.0 */
/* An automaton over the raw octets of a request's head: refuses what http_parser would let through
 * (bare LF, folding, blanks around names, octets above 0x7e, long lines ...) and says where the
 * head ends. docs/style.md, "HTTP". */
#pragma once

#include "lib/base/bytes.h"

#define HTTP_LINE_BYTES_MAX 8192
#define HTTP_METHOD_BYTES_MAX 16
#define HTTP_VERSION_BYTES_MAX 16

enum http_guard_state {
    GUARD_METHOD, GUARD_SLASH, GUARD_TARGET, GUARD_VERSION, GUARD_LF, GUARD_FIRST, GUARD_NAME,
    GUARD_VALUE, GUARD_LAST, GUARD_DONE, GUARD_BAD,
    GUARD_STATE_COUNT
};

/* Zeroed at the start of a head. */
struct http_guard {
    enum http_guard_state state;
    size_t len;         /* octets of the head so far */
    size_t line_len;    /* octets of the current part: method, target, version or header line */
    unsigned headers;
    size_t version_at;  /* offset of "HTTP/1.1" */
    size_t version_len;
};

/* Takes octets up to the end of the head, *used of them. 0, or the status that refuses the head:
 * 400, 414 (target), 431 (a line, the head or the number of headers), 501 (method). */
unsigned http_guard_run(struct http_guard *g, struct bytes in, size_t *used) MUST_USE;

bool http_is_token(uint8_t c);       /* of a header name, RFC 9110 5.6.2 */
bool http_is_value(uint8_t c);       /* visible ASCII, blank, tab */
bool http_text_equal(struct bytes text, const char *other); /* without regard to letter case */
