/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/row.h"

#include <assert.h>
#include <string.h>

#define ROW_FORMAT 1
#define ROW_HEADER_BYTES 8

static size_t bitmap_bytes(uint16_t slots)
{
    return ((size_t)slots + 63) / 64 * 8;
}

static size_t fixed_bytes(uint16_t slots)
{
    return ROW_HEADER_BYTES + bitmap_bytes(slots) + (size_t)slots * 8;
}

err row_begin(struct row_writer *w, struct buf *out, uint16_t schema_version, uint16_t slots)
{
    size_t size = fixed_bytes(slots);

    assert(slots <= ROW_SLOTS_MAX);
    TRY(buf_reserve(out, size));
    uint8_t *row = out->ptr + out->len;
    memset(row, 0, size);
    row[0] = ROW_FORMAT;
    store_u16_le(row + 2, schema_version);
    store_u16_le(row + 4, slots);
    uint8_t *bitmap = row + ROW_HEADER_BYTES;
    memset(bitmap, 0xff, slots / 8);
    if (slots % 8 != 0) {
        bitmap[slots / 8] = (uint8_t)((1u << slots % 8) - 1);
    }
    *w = (struct row_writer){ out, out->len, slots };
    out->len += size;
    return OK;
}

/* Where a slot is; marks it as not NULL. */
static uint8_t *slot_at(struct row_writer *w, uint16_t slot)
{
    uint8_t *bitmap = w->out->ptr + w->start + ROW_HEADER_BYTES;

    assert(slot < w->slots);
    bitmap[slot / 8] &= (uint8_t)~(1u << slot % 8);
    return bitmap + bitmap_bytes(w->slots) + (size_t)slot * 8;
}

void row_set_int(struct row_writer *w, uint16_t slot, int64_t v)
{
    store_u64_le(slot_at(w, slot), (uint64_t)v);
}

void row_set_float8(struct row_writer *w, uint16_t slot, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    store_u64_le(slot_at(w, slot), bits);
}

err row_set_octets(struct row_writer *w, uint16_t slot, struct bytes octets)
{
    size_t at = w->out->len - w->start;

    if (octets.len > ROW_BYTES_MAX - at) {
        FAIL(ERR_LIMIT, "row above %u octets", ROW_BYTES_MAX);
    }
    TRY(buf_append(w->out, octets));
    uint8_t *where = slot_at(w, slot);
    store_u32_le(where, (uint32_t)at);
    store_u32_le(where + 4, (uint32_t)octets.len);
    return OK;
}

struct bytes row_written(const struct row_writer *w)
{
    return (struct bytes){ w->out->ptr + w->start, w->out->len - w->start };
}

static bool bit_is_set(const struct row *r, size_t bit)
{
    return r->bitmap[bit / 8] >> bit % 8 & 1;
}

bool row_is_null(const struct row *r, uint16_t slot)
{
    return slot >= r->slots || bit_is_set(r, slot);
}

static err check_nulls(const struct row *r)
{
    for (size_t octet = 0; octet < bitmap_bytes(r->slots); octet++) {
        if (r->bitmap[octet] == 0) {
            continue;
        }
        for (size_t slot = octet * 8; slot < octet * 8 + 8; slot++) {
            if (!bit_is_set(r, slot)) {
                continue;
            }
            if (slot >= r->slots || load_u64_le(r->values + slot * 8) != 0) {
                FAIL(ERR_CORRUPT, "row: null bit %zu of %u slots", slot, r->slots);
            }
        }
    }
    return OK;
}

err row_open(struct bytes octets, struct row *out)
{
    struct row r = { .octets = octets };

    if (octets.len < ROW_HEADER_BYTES || octets.len > ROW_BYTES_MAX) {
        FAIL(ERR_CORRUPT, "row of %zu octets", octets.len);
    }
    if (octets.ptr[0] != ROW_FORMAT || octets.ptr[1] != 0 || load_u16_le(octets.ptr + 6) != 0) {
        FAIL(ERR_CORRUPT, "row of format %u, flags %u", octets.ptr[0], octets.ptr[1]);
    }
    r.version = load_u16_le(octets.ptr + 2);
    r.slots = load_u16_le(octets.ptr + 4);
    if (r.slots > ROW_SLOTS_MAX || octets.len < fixed_bytes(r.slots)) {
        FAIL(ERR_CORRUPT, "row of %u slots in %zu octets", r.slots, octets.len);
    }
    r.bitmap = octets.ptr + ROW_HEADER_BYTES;
    r.values = r.bitmap + bitmap_bytes(r.slots);
    TRY(check_nulls(&r));
    *out = r;
    return OK;
}

int64_t row_int(const struct row *r, uint16_t slot)
{
    return slot < r->slots ? (int64_t)load_u64_le(r->values + (size_t)slot * 8) : 0;
}

double row_float8(const struct row *r, uint16_t slot)
{
    uint64_t bits = (uint64_t)row_int(r, slot);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

err row_octets(const struct row *r, uint16_t slot, struct bytes *out)
{
    if (row_is_null(r, slot)) {
        *out = (struct bytes){ 0 };
        return OK;
    }
    const uint8_t *where = r->values + (size_t)slot * 8;
    uint32_t at = load_u32_le(where);
    uint32_t len = load_u32_le(where + 4);
    if (at < fixed_bytes(r->slots) || at > r->octets.len || len > r->octets.len - at) {
        FAIL(ERR_CORRUPT, "row: slot %u at %u, %u octets of %zu", slot, at, len, r->octets.len);
    }
    *out = (struct bytes){ r->octets.ptr + at, len };
    return OK;
}
