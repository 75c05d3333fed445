/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/decimal.h"

#include <assert.h>
#include <string.h>

#define MEAN_SCALE_MAX 40 /* decimals of a mean */
#define EXPONENT_MAX 100000 /* beyond it the value is zero or too large anyway */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Takes `e[sign]digits` off the end of a number's text. */
static err read_exponent(struct bytes text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    size_t i = negative || (text.len > 0 && text.ptr[0] == '+');
    int64_t v = 0;

    if (i == text.len) {
        FAIL(ERR_PROTO, "exponent without digits");
    }
    for (; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) {
            FAIL(ERR_PROTO, "exponent that is no number");
        }
        v = v < EXPONENT_MAX ? v * 10 + (text.ptr[i] - '0') : v;
    }
    *out = negative ? -v : v;
    return OK;
}

/* What is in front of the exponent: where the point is, how many digits there are. */
struct mantissa {
    struct bytes text;
    int64_t whole; /* digits before the point */
    int64_t digits;
    int64_t exponent;
};

static err read_mantissa(struct bytes text, struct mantissa *out)
{
    struct mantissa m = { .text = text, .whole = -1 };

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (is_digit(c)) {
            m.digits++;
        } else if (c == '.' && m.whole < 0) {
            m.whole = m.digits;
        } else if ((c | 0x20) == 'e') {
            TRY(read_exponent((struct bytes){ text.ptr + i + 1, text.len - i - 1 }, &m.exponent));
            m.text.len = i;
            break;
        } else {
            FAIL(ERR_PROTO, "not a number");
        }
    }
    if (m.digits == 0) {
        FAIL(ERR_PROTO, "a number without digits");
    }
    m.whole = m.whole < 0 ? m.digits : m.whole;
    *out = m;
    return OK;
}

static bool times_ten_overflows(uint64_t *v, uint64_t digit)
{
    return __builtin_mul_overflow(*v, (uint64_t)10, v) || __builtin_add_overflow(*v, digit, v);
}

err decimal_read(struct bytes text, unsigned scale, struct decimal *out)
{
    struct decimal d = { 0 };
    struct mantissa m;

    TRY(read_mantissa(text, &m));
    int64_t kept = m.whole + m.exponent + scale; /* digits that belong to the integer */
    int64_t index = 0;
    for (size_t i = 0; i < m.text.len; i++) {
        if (m.text.ptr[i] == '.') {
            continue;
        }
        uint64_t digit = (uint64_t)(m.text.ptr[i] - '0');
        if (index < kept) {
            d.beyond |= times_ten_overflows(&d.magnitude, digit);
        } else {
            d.half_up |= index == kept && digit >= 5;
            d.inexact |= digit != 0;
        }
        index++;
    }
    for (; index < kept && d.magnitude != 0 && !d.beyond; index++) {
        d.beyond |= times_ten_overflows(&d.magnitude, 0);
    }
    *out = d;
    return OK;
}

size_t int_write(int64_t v, char out[24])
{
    char digits[24];
    size_t n = 0;
    size_t at = 0;
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    do {
        digits[n++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (v < 0) {
        out[at++] = '-';
    }
    while (n > 0) {
        out[at++] = digits[--n];
    }
    return at;
}

size_t decimal_write(int128 v, unsigned scale, char out[DECIMAL_TEXT_BYTES])
{
    char digits[DECIMAL_TEXT_BYTES];
    uint128 magnitude = v < 0 ? -(uint128)v : (uint128)v;
    size_t n = 0;
    size_t at = 0;

    assert(scale <= MEAN_SCALE_MAX);
    do {
        digits[n++] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0 || n <= scale);
    if (v < 0) {
        out[at++] = '-';
    }
    while (n > 0) {
        if (n == scale) {
            out[at++] = '.';
        }
        out[at++] = digits[--n];
    }
    out[at] = '\0';
    return at;
}

/* Digits of v in base 10,000, less one: PostgreSQL's weight. *first: the leading such digit. */
static int weight_of(uint128 v, unsigned scale, int *first)
{
    int weight = 0;

    /* Whole digits of 10,000 must end at the point. */
    for (; scale % 4 != 0; scale++) {
        v *= 10;
    }
    while (v >= 10000) {
        v /= 10000;
        weight++;
    }
    *first = (int)v;
    return weight - (int)(scale / 4);
}

/* PostgreSQL's scale of a quotient: 16 significant digits, and not less than the dividend's. */
static unsigned mean_scale(uint128 sum, unsigned scale, uint64_t count)
{
    int first_sum = 0;
    int first_count = 0;
    int weight_sum = sum == 0 ? 0 : weight_of(sum, scale, &first_sum);
    int weight_count = weight_of(count, 0, &first_count);
    int weight = weight_sum - weight_count - (first_sum <= first_count);
    int digits = 16 - weight * 4;

    return digits < (int)scale ? scale : (unsigned)digits;
}

size_t decimal_write_mean(int128 sum, unsigned scale, uint64_t count, char out[DECIMAL_TEXT_BYTES])
{
    uint128 magnitude = sum < 0 ? -(uint128)sum : (uint128)sum;
    unsigned wanted = mean_scale(magnitude, scale, count);
    uint128 quotient = magnitude / count;
    uint128 rest = magnitude % count;
    char digits[DECIMAL_TEXT_BYTES];
    unsigned have = scale;

    assert(count > 0);
    for (; have < wanted && have < MEAN_SCALE_MAX; have++) {
        rest *= 10;
        quotient = quotient * 10 + rest / count;
        rest %= count;
    }
    if (rest * 2 >= count) {
        quotient++;
    }
    size_t size = decimal_write((int128)quotient, have, digits);
    size_t at = 0;
    if (sum < 0 && quotient != 0) {
        out[at++] = '-';
    }
    memcpy(out + at, digits, size + 1);
    return at + size;
}
