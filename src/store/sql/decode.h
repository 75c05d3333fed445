/* SPDX-License-Identifier: Apache-2.0 */
/* Stored entries as values of columns: only of those that a statement needs. */
#pragma once

#include "store/sql/value.h"

struct decoder {
    const struct table_def *table;
    struct buf scratch; /* unescaped key texts of the entry at hand */
    size_t prefix_bytes;
    uint16_t key_count;      /* leading key elements to read */
    uint16_t slot_count;
    uint16_t *slots;         /* columns outside of the key to read */
    struct sql_value *values; /* by column index; those not needed are NULL */
    bool *needed;
};

/* Memory is of the arena; decoder_done gives back the scratch. 54000 as ERR_LIMIT. */
err decoder_init(struct decoder *d, const struct table_def *t, struct arena *a) MUST_USE;
void decoder_done(struct decoder *d);
void decoder_need(struct decoder *d, uint16_t column);
void decoder_need_all(struct decoder *d);
bool decoder_needs_row(const struct decoder *d); /* something that is not in the key */

/* Sets d->values; texts borrow from the entry and from the decoder until the next call.
 * ERR_CORRUPT. `row` may be empty when decoder_needs_row is false. */
err decoder_read(struct decoder *d, struct bytes key, struct bytes row) MUST_USE;

/* Octets of the table's prefix and the first `count` key elements. */
err decoder_prefix(struct decoder *d, struct bytes key, uint16_t count, size_t *out) MUST_USE;
