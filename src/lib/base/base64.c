/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Room for the larger of both directions is reserved first, so that the loops cannot fail. */
static uint8_t *reserved(struct buf *out)
{
    return out->ptr + out->len;
}

err base64_encode(struct bytes in, struct buf *out)
{
    uint32_t bits = 0;
    unsigned held = 0;

    if (in.len == 0) {
        return OK;
    }
    TRY(buf_reserve(out, BASE64_CHARS(in.len)));
    uint8_t *at = reserved(out);
    for (size_t i = 0; i < in.len; i++) {
        bits = bits << 8 | in.ptr[i];
        for (held += 8; held >= 6; held -= 6) {
            *at++ = (uint8_t)digits[bits >> (held - 6) & 63];
        }
    }
    if (held > 0) {
        *at++ = (uint8_t)digits[bits << (6 - held) & 63];
    }
    out->len += BASE64_CHARS(in.len);
    return OK;
}

static int digit_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

err base64_decode(struct bytes text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;

    if (text.len == 0) {
        return OK;
    }
    TRY(buf_reserve(out, text.len));
    uint8_t *at = reserved(out);
    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.ptr[i]);
        if (value < 0) {
            FAIL(ERR_PROTO, "octet %zu is no base64url digit", i);
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            at[count++] = (uint8_t)(bits >> held);
        }
    }
    if (held == 6 || (bits & ((UINT32_C(1) << held) - 1)) != 0) {
        FAIL(ERR_PROTO, "base64url text of %zu digits is cut or has bits left over", text.len);
    }
    out->len += count;
    return OK;
}
