/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the collector as SQL text, and SQL answers as rows (lib/wire/tables.h). Statements are
 * built straight into one buffer: a batch of 500 readings is 80,000 figures. Nothing in them comes
 * from outside but numbers and hex digits, so there is nothing to quote. */
#pragma once

#include "intake/collector/store.h"
#include "lib/base/buf.h"
#include "lib/client/sql.h"

#define SQL_TEXT_BYTES_MAX (1u << 20)

/* INSERT ... ON CONFLICT DO NOTHING. The count of rows is that of the statement: readings that are
 * only looked for are left out; 0: there is nothing to send. Appends to `out`. */
err sql_insert_readings(const struct collector_batch *b, struct buf *out, size_t *out_count)
    MUST_USE;
err sql_insert_seals(const struct collector_batch *b, struct buf *out, size_t *out_count) MUST_USE;
err sql_insert_gaps(const struct collector_batch *b, struct buf *out, size_t *out_count) MUST_USE;
err sql_insert_events(const struct collector_batch *b, struct buf *out, size_t *out_count)
    MUST_USE;

/* The readings of the batch that are still open (ROW_OPEN) and of the same meter as row `first`. */
err sql_select_readings(const struct collector_batch *b, size_t first, struct buf *out) MUST_USE;
/* Settles those rows by what was found: same, other, or absent. ERR_PROTO: not such an answer. */
err sql_compare_readings(struct collector_batch *b, size_t first, const json_t *rows) MUST_USE;

err sql_select_seal(const struct seal *s, struct buf *out) MUST_USE;
err sql_compare_seal(struct seal_row *row, const json_t *rows) MUST_USE;
err sql_select_gap(const struct gap_row *g, struct buf *out) MUST_USE;
err sql_read_gap(struct gap_row *g, const json_t *rows) MUST_USE;

err sql_select_register(uint64_t meter, struct buf *out) MUST_USE; /* suite, spki */
err sql_select_certificate(uint64_t meter, struct buf *out) MUST_USE;
err sql_select_newest_seal(uint64_t meter, struct buf *out) MUST_USE;
/* Pages of at most SQL_PAGE_ROWS, behind the key `after`. */
#define SQL_PAGE_ROWS 500
err sql_select_gaps(uint64_t meter, uint32_t last_above, int64_t after, struct buf *out) MUST_USE;
err sql_select_sequences(uint64_t meter, int64_t after_s, struct buf *out) MUST_USE;

/* Cells of an answer. ERR_PROTO names the column by its number. */
err sql_cell_int(const json_t *row, size_t column, int64_t min, int64_t max, int64_t *out) MUST_USE;
err sql_cell_bytea(const json_t *row, size_t column, struct buf *out) MUST_USE; /* appends */
err sql_cell_text(const json_t *row, size_t column, struct bytes *out) MUST_USE; /* borrows */
