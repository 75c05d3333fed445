/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as the SQL service stores them, and the published decoder of them (docs/storage.md, "Rows").
 *
 * Little-endian: format 1, flags 0, schema version u16, slot count u16, zero u16, null bitmap of
 * 8 * ceil(n / 64) octets, slots of 8 octets, variable part. Columns of the primary key are in the
 * key alone. Any slot is reached without decoding the others. */
#pragma once

#include "lib/base/buf.h"

#define ROW_SLOTS_MAX 1600
#define ROW_BYTES_MAX (8u << 20)

/* Writing: begin, then set slots in any order; a slot that is never set is NULL. The row is at the
 * end of `out` and nothing else may be put there until it is complete. */
struct row_writer {
    struct buf *out; /* borrowed */
    size_t start;
    uint16_t slots;
};

err row_begin(struct row_writer *w, struct buf *out, uint16_t schema_version,
              uint16_t slots) MUST_USE;
void row_set_int(struct row_writer *w, uint16_t slot, int64_t v); /* integers, bool, times, numeric */
void row_set_float8(struct row_writer *w, uint16_t slot, double v);
err row_set_octets(struct row_writer *w, uint16_t slot, struct bytes octets) MUST_USE;
struct bytes row_written(const struct row_writer *w); /* borrowed from `out` */

/* Reading. */
struct row {
    struct bytes octets; /* borrowed */
    uint16_t version;
    uint16_t slots;
    const uint8_t *bitmap;
    const uint8_t *values;
};

/* ERR_CORRUPT: format, flags, sizes, bits behind the last slot, a NULL slot that is not zero. */
err row_open(struct bytes octets, struct row *out) MUST_USE;
bool row_is_null(const struct row *r, uint16_t slot); /* a slot the row does not have is NULL */
int64_t row_int(const struct row *r, uint16_t slot);  /* 0 for NULL */
double row_float8(const struct row *r, uint16_t slot);
/* Text or bytea; borrows from the row. ERR_CORRUPT when it lies outside of the variable part. */
err row_octets(const struct row *r, uint16_t slot, struct bytes *out) MUST_USE;
