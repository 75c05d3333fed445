/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/tuple.h"

#include <math.h>
#include <string.h>

enum tuple_code { /* first octet of an element */
    CODE_NULL = 0x00,
    CODE_BYTES = 0x01,
    CODE_TEXT = 0x02,
    CODE_INT_FIRST = 0x0c, /* eight octets, negative */
    CODE_ZERO = 0x14,
    CODE_INT_LAST = 0x1c, /* eight octets, positive */
    CODE_FLOAT4 = 0x20,
    CODE_FLOAT8 = 0x21,
    CODE_FALSE = 0x26,
    CODE_TRUE = 0x27,
};

#define ESCAPED_ZERO 0xff
#define NAN_BITS UINT64_C(0x7ff8000000000000)
#define NAN_BITS_4 UINT32_C(0x7fc00000)
#define SIGN_BIT (UINT64_C(1) << 63)
#define SIGN_BIT_4 (UINT32_C(1) << 31)

static unsigned octets_of(uint64_t magnitude)
{
    return magnitude == 0 ? 0 : (71 - (unsigned)__builtin_clzll(magnitude)) / 8;
}

err tuple_put_int(struct buf *out, int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
    unsigned n = octets_of(magnitude);
    uint8_t wide[8];

    TRY(buf_reserve(out, 9));
    store_u64(wide, v < 0 ? ~magnitude : magnitude);
    out->ptr[out->len++] = (uint8_t)(v < 0 ? CODE_ZERO - n : CODE_ZERO + n);
    memcpy(out->ptr + out->len, wide + 8 - n, n);
    out->len += n;
    return OK;
}

static err put_escaped(struct buf *out, uint8_t code, struct bytes octets)
{
    size_t zeros = 0;

    for (size_t i = 0; i < octets.len; i++) {
        zeros += octets.ptr[i] == 0;
    }
    TRY(buf_reserve(out, octets.len + zeros + 2));
    out->ptr[out->len++] = code;
    for (size_t i = 0; i < octets.len; i++) {
        out->ptr[out->len++] = octets.ptr[i];
        if (octets.ptr[i] == 0) {
            out->ptr[out->len++] = ESCAPED_ZERO;
        }
    }
    out->ptr[out->len++] = 0;
    return OK;
}

err tuple_put_text(struct buf *out, struct bytes text)
{
    return put_escaped(out, CODE_TEXT, text);
}

static err put_float8(struct buf *out, double f)
{
    uint64_t bits;

    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) {
        bits = NAN_BITS;
    } else if (bits == SIGN_BIT) {
        bits = 0;
    }
    TRY(buf_reserve(out, 9));
    out->ptr[out->len] = CODE_FLOAT8;
    store_u64(out->ptr + out->len + 1, bits & SIGN_BIT ? ~bits : bits ^ SIGN_BIT);
    out->len += 9;
    return OK;
}

static err put_float4(struct buf *out, float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) {
        bits = NAN_BITS_4;
    } else if (bits == SIGN_BIT_4) {
        bits = 0;
    }
    TRY(buf_reserve(out, 5));
    out->ptr[out->len] = CODE_FLOAT4;
    store_u32(out->ptr + out->len + 1, bits & SIGN_BIT_4 ? ~bits : bits ^ SIGN_BIT_4);
    out->len += 5;
    return OK;
}

err tuple_put(struct buf *out, const struct tuple_value *v)
{
    switch (v->type) {
    case TUPLE_NULL: return buf_u8(out, CODE_NULL);
    case TUPLE_BYTES: return put_escaped(out, CODE_BYTES, v->octets);
    case TUPLE_TEXT: return put_escaped(out, CODE_TEXT, v->octets);
    case TUPLE_INT: return tuple_put_int(out, v->i);
    case TUPLE_FLOAT8: return put_float8(out, v->f);
    case TUPLE_FLOAT4: return put_float4(out, (float)v->f);
    case TUPLE_BOOL: return buf_u8(out, v->b ? CODE_TRUE : CODE_FALSE);
    }
    FAIL(ERR_PROTO, "tuple element of type %d", (int)v->type);
}

void tuple_descend(struct buf *out, size_t start)
{
    for (size_t i = start; i < out->len; i++) {
        out->ptr[i] = (uint8_t)~out->ptr[i];
    }
}

err tuple_take_int(struct bytes *in, int64_t *out)
{
    struct bytes rest = *in;
    struct bytes digits;
    uint64_t magnitude = 0;
    uint8_t code;

    TRY(bytes_read_u8(&rest, &code));
    if (code < CODE_INT_FIRST || code > CODE_INT_LAST) {
        FAIL(ERR_PROTO, "element code %02x where an integer is wanted", code);
    }
    bool negative = code < CODE_ZERO;
    unsigned n = negative ? CODE_ZERO - code : code - CODE_ZERO;
    TRY(bytes_read(&rest, n, &digits));
    for (unsigned i = 0; i < n; i++) {
        magnitude = magnitude << 8 | (uint8_t)(negative ? ~digits.ptr[i] : digits.ptr[i]);
    }
    if (octets_of(magnitude) != n) {
        FAIL(ERR_PROTO, "integer in %u octets that needs fewer", n);
    }
    if (magnitude > SIGN_BIT - !negative) {
        FAIL(ERR_PROTO, "integer beyond 64 bits");
    }
    *in = rest;
    *out = (int64_t)(negative ? -magnitude : magnitude);
    return OK;
}

/* The octets before the ending zero, unescaped behind what `scratch` holds. */
static err take_escaped(struct bytes *in, struct buf *scratch, struct bytes *out)
{
    size_t start = scratch->len;
    size_t len = start;
    size_t i = 0;

    /* Room for all that is left of the key, so that later elements do not move this one. */
    TRY(buf_reserve(scratch, in->len));
    for (;; i++) {
        if (i == in->len) {
            FAIL(ERR_PROTO, "text or bytes without their end");
        }
        if (in->ptr[i] == 0) {
            if (i + 1 == in->len || in->ptr[i + 1] != ESCAPED_ZERO) {
                break;
            }
            scratch->ptr[len++] = 0;
            i++;
            continue;
        }
        scratch->ptr[len++] = in->ptr[i];
    }
    scratch->len = len;
    *out = (struct bytes){ scratch->ptr + start, len - start };
    in->ptr += i + 1;
    in->len -= i + 1;
    return OK;
}

static err take_float8(struct bytes *in, double *out)
{
    uint64_t bits;
    double f;

    TRY(bytes_read_u64(in, &bits));
    bits = bits & SIGN_BIT ? bits ^ SIGN_BIT : ~bits;
    memcpy(&f, &bits, sizeof f);
    if (bits == SIGN_BIT || (isnan(f) && bits != NAN_BITS)) {
        FAIL(ERR_PROTO, "a float that is not in its one form");
    }
    *out = f;
    return OK;
}

static err take_float4(struct bytes *in, double *out)
{
    uint32_t bits;
    float f;

    TRY(bytes_read_u32(in, &bits));
    bits = bits & SIGN_BIT_4 ? bits ^ SIGN_BIT_4 : ~bits;
    memcpy(&f, &bits, sizeof f);
    if (bits == SIGN_BIT_4 || (isnan(f) && bits != NAN_BITS_4)) {
        FAIL(ERR_PROTO, "a float that is not in its one form");
    }
    *out = (double)f;
    return OK;
}

err tuple_take(struct bytes *in, struct buf *scratch, struct tuple_value *out)
{
    struct bytes rest = *in;
    struct tuple_value v;
    uint8_t code;

    TRY(bytes_read_u8(&rest, &code));
    switch (code) {
    case CODE_NULL:
        v = (struct tuple_value){ .type = TUPLE_NULL };
        break;
    case CODE_BYTES:
    case CODE_TEXT:
        v = (struct tuple_value){ .type = code == CODE_TEXT ? TUPLE_TEXT : TUPLE_BYTES };
        TRY(take_escaped(&rest, scratch, &v.octets));
        break;
    case CODE_FLOAT8:
        v = (struct tuple_value){ .type = TUPLE_FLOAT8 };
        TRY(take_float8(&rest, &v.f));
        break;
    case CODE_FLOAT4:
        v = (struct tuple_value){ .type = TUPLE_FLOAT4 };
        TRY(take_float4(&rest, &v.f));
        break;
    case CODE_FALSE:
    case CODE_TRUE:
        v = (struct tuple_value){ .type = TUPLE_BOOL, .b = code == CODE_TRUE };
        break;
    default:
        v = (struct tuple_value){ .type = TUPLE_INT };
        rest = *in;
        TRY(tuple_take_int(&rest, &v.i));
    }
    *in = rest;
    *out = v;
    return OK;
}

err tuple_prefix_end(struct bytes prefix, struct buf *out)
{
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == 0xff) {
        prefix.len--;
    }
    TRY(buf_reserve(out, prefix.len > out->len ? prefix.len - out->len : 0));
    buf_clear(out);
    TRY(buf_append(out, prefix));
    if (prefix.len > 0) {
        out->ptr[prefix.len - 1]++;
    }
    return OK;
}
