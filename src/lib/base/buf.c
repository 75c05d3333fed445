/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"

#define BUF_FIRST_BYTES 256

void buf_done(struct buf *b)
{
    mem_give(b->ptr);
    *b = (struct buf){ .max = b->max };
}

void buf_wipe(struct buf *b)
{
    if (b->ptr != NULL) {
        explicit_bzero(b->ptr, b->cap);
    }
    buf_done(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){ b->ptr, b->len };
}

static err bound_check(const struct buf *b, size_t more)
{
    assert(b->max > 0);
    if (more > b->max || b->len > b->max - more) {
        FAIL(ERR_LIMIT, "buffer of %zu octets would pass its bound of %zu", b->len, b->max);
    }
    return OK;
}

/* Memory for `want` octets in all; it doubles, so that appending stays cheap. */
static err grow(struct buf *b, size_t want)
{
    size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_BYTES;

    if (want <= b->cap) {
        return OK;
    }
    while (cap < want && cap <= b->max / 2) {
        cap *= 2;
    }
    if (cap < want) {
        cap = b->max > want ? b->max : want;
    }
    uint8_t *grown = mem_resize(b->ptr, cap);
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for a buffer of %zu octets", cap);
    }
    b->ptr = grown;
    b->cap = cap;
    return OK;
}

err buf_reserve(struct buf *b, size_t more)
{
    TRY(bound_check(b, more));
    return grow(b, b->len + more);
}

err buf_append(struct buf *b, struct bytes octets)
{
    TRY(buf_reserve(b, octets.len));
    if (octets.len > 0) {
        memcpy(b->ptr + b->len, octets.ptr, octets.len);
        b->len += octets.len;
    }
    return OK;
}

err buf_u8(struct buf *b, uint8_t v)
{
    return buf_append(b, (struct bytes){ &v, 1 });
}

err buf_u16(struct buf *b, uint16_t v)
{
    uint8_t raw[2];

    store_u16(raw, v);
    return buf_append(b, BYTES_OF(raw));
}

err buf_u32(struct buf *b, uint32_t v)
{
    uint8_t raw[4];

    store_u32(raw, v);
    return buf_append(b, BYTES_OF(raw));
}

err buf_u64(struct buf *b, uint64_t v)
{
    uint8_t raw[8];

    store_u64(raw, v);
    return buf_append(b, BYTES_OF(raw));
}

err buf_string(struct buf *b, const char *s)
{
    return buf_append(b, bytes_of_string(s));
}

__attribute__((format(printf, 2, 0))) static err print(struct buf *b, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    assert(n >= 0);
    TRY(bound_check(b, (size_t)n));
    TRY(grow(b, b->len + (size_t)n + 1)); /* the NUL is written, but is no part of it */
    vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, args);
    b->len += (size_t)n;
    return OK;
}

err buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    err e = print(b, fmt, args);
    va_end(args);
    return e;
}

void buf_consume(struct buf *b, size_t count)
{
    assert(count <= b->len);
    if (count < b->len && count > 0) {
        memmove(b->ptr, b->ptr + count, b->len - count);
    }
    b->len -= count;
}

void buf_shrink(struct buf *b)
{
    if (b->len == 0) {
        buf_done(b);
    }
}
