/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/page_json.h"

#include <stdio.h>

#include "lib/base/base64.h"

/* The octets of one character, or 0. Surrogates and longer spellings are refused by the lowest
 * code point that each length may spell. */
static size_t char_len(const uint8_t *at, size_t left)
{
    static const uint32_t lowest[] = { 0, 1, 0x80, 0x800, 0x10000 };
    uint8_t c = at[0];
    size_t len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

    if (len == 0 || len > left) {
        return 0;
    }
    uint32_t point = len == 1 ? c : c & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (at[i] >> 6 != 2) {
            return 0;
        }
        point = point << 6 | (at[i] & 63u);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < lowest[len] || point > 0x10ffff || surrogate ? 0 : len;
}

bool utf8_valid(struct bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = char_len(text.ptr + at, text.len - at);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

err json_octets(struct json_writer *w, const char *name, struct bytes octets)
{
    char name64[32];

    if (utf8_valid(octets)) {
        json_write_key(w, name);
        json_write_text(w, octets);
        return OK;
    }
    AUTO(buf_done) struct buf digits = { .max = BASE64_CHARS(octets.len) + 1 };
    TRY(base64_encode(octets, &digits));
    snprintf(name64, sizeof name64, "%s64", name);
    json_write_key(w, name64);
    json_write_text(w, buf_bytes(&digits));
    return OK;
}

err page_json_entry(struct buf *out, const struct kvs_entry *e, bool with_value)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    TRY(json_octets(&w, "key", e->key));
    json_write_key(&w, "rev");
    json_write_uint(&w, e->rev);
    if (with_value) {
        TRY(json_octets(&w, "value", e->value));
    }
    json_write_object_end(&w);
    return json_write_finish(&w);
}
