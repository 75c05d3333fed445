/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of files: octets flipped, cut, dropped, doubled, exchanged. */
#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/bundle.h"
#include "mutations.h"

static bool flip(struct sample *s, enum audit_file file, size_t from, size_t behind)
{
    if (!s->present[file] || behind <= from) {
        return false;
    }
    s->files[file].ptr[from + mutation_pick(s, behind - from)] ^=
        (uint8_t)(1u << mutation_pick(s, 8));
    return true;
}

static bool flip_any(struct sample *s, enum audit_file file)
{
    return flip(s, file, 0, s->files[file].len);
}

/* --- files --- */

static bool flip_bill(struct sample *s)
{
    return flip_any(s, AUDIT_BILL);
}
static bool flip_signature(struct sample *s)
{
    return flip_any(s, AUDIT_SIGNATURE);
}
static bool flip_readings(struct sample *s)
{
    return flip_any(s, AUDIT_READINGS);
}
static bool flip_leaves(struct sample *s)
{
    return flip_any(s, AUDIT_LEAVES);
}
static bool flip_tariff(struct sample *s)
{
    return flip_any(s, AUDIT_TARIFF);
}
static bool flip_calendar(struct sample *s)
{
    return flip_any(s, AUDIT_CALENDAR);
}
static bool flip_evidence(struct sample *s)
{
    return flip_any(s, AUDIT_EVIDENCE);
}
static bool flip_previous(struct sample *s)
{
    return flip_any(s, AUDIT_PREVIOUS);
}

#define SEAL_STORED (SEAL_BODY_BYTES + 2 + 64)

static bool flip_seal_body(struct sample *s)
{
    size_t at = mutation_pick(s, s->seal_count) * SEAL_STORED;

    return flip(s, AUDIT_SEALS, at, at + SEAL_BODY_BYTES);
}

static bool flip_seal_signature(struct sample *s)
{
    size_t at = mutation_pick(s, s->seal_count) * SEAL_STORED + SEAL_BODY_BYTES + 2;

    return flip(s, AUDIT_SEALS, at, at + 64);
}

/* Inside the base64 text, another letter: another certificate, or none. */
static bool change_letter(struct sample *s, enum audit_file file)
{
    struct buf *b = &s->files[file];
    size_t at = 28 + mutation_pick(s, b->len - 28 - 60);

    if (b->ptr[at] == '\n') {
        at++;
    }
    b->ptr[at] = b->ptr[at] == 'A' ? 'B' : 'A';
    return true;
}

static bool change_certificate(struct sample *s)
{
    return change_letter(s, AUDIT_METER);
}
static bool change_institute(struct sample *s)
{
    return change_letter(s, AUDIT_INSTITUTE);
}

static bool absent(struct sample *s, enum audit_file file)
{
    bool was = s->present[file];

    s->present[file] = false;
    buf_clear(&s->files[file]);
    return was;
}

static bool lose_bill(struct sample *s)
{
    return absent(s, AUDIT_BILL);
}
static bool lose_signature(struct sample *s)
{
    return absent(s, AUDIT_SIGNATURE);
}
static bool lose_tariff(struct sample *s)
{
    return absent(s, AUDIT_TARIFF);
}
static bool lose_calendar(struct sample *s)
{
    return absent(s, AUDIT_CALENDAR);
}
static bool lose_certificate(struct sample *s)
{
    return absent(s, AUDIT_METER);
}
static bool lose_evidence(struct sample *s)
{
    return absent(s, AUDIT_EVIDENCE);
}
static bool lose_seals(struct sample *s)
{
    return absent(s, AUDIT_SEALS);
}
static bool lose_previous(struct sample *s)
{
    return absent(s, AUDIT_PREVIOUS);
}

static bool cut(struct sample *s, enum audit_file file)
{
    s->files[file].len = mutation_pick(s, s->files[file].len);
    return true;
}

static bool cut_bill(struct sample *s)
{
    return cut(s, AUDIT_BILL);
}
static bool cut_readings(struct sample *s)
{
    return cut(s, AUDIT_READINGS);
}
static bool cut_seals(struct sample *s)
{
    return cut(s, AUDIT_SEALS);
}
static bool cut_leaves(struct sample *s)
{
    return cut(s, AUDIT_LEAVES);
}

/* --- readings, by octets --- */

static uint8_t *record_at(struct sample *s, size_t i)
{
    return s->files[AUDIT_READINGS].ptr + i * RECORD_BYTES;
}

static void insert_record(struct sample *s, size_t at, const uint8_t octets[RECORD_BYTES])
{
    struct buf *b = &s->files[AUDIT_READINGS];
    uint8_t copy[RECORD_BYTES];

    memcpy(copy, octets, RECORD_BYTES);
    assert_ok(buf_append(b, BYTES_OF(copy)));
    memmove(record_at(s, at + 1), record_at(s, at), b->len - (at + 1) * RECORD_BYTES);
    memcpy(record_at(s, at), copy, RECORD_BYTES);
}

static void remove_record(struct sample *s, size_t at)
{
    struct buf *b = &s->files[AUDIT_READINGS];

    memmove(record_at(s, at), record_at(s, at + 1), b->len - (at + 1) * RECORD_BYTES);
    b->len -= RECORD_BYTES;
}

static bool drop_record(struct sample *s)
{
    remove_record(s, mutation_pick(s, s->record_count));
    return true;
}

static bool drop_all_records(struct sample *s)
{
    s->files[AUDIT_READINGS].len = 0;
    return true;
}

static bool double_record(struct sample *s)
{
    size_t at = mutation_pick(s, s->record_count);

    insert_record(s, mutation_pick(s, 2) == 0 ? at : mutation_pick(s, s->record_count),
                  record_at(s, at));
    return true;
}

static bool double_record_changed(struct sample *s)
{
    size_t at = mutation_pick(s, s->record_count);
    uint8_t twin[RECORD_BYTES];

    memcpy(twin, record_at(s, at), RECORD_BYTES);
    twin[RECORD_BYTES - 1 - mutation_pick(s, 24)] ^= 1; /* a register */
    insert_record(s, at + mutation_pick(s, 2), twin);
    return true;
}

/* As a row that was doubled under a key that is free: no interval ends there. */
static bool double_record_later(struct sample *s)
{
    size_t at = mutation_pick(s, s->record_count);
    uint8_t twin[RECORD_BYTES];

    memcpy(twin, record_at(s, at), RECORD_BYTES);
    store_u32(twin + 16, load_u32(twin + 16) + 1);
    insert_record(s, at + 1, twin);
    return true;
}

static bool swap_records(struct sample *s)
{
    size_t a = mutation_pick(s, s->record_count);
    size_t b = mutation_pick(s, s->record_count);
    uint8_t hold[RECORD_BYTES];

    memcpy(hold, record_at(s, a), RECORD_BYTES);
    memmove(record_at(s, a), record_at(s, b), RECORD_BYTES);
    memcpy(record_at(s, b), hold, RECORD_BYTES);
    return a != b;
}

/* Drops one and renumbers the rest, so that no sequence is missing. */
static bool renumber_over_a_drop(struct sample *s)
{
    size_t at = mutation_pick(s, s->record_count);

    remove_record(s, at);
    for (size_t i = at; i + 1 < s->record_count; i++) {
        store_u32(record_at(s, i) + 4, load_u32(record_at(s, i) + 4) - 1);
    }
    return true;
}

static bool foreign_record(struct sample *s)
{
    store_u64(record_at(s, mutation_pick(s, s->record_count)) + 8, s->world->meters[1].id);
    return true;
}

static bool copy_over_record(struct sample *s)
{
    size_t from = mutation_pick(s, s->record_count);
    size_t to = mutation_pick(s, s->record_count);

    memmove(record_at(s, to), record_at(s, from), RECORD_BYTES);
    return from != to;
}

static bool record_of_another_time(struct sample *s)
{
    uint8_t octets[RECORD_BYTES];

    memcpy(octets, record_at(s, s->record_count - 1), RECORD_BYTES);
    store_u32(octets + 4, load_u32(octets + 4) + 500);
    store_u32(octets + 16, load_u32(octets + 16) + 900 * 500);
    insert_record(s, s->record_count, octets);
    return true;
}

static bool shift_record(struct sample *s)
{
    uint8_t *r = record_at(s, mutation_pick(s, s->record_count));

    store_u32(r + 16, load_u32(r + 16) + (mutation_pick(s, 2) == 0 ? 900u : -900u));
    return true;
}

static bool record_off_the_quarter(struct sample *s)
{
    uint8_t *r = record_at(s, mutation_pick(s, s->record_count));

    store_u32(r + 16, load_u32(r + 16) + 1 + (uint32_t)mutation_pick(s, 899));
    return true;
}

/* Less energy in one interval, and in the registers of all behind it. */
static bool scale_energy(struct sample *s)
{
    size_t at = mutation_pick(s, s->record_count);
    uint64_t less = 1 + mutation_pick(s, 1000);

    for (size_t i = at; i < s->record_count; i++) {
        uint64_t e = load_u64(record_at(s, i) + 132);
        store_u64(record_at(s, i) + 132, e > less ? e - less : 0);
    }
    return true;
}

/* --- seals, by octets --- */

static bool drop_seal(struct sample *s)
{
    struct buf *b = &s->files[AUDIT_SEALS];
    size_t at = mutation_pick(s, s->seal_count) * SEAL_STORED;

    memmove(b->ptr + at, b->ptr + at + SEAL_STORED, b->len - at - SEAL_STORED);
    b->len -= SEAL_STORED;
    return true;
}

static bool double_seal(struct sample *s)
{
    struct buf *b = &s->files[AUDIT_SEALS];
    size_t at = mutation_pick(s, s->seal_count) * SEAL_STORED;
    uint8_t copy[SEAL_STORED];

    memcpy(copy, b->ptr + at, SEAL_STORED);
    assert_ok(buf_append(b, BYTES_OF(copy)));
    memmove(b->ptr + at + SEAL_STORED, b->ptr + at, b->len - at - SEAL_STORED);
    return true;
}

static void put_seal(struct sample *s, size_t i, const struct sealed_day *d)
{
    AUTO(buf_done) struct buf one = { .max = SEAL_STORED };

    assert_ok(bundle_seal_add(&one, d));
    memcpy(s->files[AUDIT_SEALS].ptr + i * SEAL_STORED, one.ptr, SEAL_STORED);
}

static bool sign_seal_with_another_key(struct sample *s)
{
    size_t i = mutation_pick(s, s->seal_count);
    struct sealed_day d;

    assert_ok(seal_sign(&s->seals[i].seal, s->world->meters[1].key, &d));
    put_seal(s, i, &d);
    return true;
}

static bool seal_of_another_meter(struct sample *s)
{
    size_t i = mutation_pick(s, s->seal_count);
    struct seal seal = s->seals[i].seal;
    struct sealed_day d;

    seal.meter = s->world->meters[1].id;
    assert_ok(seal_sign(&seal, s->meter->key, &d));
    put_seal(s, i, &d);
    return true;
}

/* A day without consumption in place of the true one, by somebody without the meter's key. */
static bool forge_a_day(struct sample *s)
{
    size_t first = s->has_opening ? 1 : 0;
    size_t i = first + mutation_pick(s, s->seal_count - first);
    struct seal seal = s->seals[i].seal;
    struct sealed_day d;

    seal.e_act = i > 0 ? s->seals[i - 1].seal.e_act : 0;
    assert_ok(seal_sign(&seal, s->world->meters[1].key, &d));
    put_seal(s, i, &d);
    return true;
}

/* --- certificates --- */

static bool expired_certificate(struct sample *s)
{
    s->meter = &s->world->expired;
    sample_seal(s);
    sample_issue(s);
    sample_write_all(s);
    return true;
}

static bool certificate_of_another_meter(struct sample *s)
{
    sample_set(s, AUDIT_METER, buf_bytes(&s->world->meters[1].certificate));
    return true;
}

static void write_revoked(struct sample *s, const struct private_key *key)
{
    AUTO(buf_done) struct buf json = { .max = 4096 };
    char hex[65];
    struct signature signature;

    hex_encode(DIGEST_VIEW(&s->meter->certificate_hash), hex);
    assert_ok(buf_printf(&json,
                         "{\"certificates\":[{\"from\":%lld,\"hash\":\"%s\"}],"
                         "\"schema\":\"meterseal.revoked/1\"}",
                         (long long)s->start_s, hex));
    sample_set(s, AUDIT_REVOKED, buf_bytes(&json));
    struct digest hash = sha256_domain("meterseal.revoked.v1", buf_bytes(&json));
    assert_ok(sign(key, DIGEST_VIEW(&hash), &signature));
    sample_set(s, AUDIT_REVOKED_SIGNATURE, (struct bytes){ signature.octets, signature.size });
}

static bool revoked_certificate(struct sample *s)
{
    write_revoked(s, s->world->institute_key);
    return true;
}

static bool revocation_by_anybody(struct sample *s)
{
    write_revoked(s, s->world->utility_key);
    return true;
}

static bool bill_signed_by_another(struct sample *s)
{
    struct digest hash = bill_hash(buf_bytes(&s->files[AUDIT_BILL]));
    struct signature signature;

    assert_ok(sign(s->world->institute_key, DIGEST_VIEW(&hash), &signature));
    sample_set(s, AUDIT_SIGNATURE, (struct bytes){ signature.octets, signature.size });
    return true;
}

const struct mutation mutations_of_files[] = {
    { "flip a bit of the bill", flip_bill, { E203 } },
    { "flip a bit of its signature", flip_signature, { E203 } },
    { "flip a bit of the readings", flip_readings, { E402 } },
    { "flip a bit of the leaves", flip_leaves, { E401 } },
    { "flip a bit of the tariff", flip_tariff, { E602 } },
    { "flip a bit of the calendar", flip_calendar, { E603 } },
    { "flip a bit of the evidence", flip_evidence, { E802 } },
    { "flip a bit of the bill before", flip_previous, { E306 } },
    { "flip a bit of a seal", flip_seal_body, { E203, E101 } },
    { "flip a bit of a seal's signature", flip_seal_signature, { E203 } },
    { "change a letter of the certificate", change_certificate, { E201, E202 } },
    { "change a letter of the institute", change_institute, { E202 } },
    { "lose the bill", lose_bill, { E101 } },
    { "lose the signature", lose_signature, { E203 } },
    { "lose the tariff", lose_tariff, { E602 } },
    { "lose the calendar", lose_calendar, { E603 } },
    { "lose the certificate", lose_certificate, { E201 } },
    { "lose the evidence", lose_evidence, { E802 } },
    { "lose the seals", lose_seals, { E403 } },
    { "lose the bill before", lose_previous, { E306 } },
    { "cut the bill", cut_bill, { E101 } },
    { "cut the readings", cut_readings, { E301 } },
    { "cut the seals", cut_seals, { E403 } },
    { "cut the leaves", cut_leaves, { E101 } },
    { "drop a record", drop_record, { E301 } },
    { "drop all records", drop_all_records, { E301 } },
    { "double a record", double_record, { E302 } },
    { "double a record with another register", double_record_changed, { E303 } },
    { "double a record one second later", double_record_later, { E303 } },
    { "swap two records", swap_records, { E301 } },
    { "renumber over a drop", renumber_over_a_drop, { E402 } },
    { "a record of another meter", foreign_record, { E204 } },
    { "copy a record over another", copy_over_record, { E302 } },
    { "a record of another time", record_of_another_time, { E305 } },
    { "shift a record by 15 minutes", shift_record, { E402 } },
    { "a record off the quarter", record_off_the_quarter, { E406 } },
    { "scale the energy", scale_energy, { E402 } },
    { "drop a seal", drop_seal, { E403 } },
    { "double a seal", double_seal, { E403 } },
    { "sign a seal with another key", sign_seal_with_another_key, { E203 } },
    { "a seal of another meter", seal_of_another_meter, { E204 } },
    { "forge a day", forge_a_day, { E203 } },
    { "an expired certificate", expired_certificate, { E202 } },
    { "a certificate of another meter", certificate_of_another_meter, { E201 } },
    { "a revoked certificate", revoked_certificate, { E202 } },
    { "a revocation by anybody", revocation_by_anybody, { E203 } },
    { "a bill signed by another", bill_signed_by_another, { E203 } },
    { NULL, NULL, { 0 } },
};
