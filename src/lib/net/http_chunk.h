/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of a chunked body (RFC 9112 7.1), strict where http_parser is not: CRLF behind the
 * data is checked, nothing but an extension may follow a size, and the framing is bounded. */
#pragma once

#include "lib/base/bytes.h"

#define HTTP_CHUNK_DIGITS_MAX 8
#define HTTP_CHUNK_EXTENSION_MAX 256
#define HTTP_TRAILER_BYTES_MAX 4096
#define HTTP_CHUNK_OVERHEAD_MAX 16384 /* and as much again as there is body */

enum http_chunk_state {
    CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF,
    CHUNK_TRAILER, CHUNK_TRAILER_NAME, CHUNK_TRAILER_VALUE, CHUNK_TRAILER_LF, CHUNK_LAST_LF,
    CHUNK_DONE,
    CHUNK_STATE_COUNT
};

struct http_chunk { /* zeroed at the start of a body */
    enum http_chunk_state state;
    unsigned digits;
    unsigned extension;
    size_t trailer;
    uint64_t left;     /* data of this chunk */
    uint64_t overhead; /* framing so far */
    uint64_t body;     /* data so far */
};

/* Takes octets from the front of `in` until there is a piece of data (`out`, borrowed, may be
 * empty when more input is needed) or the body is done. ERR_PROTO: malformed. Data stops at
 * `body_max`: one octet more is ERR_LIMIT. */
err http_chunk_next(struct http_chunk *c, struct bytes *in, uint64_t body_max, struct bytes *out)
    MUST_USE;
