/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/utf8.h"

size_t utf8_size(struct bytes text)
{
    uint8_t c = text.ptr[0];
    size_t size = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (size == 0 || size > text.len) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad =
        size > 2 && ((c == 0xe0 && text.ptr[1] < 0xa0) || (c == 0xed && text.ptr[1] > 0x9f) ||
                     (c == 0xf0 && text.ptr[1] < 0x90) || (c == 0xf4 && text.ptr[1] > 0x8f));
    return bad ? 0 : size;
}

bool utf8_valid(struct bytes text)
{
    while (text.len > 0) {
        /* Eight plain characters at a time: no high bit, and no octet that is zero. */
        if (text.len >= 8) {
            uint64_t eight = load_u64_le(text.ptr);
            uint64_t zeros = (eight - UINT64_C(0x0101010101010101)) & ~eight;
            if (((eight | zeros) & UINT64_C(0x8080808080808080)) == 0) {
                text.ptr += 8;
                text.len -= 8;
                continue;
            }
        }
        size_t size = text.ptr[0] == 0 ? 0 : utf8_size(text);
        if (size == 0) {
            return false;
        }
        text.ptr += size;
        text.len -= size;
    }
    return true;
}
