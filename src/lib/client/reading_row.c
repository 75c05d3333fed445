/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/client/reading_row.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/row.h"
#include "lib/wire/tuple.h"

enum value { /* index into the slots of a reading */
    VALUE_SEQ, VALUE_FLAGS, VALUE_STATUS, VALUE_INTERVAL, VALUE_QUALITY, VALUE_READS,
    VALUE_REGISTERS = VALUE_READS + RECORD_READS,
};
_Static_assert(VALUE_REGISTERS + 3 == READING_VALUES, "every attribute has its slot");

static const char *value_name(unsigned i)
{
    static const char *const names[] = { "seq", "flags", "status", "interval_s", "quality" };

    return i < VALUE_READS ? names[i] : record_read_name(i - VALUE_READS + 1);
}

/* Slot of a column outside of the key; `octets`: bytea, otherwise an integer. */
static err slot_of(const struct table_def *t, const char *name, bool octets, uint16_t *out)
{
    int i = table_column_find(t, bytes_of_string(name));

    if (i < 0 || t->columns[i].key_index >= 0 ||
        (octets ? t->columns[i].type != COLUMN_BYTEA : !column_type_is_int(t->columns[i].type))) {
        FAIL(ERR_MISSING, "table \"%s\" has no column \"%s\" of the type wanted", t->name, name);
    }
    *out = t->columns[i].slot;
    return OK;
}

/* The key is the meter, then a time; both int8. */
static err check_key(const struct table_def *t, const char *time)
{
    static const char meter[] = "meter_id";

    if (t->key_count != 2 || strcmp(t->columns[t->key[0]].name, meter) != 0 ||
        strcmp(t->columns[t->key[1]].name, time) != 0 ||
        t->columns[t->key[0]].type != COLUMN_INT8 || t->columns[t->key[1]].type != COLUMN_INT8) {
        FAIL(ERR_MISSING, "table \"%s\" has not the primary key (%s, %s)", t->name, meter, time);
    }
    return OK;
}

err reading_columns_bind(const struct table_def *t, struct reading_columns *out)
{
    struct reading_columns c = { .table_id = t->id, .versions = t->version };

    TRY(check_key(t, "ts"));
    memcpy(c.version_slots, t->version_slots, sizeof c.version_slots);
    for (unsigned i = 0; i < READING_VALUES; i++) {
        TRY(slot_of(t, value_name(i), false, &c.slots[i]));
    }
    *out = c;
    return OK;
}

err seal_columns_bind(const struct table_def *t, struct seal_columns *out)
{
    struct seal_columns c = { .table_id = t->id };

    TRY(check_key(t, "end_s"));
    TRY(slot_of(t, "stored", true, &c.stored));
    *out = c;
    return OK;
}

err meter_key_take(struct bytes key, uint64_t *out_meter, int64_t *out_s)
{
    int64_t meter, s;

    if (tuple_take_int(&key, &meter).code || tuple_take_int(&key, &s).code || key.len > 0) {
        FAIL(ERR_CORRUPT, "a key that is not a meter and a time");
    }
    *out_meter = (uint64_t)meter;
    *out_s = s;
    return OK;
}

/* A value of a row within its bounds; NULL becomes `missing`, if it may be NULL. */
static err take_value(const struct reading_columns *c, const struct row *r, unsigned i, int64_t min,
                      int64_t max, int64_t *out)
{
    int64_t v = row_int(r, c->slots[i]);

    if (row_is_null(r, c->slots[i]) || v < min || v > max) {
        FAIL(ERR_CORRUPT, "column \"%s\" is missing or beyond its bounds", value_name(i));
    }
    *out = v;
    return OK;
}

static err take_head(const struct reading_columns *c, const struct row *r,
                     struct stored_reading *out)
{
    int64_t seq, flags, status, interval, quality;

    TRY(take_value(c, r, VALUE_SEQ, 0, UINT32_MAX, &seq));
    TRY(take_value(c, r, VALUE_FLAGS, 0, UINT8_MAX, &flags));
    TRY(take_value(c, r, VALUE_STATUS, 0, UINT16_MAX, &status));
    TRY(take_value(c, r, VALUE_INTERVAL, 0, UINT16_MAX, &interval));
    TRY(take_value(c, r, VALUE_QUALITY, 0, UINT8_MAX, &quality));
    out->record.sequence = (uint32_t)seq;
    out->record.flags = (uint8_t)flags;
    out->record.status = (uint16_t)status;
    out->record.interval_s = (uint16_t)interval;
    out->quality = (uint8_t)quality;
    return OK;
}

static err take_reads(const struct reading_columns *c, const struct row *r, struct record *out)
{
    for (unsigned i = 0; i < RECORD_READS; i++) {
        uint16_t slot = c->slots[VALUE_READS + i];
        int64_t v = row_is_null(r, slot) ? READ_MISSING : row_int(r, slot);
        if (v < INT32_MIN || v > INT32_MAX) {
            FAIL(ERR_CORRUPT, "column \"%s\" is beyond its bounds", value_name(VALUE_READS + i));
        }
        out->reads[i] = (int32_t)v;
    }
    return OK;
}

static uint64_t take_register(const struct reading_columns *c, const struct row *r, unsigned i)
{
    uint16_t slot = c->slots[VALUE_REGISTERS + i];

    return row_is_null(r, slot) ? REGISTER_MISSING : (uint64_t)row_int(r, slot);
}

static err decode_row(const struct reading_columns *c, struct bytes octets,
                      struct stored_reading *out)
{
    struct row r;

    TRY(row_open(octets, &r));
    if (r.version == 0 || r.version > c->versions || r.slots != c->version_slots[r.version - 1]) {
        FAIL(ERR_CORRUPT, "a row of schema version %u", r.version);
    }
    TRY(take_head(c, &r, out));
    TRY(take_reads(c, &r, &out->record));
    out->record.e_act = take_register(c, &r, 0);
    out->record.e_ind = take_register(c, &r, 1);
    out->record.e_cap = take_register(c, &r, 2);
    return OK;
}

err reading_row_decode(const struct reading_columns *c, struct bytes key, struct bytes row,
                       struct stored_reading *out)
{
    struct stored_reading s = { 0 };
    int64_t ts;

    TRY(meter_key_take(key, &s.record.meter, &ts));
    err e = ts < 0 || ts > UINT32_MAX ? (err){ ERR_CORRUPT } : decode_row(c, row, &s);
    if (e.code) {
        return err_context((err){ ERR_CORRUPT }, "reading of meter %llu at %lld",
                           (unsigned long long)s.record.meter, (long long)ts);
    }
    s.record.end_s = (uint32_t)ts;
    *out = s;
    return OK;
}

static err decode_seal(const struct seal_columns *c, struct bytes octets, struct sealed_day *out)
{
    struct row r;
    struct bytes stored;

    TRY(row_open(octets, &r));
    TRY(row_octets(&r, c->stored, &stored));
    TRY(sealed_day_parse(&stored, out));
    if (stored.len > 0) {
        FAIL(ERR_CORRUPT, "%zu octets behind the seal", stored.len);
    }
    return OK;
}

err seal_row_decode(const struct seal_columns *c, struct bytes key, struct bytes row,
                    struct sealed_day *out)
{
    struct sealed_day d;
    uint64_t meter;
    int64_t end;

    TRY(meter_key_take(key, &meter, &end));
    err e = decode_seal(c, row, &d);
    if (!e.code && (d.seal.meter != meter || d.seal.end_s != end)) {
        err_set(__FILE__, __LINE__, "the seal is of another meter or day");
        e = (err){ ERR_CORRUPT };
    }
    if (e.code) {
        return err_context((err){ ERR_CORRUPT }, "seal of meter %llu at %lld",
                           (unsigned long long)meter, (long long)end);
    }
    *out = d;
    return OK;
}
