/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers as text and as scaled integers. */
#pragma once

#include "lib/base/buf.h"

#define DECIMAL_TEXT_BYTES 64

__extension__ typedef __int128 int128; /* exact sums of 64-bit values; no ISO type is that wide */
__extension__ typedef unsigned __int128 uint128;

/* |text| * 10^scale, cut to an integer. */
struct decimal {
    uint64_t magnitude;
    bool beyond;  /* does not fit 64 bits; the rest is not set */
    bool inexact; /* something other than zero was cut off */
    bool half_up; /* what was cut off is a half or more */
};

/* Digits, at most one point, an exponent: as the lexer makes numbers; no sign. ERR_PROTO. */
err decimal_read(struct bytes text, unsigned scale, struct decimal *out) MUST_USE;

/* v / 10^scale with exactly `scale` decimals. Returns the length. */
size_t decimal_write(int128 v, unsigned scale, char out[DECIMAL_TEXT_BYTES]);

/* sum / 10^scale / count as PostgreSQL's avg(numeric) prints it: at least 16 significant digits. */
size_t decimal_write_mean(int128 sum, unsigned scale, uint64_t count, char out[DECIMAL_TEXT_BYTES]);

size_t int_write(int64_t v, char out[24]); /* without NUL */
