/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_chunk.h"

#include "lib/net/http_guard.h"

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static err malformed(const char *where)
{
    FAIL(ERR_PROTO, "chunked body: %s", where);
}

static err step_size(struct http_chunk *c, uint8_t octet)
{
    int digit = hex_value(octet);

    if (digit >= 0) {
        if (++c->digits > HTTP_CHUNK_DIGITS_MAX) {
            return malformed("size");
        }
        c->left = c->left << 4 | (unsigned)digit;
        return OK;
    }
    if (c->digits == 0 || (octet != ';' && octet != '\r')) {
        return malformed("size");
    }
    c->state = octet == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    c->extension = 0;
    return OK;
}

static err step_extension(struct http_chunk *c, uint8_t octet)
{
    if (octet == '\r') {
        c->state = CHUNK_SIZE_LF;
        return OK;
    }
    if (!http_is_value(octet) || ++c->extension > HTTP_CHUNK_EXTENSION_MAX) {
        return malformed("extension");
    }
    return OK;
}

static err expect(struct http_chunk *c, uint8_t octet, uint8_t wanted, enum http_chunk_state to)
{
    if (octet != wanted) {
        return malformed("line end");
    }
    c->state = to;
    return OK;
}

static err step_size_lf(struct http_chunk *c, uint8_t octet)
{
    TRY(expect(c, octet, '\n', c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER));
    c->digits = 0;
    return OK;
}

/* Trailers are bounded, checked like headers, and dropped. */
static err step_trailer(struct http_chunk *c, uint8_t octet)
{
    if (++c->trailer > HTTP_TRAILER_BYTES_MAX) {
        return malformed("trailers");
    }
    switch (c->state) {
    case CHUNK_TRAILER:
        if (octet == '\r') {
            c->state = CHUNK_LAST_LF;
            return OK;
        }
        c->state = CHUNK_TRAILER_NAME;
        return http_is_token(octet) ? OK : malformed("trailer");
    case CHUNK_TRAILER_NAME:
        if (octet == ':') {
            c->state = CHUNK_TRAILER_VALUE;
            return OK;
        }
        return http_is_token(octet) ? OK : malformed("trailer");
    case CHUNK_TRAILER_VALUE:
        if (octet == '\r') {
            c->state = CHUNK_TRAILER_LF;
            return OK;
        }
        return http_is_value(octet) ? OK : malformed("trailer");
    default: return expect(c, octet, '\n', CHUNK_TRAILER);
    }
}

static err step(struct http_chunk *c, uint8_t octet)
{
    if (++c->overhead > HTTP_CHUNK_OVERHEAD_MAX + c->body) {
        return malformed("more framing than data");
    }
    switch (c->state) {
    case CHUNK_SIZE: return step_size(c, octet);
    case CHUNK_EXTENSION: return step_extension(c, octet);
    case CHUNK_SIZE_LF: return step_size_lf(c, octet);
    case CHUNK_DATA_CR: return expect(c, octet, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF: return expect(c, octet, '\n', CHUNK_SIZE);
    case CHUNK_LAST_LF: return expect(c, octet, '\n', CHUNK_DONE);
    default: return step_trailer(c, octet);
    }
}

static err take_data(struct http_chunk *c, struct bytes *in, uint64_t body_max, struct bytes *out)
{
    uint64_t n = c->left < in->len ? c->left : in->len;

    if (c->body + n > body_max) {
        FAIL(ERR_LIMIT, "the body has more than %llu octets", (unsigned long long)body_max);
    }
    TRY(bytes_read(in, (size_t)n, out));
    c->left -= n;
    c->body += n;
    if (c->left == 0) {
        c->state = CHUNK_DATA_CR;
    }
    return OK;
}

err http_chunk_next(struct http_chunk *c, struct bytes *in, uint64_t body_max, struct bytes *out)
{
    *out = (struct bytes){ 0 };
    while (in->len > 0 && c->state != CHUNK_DONE) {
        if (c->state == CHUNK_DATA) {
            return take_data(c, in, body_max, out);
        }
        TRY(step(c, in->ptr[0]));
        in->ptr++;
        in->len--;
    }
    return OK;
}
