/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/fixed.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t power_of_ten(unsigned exponent)
{
    uint64_t p = 1;

    while (exponent-- > 0) {
        p *= 10;
    }
    return p;
}

void fixed_format(int64_t value, unsigned decimals, unsigned keep, char out[FIXED_TEXT_BYTES])
{
    assert(decimals <= FIXED_DECIMALS_MAX && keep <= decimals);

    uint64_t unit = power_of_ten(decimals);
    uint64_t size = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    int n = snprintf(out, FIXED_TEXT_BYTES, "%s%" PRIu64, value < 0 ? "-" : "", size / unit);
    uint64_t rest = size % unit;

    for (; decimals > keep && rest % 10 == 0; decimals--) {
        rest /= 10;
    }
    if (decimals > 0) {
        snprintf(out + n, FIXED_TEXT_BYTES - (size_t)n, ".%0*" PRIu64, (int)decimals, rest);
    }
}

/* Digits, at most one point with a digit on both sides; *out_decimals counts those behind it. */
static err digits_parse(struct bytes text, unsigned decimals_max, uint64_t *out,
                        unsigned *out_decimals)
{
    uint64_t v = 0;
    unsigned decimals = 0;
    bool point = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.' && !point && i > 0 && i + 1 < text.len) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && decimals == decimals_max) ||
            __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, c - '0', &v)) {
            FAIL(ERR_PROTO, "not a number with at most %u decimals", decimals_max);
        }
        decimals += point;
    }
    *out = v;
    *out_decimals = decimals;
    return OK;
}

err fixed_parse_loose(struct bytes text, unsigned decimals, int64_t *out)
{
    assert(decimals <= FIXED_DECIMALS_MAX);

    bool minus = text.len > 0 && text.ptr[0] == '-';
    struct bytes digits = minus ? (struct bytes){ text.ptr + 1, text.len - 1 } : text;
    uint64_t v = 0;
    unsigned found = 0;

    if (digits.len == 0) {
        FAIL(ERR_PROTO, "a number is empty");
    }
    TRY(digits_parse(digits, decimals, &v, &found));
    if (__builtin_mul_overflow(v, power_of_ten(decimals - found), &v) || v > INT64_MAX) {
        FAIL(ERR_PROTO, "a number is too large");
    }
    *out = minus ? -(int64_t)v : (int64_t)v;
    return OK;
}

err fixed_parse(struct bytes text, unsigned decimals, unsigned keep, int64_t *out)
{
    char again[FIXED_TEXT_BYTES];
    int64_t v = 0;

    TRY(fixed_parse_loose(text, decimals, &v));
    fixed_format(v, decimals, keep, again);
    if (!bytes_equal(text, bytes_of_string(again))) {
        FAIL(ERR_PROTO, "a number is not in its only form, %s", again);
    }
    *out = v;
    return OK;
}
