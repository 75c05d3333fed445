/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and times of SQL: days and microseconds since 2000-01-01, as text (ISO 8601). */
#pragma once

#include "lib/base/bytes.h"

#define TIME_SQL_TEXT_BYTES 48
#define SQL_EPOCH_S INT64_C(946684800) /* 2000-01-01 as UTC second */

/* YYYY-MM-DD. ERR_PROTO: not a date; ERR_LIMIT: a year outside 1 to 9999 or a day that is none. */
err date_read(struct bytes text, int64_t *out_days) MUST_USE;
/* YYYY-MM-DD [T or blank HH:MM[:SS[.ffffff]]] and, where `zone` allows it, Z or +HH[:MM]. */
err timestamp_read(struct bytes text, bool zone, int64_t *out_us) MUST_USE;

size_t date_write(int64_t days, char out[TIME_SQL_TEXT_BYTES]);
size_t timestamp_write(int64_t us, bool zone, char out[TIME_SQL_TEXT_BYTES]);
