/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/bytes.h"

#include <string.h>

struct bytes bytes_of_string(const char *s)
{
    return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool bytes_have_prefix(struct bytes whole, struct bytes prefix)
{
    return whole.len >= prefix.len && bytes_equal((struct bytes){ whole.ptr, prefix.len }, prefix);
}

struct bytes bytes_cut(struct bytes *in, char mark)
{
    const uint8_t *at = in->len > 0 ? memchr(in->ptr, mark, in->len) : NULL;
    struct bytes part = { in->ptr, at == NULL ? in->len : (size_t)(at - in->ptr) };
    size_t used = at == NULL ? in->len : part.len + 1;

    if (used > 0) {
        in->ptr += used;
        in->len -= used;
    }
    return part;
}

err bytes_read(struct bytes *in, size_t len, struct bytes *out)
{
    if (in->len < len) {
        FAIL(ERR_PROTO, "%zu octets wanted, %zu left", len, in->len);
    }
    *out = (struct bytes){ in->ptr, len };
    if (len > 0) {
        in->ptr += len;
    }
    in->len -= len;
    return OK;
}

err bytes_read_copy(struct bytes *in, void *out, size_t len)
{
    struct bytes part;

    TRY(bytes_read(in, len, &part));
    if (len > 0) {
        memcpy(out, part.ptr, len);
    }
    return OK;
}

err bytes_read_u8(struct bytes *in, uint8_t *out)
{
    struct bytes part;

    TRY(bytes_read(in, 1, &part));
    *out = part.ptr[0];
    return OK;
}

/* One list gives the six wider readers. */
#define DEFINE_READ(suffix, type, size)                  \
    err bytes_read_##suffix(struct bytes *in, type *out) \
    {                                                    \
        struct bytes part;                               \
                                                         \
        TRY(bytes_read(in, size, &part));                \
        *out = load_##suffix(part.ptr);                  \
        return OK;                                       \
    }

DEFINE_READ(u16, uint16_t, 2)
DEFINE_READ(u32, uint32_t, 4)
DEFINE_READ(u64, uint64_t, 8)
DEFINE_READ(u16_le, uint16_t, 2)
DEFINE_READ(u32_le, uint32_t, 4)
DEFINE_READ(u64_le, uint64_t, 8)

void store_u16(uint8_t *at, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(at, &v, sizeof v);
}

void store_u32(uint8_t *at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, sizeof v);
}

void store_u64(uint8_t *at, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, sizeof v);
}

void store_u16_le(uint8_t *at, uint16_t v)
{
    memcpy(at, &v, sizeof v);
}

void store_u32_le(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, sizeof v);
}

void store_u64_le(uint8_t *at, uint64_t v)
{
    memcpy(at, &v, sizeof v);
}

uint16_t load_u16_le(const uint8_t *at)
{
    uint16_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

uint32_t load_u32_le(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

uint64_t load_u64_le(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

uint16_t load_u16(const uint8_t *at)
{
    return __builtin_bswap16(load_u16_le(at));
}

uint32_t load_u32(const uint8_t *at)
{
    return __builtin_bswap32(load_u32_le(at));
}

uint64_t load_u64(const uint8_t *at)
{
    return __builtin_bswap64(load_u64_le(at));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the stores swap for little-endian machines");

void hex_encode(struct bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.ptr[i] >> 4];
        out[2 * i + 1] = digits[in.ptr[i] & 15];
    }
    out[2 * in.len] = '\0';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

err hex_decode(struct bytes in, uint8_t *out, size_t size)
{
    if (in.len != 2 * size) {
        FAIL(ERR_PROTO, "%zu hex digits wanted, %zu given", 2 * size, in.len);
    }
    for (size_t i = 0; i < in.len; i++) {
        if (hex_digit(in.ptr[i]) < 0) {
            FAIL(ERR_PROTO, "position %zu is not a hex digit", i);
        }
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(hex_digit(in.ptr[2 * i]) * 16 + hex_digit(in.ptr[2 * i + 1]));
    }
    return OK;
}

err decimal_parse(struct bytes in, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (in.len == 0 || (in.len > 1 && in.ptr[0] == '0')) {
        FAIL(ERR_PROTO, "a decimal number without leading zeros is wanted");
    }
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        if (c < '0' || c > '9') {
            FAIL(ERR_PROTO, "position %zu is not a decimal digit", i);
        }
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) {
            FAIL(ERR_LIMIT, "number above %llu", (unsigned long long)max);
        }
    }
    if (value > max) {
        FAIL(ERR_LIMIT, "number above %llu", (unsigned long long)max);
    }
    *out = value;
    return OK;
}
