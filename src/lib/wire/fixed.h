/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals of documents: integers outside, text inside ("3413.70" is 341370 with two decimals).
 *
 * The canonical text has exactly one spelling (docs/protocol.md 7): no plus, no leading zero, no
 * "-0", all decimals down to `keep`; behind that, no trailing zero. */
#pragma once

#include "lib/base/bytes.h"

#define FIXED_DECIMALS_MAX 8
#define FIXED_TEXT_BYTES 32

/* `value` * 10^-decimals. */
void fixed_format(int64_t value, unsigned decimals, unsigned keep, char out[FIXED_TEXT_BYTES]);

/* The canonical text only: anything else, and what passes int64, is ERR_PROTO. */
err fixed_parse(struct bytes text, unsigned decimals, unsigned keep, int64_t *out) MUST_USE;

/* As a person writes it: up to `decimals` decimals, none needed. */
err fixed_parse_loose(struct bytes text, unsigned decimals, int64_t *out) MUST_USE;
