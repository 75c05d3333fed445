/* SPDX-License-Identifier: Apache-2.0 */
/* Every manipulation is caught under its class: random bundles, random mutations (billing.md 12).
 *
 * Mutations come from three hands: somebody who can change files; the utility, which can also sign
 * bills; a meter (or who has its key), which can also sign seals. */
#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/bundle.h"
#include "sample.h"

#define ROUNDS 16
#define CODES_MAX 3

struct mutation {
    const char *name;
    bool (*apply)(struct sample *s); /* false: this sample has nothing to change */
    enum audit_code codes[CODES_MAX]; /* one of these is reported */
};

static uint64_t pick(struct sample *s, uint64_t n)
{
    return rand64_below(&s->rand, n);
}

static bool flip(struct sample *s, enum audit_file file, size_t from, size_t behind)
{
    if (!s->present[file] || behind <= from) {
        return false;
    }
    s->files[file].ptr[from + pick(s, behind - from)] ^= (uint8_t)(1u << pick(s, 8));
    return true;
}

static bool flip_any(struct sample *s, enum audit_file file)
{
    return flip(s, file, 0, s->files[file].len);
}

/* --- files --- */

static bool flip_bill(struct sample *s) { return flip_any(s, AUDIT_BILL); }
static bool flip_signature(struct sample *s) { return flip_any(s, AUDIT_SIGNATURE); }
static bool flip_readings(struct sample *s) { return flip_any(s, AUDIT_READINGS); }
static bool flip_leaves(struct sample *s) { return flip_any(s, AUDIT_LEAVES); }
static bool flip_tariff(struct sample *s) { return flip_any(s, AUDIT_TARIFF); }
static bool flip_calendar(struct sample *s) { return flip_any(s, AUDIT_CALENDAR); }
static bool flip_evidence(struct sample *s) { return flip_any(s, AUDIT_EVIDENCE); }
static bool flip_previous(struct sample *s) { return flip_any(s, AUDIT_PREVIOUS); }

#define SEAL_STORED (SEAL_BODY_BYTES + 2 + 64)

static bool flip_seal_body(struct sample *s)
{
    size_t at = pick(s, s->seal_count) * SEAL_STORED;

    return flip(s, AUDIT_SEALS, at, at + SEAL_BODY_BYTES);
}

static bool flip_seal_signature(struct sample *s)
{
    size_t at = pick(s, s->seal_count) * SEAL_STORED + SEAL_BODY_BYTES + 2;

    return flip(s, AUDIT_SEALS, at, at + 64);
}

/* Inside the base64 text, another letter: another certificate, or none. */
static bool change_letter(struct sample *s, enum audit_file file)
{
    struct buf *b = &s->files[file];
    size_t at = 28 + pick(s, b->len - 28 - 60);

    if (b->ptr[at] == '\n') {
        at++;
    }
    b->ptr[at] = b->ptr[at] == 'A' ? 'B' : 'A';
    return true;
}

static bool change_certificate(struct sample *s) { return change_letter(s, AUDIT_METER); }
static bool change_institute(struct sample *s) { return change_letter(s, AUDIT_INSTITUTE); }

static bool absent(struct sample *s, enum audit_file file)
{
    bool was = s->present[file];

    s->present[file] = false;
    buf_clear(&s->files[file]);
    return was;
}

static bool lose_bill(struct sample *s) { return absent(s, AUDIT_BILL); }
static bool lose_signature(struct sample *s) { return absent(s, AUDIT_SIGNATURE); }
static bool lose_tariff(struct sample *s) { return absent(s, AUDIT_TARIFF); }
static bool lose_calendar(struct sample *s) { return absent(s, AUDIT_CALENDAR); }
static bool lose_certificate(struct sample *s) { return absent(s, AUDIT_METER); }
static bool lose_evidence(struct sample *s) { return absent(s, AUDIT_EVIDENCE); }
static bool lose_seals(struct sample *s) { return absent(s, AUDIT_SEALS); }
static bool lose_previous(struct sample *s) { return absent(s, AUDIT_PREVIOUS); }

static bool cut(struct sample *s, enum audit_file file)
{
    s->files[file].len = pick(s, s->files[file].len);
    return true;
}

static bool cut_bill(struct sample *s) { return cut(s, AUDIT_BILL); }
static bool cut_readings(struct sample *s) { return cut(s, AUDIT_READINGS); }
static bool cut_seals(struct sample *s) { return cut(s, AUDIT_SEALS); }
static bool cut_leaves(struct sample *s) { return cut(s, AUDIT_LEAVES); }

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
    remove_record(s, pick(s, s->record_count));
    return true;
}

static bool drop_all_records(struct sample *s)
{
    s->files[AUDIT_READINGS].len = 0;
    return true;
}

static bool double_record(struct sample *s)
{
    size_t at = pick(s, s->record_count);

    insert_record(s, pick(s, 2) == 0 ? at : pick(s, s->record_count), record_at(s, at));
    return true;
}

static bool double_record_changed(struct sample *s)
{
    size_t at = pick(s, s->record_count);
    uint8_t twin[RECORD_BYTES];

    memcpy(twin, record_at(s, at), RECORD_BYTES);
    twin[RECORD_BYTES - 1 - pick(s, 24)] ^= 1; /* a register */
    insert_record(s, at + pick(s, 2), twin);
    return true;
}

static bool swap_records(struct sample *s)
{
    size_t a = pick(s, s->record_count);
    size_t b = pick(s, s->record_count);
    uint8_t hold[RECORD_BYTES];

    memcpy(hold, record_at(s, a), RECORD_BYTES);
    memmove(record_at(s, a), record_at(s, b), RECORD_BYTES);
    memcpy(record_at(s, b), hold, RECORD_BYTES);
    return a != b;
}

/* Drops one and renumbers the rest, so that no sequence is missing. */
static bool renumber_over_a_drop(struct sample *s)
{
    size_t at = pick(s, s->record_count);

    remove_record(s, at);
    for (size_t i = at; i + 1 < s->record_count; i++) {
        store_u32(record_at(s, i) + 4, load_u32(record_at(s, i) + 4) - 1);
    }
    return true;
}

static bool foreign_record(struct sample *s)
{
    store_u64(record_at(s, pick(s, s->record_count)) + 8, s->world->meters[1].id);
    return true;
}

static bool copy_over_record(struct sample *s)
{
    size_t from = pick(s, s->record_count);
    size_t to = pick(s, s->record_count);

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
    uint8_t *r = record_at(s, pick(s, s->record_count));

    store_u32(r + 16, load_u32(r + 16) + (pick(s, 2) == 0 ? 900u : -900u));
    return true;
}

static bool record_off_the_quarter(struct sample *s)
{
    uint8_t *r = record_at(s, pick(s, s->record_count));

    store_u32(r + 16, load_u32(r + 16) + 1 + (uint32_t)pick(s, 899));
    return true;
}

/* Less energy in one interval, and in the registers of all behind it. */
static bool scale_energy(struct sample *s)
{
    size_t at = pick(s, s->record_count);
    uint64_t less = 1 + pick(s, 1000);

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
    size_t at = pick(s, s->seal_count) * SEAL_STORED;

    memmove(b->ptr + at, b->ptr + at + SEAL_STORED, b->len - at - SEAL_STORED);
    b->len -= SEAL_STORED;
    return true;
}

static bool double_seal(struct sample *s)
{
    struct buf *b = &s->files[AUDIT_SEALS];
    size_t at = pick(s, s->seal_count) * SEAL_STORED;
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
    size_t i = pick(s, s->seal_count);
    struct sealed_day d;

    assert_ok(seal_sign(&s->seals[i].seal, s->world->meters[1].key, &d));
    put_seal(s, i, &d);
    return true;
}

static bool seal_of_another_meter(struct sample *s)
{
    size_t i = pick(s, s->seal_count);
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
    size_t i = first + pick(s, s->seal_count - first);
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
    assert_ok(buf_printf(&json, "{\"certificates\":[{\"from\":%lld,\"hash\":\"%s\"}],"
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

/* --- the utility writes another bill and signs it --- */

static bool changed(struct sample *s)
{
    sample_write_bill(s);
    return true;
}

static bool change_determinant(struct sample *s)
{
    int64_t *d = &s->bill.determinants[pick(s, DET_COUNT)];

    *d += *d > 0 && pick(s, 2) == 0 ? -1 : 1;
    return changed(s);
}

static bool move_between_posts(struct sample *s)
{
    if (s->bill.determinants[DET_ENERGY_PEAK] == 0) {
        return false;
    }
    s->bill.determinants[DET_ENERGY_PEAK]--;
    s->bill.determinants[DET_ENERGY_OFF_PEAK]++;
    return changed(s);
}

static bool move_between_flags(struct sample *s)
{
    enum bill_determinant from = DET_FLAG_GREEN;

    while (from <= DET_FLAG_YELLOW && s->bill.determinants[from] == 0) {
        from++;
    }
    if (from > DET_FLAG_YELLOW) {
        return false;
    }
    s->bill.determinants[from == DET_FLAG_RED2 ? DET_FLAG_RED1 : DET_FLAG_RED2] +=
        s->bill.determinants[from];
    s->bill.determinants[from] = 0;
    return changed(s);
}

static struct bill_line *some_line(struct sample *s)
{
    return s->bill.line_count == 0 ? NULL : &s->bill.lines[pick(s, s->bill.line_count)];
}

static bool change_gross(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->gross_c++;
    l->net_c++;
    s->bill.total_c++;
    return changed(s);
}

static bool change_tax(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    *(pick(s, 2) == 0 ? &l->icms_c : &l->pis_cofins_c) += 1;
    l->net_c--;
    return changed(s);
}

static bool change_net(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->net_c++;
    return changed(s);
}

static bool change_quantity(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->quantity_milli++;
    return changed(s);
}

static bool change_price(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->price_e8++;
    return changed(s);
}

static bool move_a_centavo(struct sample *s)
{
    if (s->bill.line_count < 2) {
        return false;
    }
    s->bill.lines[0].gross_c++;
    s->bill.lines[0].net_c++;
    s->bill.lines[1].gross_c--;
    s->bill.lines[1].net_c--;
    return changed(s);
}

static bool drop_line(struct sample *s)
{
    size_t at = s->bill.line_count == 0 ? 0 : pick(s, s->bill.line_count);

    if (s->bill.line_count == 0) {
        return false;
    }
    s->bill.total_c -= s->bill.lines[at].gross_c;
    memmove(&s->bill.lines[at], &s->bill.lines[at + 1],
            (s->bill.line_count - at - 1) * sizeof s->bill.lines[0]);
    s->bill.line_count--;
    return changed(s);
}

static bool change_total(struct sample *s)
{
    s->bill.total_c += pick(s, 2) == 0 ? 1 : -1;
    return changed(s);
}

static bool change_withheld(struct sample *s)
{
    s->bill.withheld_c++;
    s->bill.total_c--;
    return changed(s);
}

static bool swap_tax_rates(struct sample *s)
{
    int32_t icms = s->bill.taxes.icms_ppm;

    s->bill.taxes.icms_ppm = s->bill.taxes.pis_cofins_ppm;
    s->bill.taxes.pis_cofins_ppm = icms;
    return icms != s->bill.taxes.icms_ppm && changed(s);
}

static bool change_contracted(struct sample *s)
{
    const int64_t *d = s->bill.determinants;

    s->bill.parameters.contracted_w += 1;
    /* Between the contract and the overrun limit no amount depends on it. */
    return (d[DET_DEMAND_UNUSED] > 0 || d[DET_DEMAND_OVERRUN] > 0) && changed(s);
}

static bool change_subgroup(struct sample *s)
{
    memcpy(s->bill.parameters.subgroup, "A3", 3);
    return changed(s);
}

static bool deny_simulation(struct sample *s)
{
    s->bill.parameters.simulated = false;
    return changed(s);
}

static bool change_count(struct sample *s)
{
    uint32_t *const counts[] = { &s->bill.meter.expected, &s->bill.meter.received,
                                 &s->bill.meter.measured, &s->bill.meter.estimated };

    *counts[pick(s, 4)] += 1;
    return changed(s);
}

static bool change_gaps(struct sample *s)
{
    struct bill_meter *m = &s->bill.meter;

    if (m->gap_count > 0) {
        m->gap_count--;
    } else {
        m->gaps[m->gap_count++] = (struct bill_gap){ s->start_s, s->start_s + 900 };
    }
    return changed(s);
}

static bool change_register(struct sample *s)
{
    struct bill_end *e = pick(s, 2) == 0 ? &s->bill.meter.opening : &s->bill.meter.closing;
    uint64_t *const registers[] = { &e->e_act, &e->e_ind, &e->e_cap };

    *registers[pick(s, 3)] += 1;
    return changed(s);
}

static bool change_readings_root(struct sample *s)
{
    s->bill.meter.readings_root.octets[pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_closing_seal(struct sample *s)
{
    s->bill.meter.closing.seal.octets[pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_opening_seal(struct sample *s)
{
    s->bill.meter.opening.seal.octets[pick(s, 32)] ^= 4;
    return s->has_opening && changed(s);
}

static bool change_certificate_hash(struct sample *s)
{
    s->bill.meter.certificate.octets[pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_meter(struct sample *s)
{
    s->bill.meter.id = s->world->meters[1].id;
    return changed(s);
}

static bool extend_period(struct sample *s)
{
    s->bill.end_s += 86400;
    return changed(s);
}

static bool shorten_period(struct sample *s)
{
    s->bill.start_s += 86400;
    return s->bill.start_s < s->bill.end_s && changed(s);
}

static bool change_measurement(struct sample *s)
{
    sample_set(s, AUDIT_APPROVED,
               BYTES_LIT("{\"measurements\":[\"00000000000000000000000000000000"
                         "00000000000000000000000000000001\"],\"schema\":"
                         "\"meterseal.approved/1\"}"));
    return true;
}

static bool add_estimate(struct sample *s)
{
    s->bill.estimate_count = 1;
    s->bill.estimates[0] = (struct bill_estimate){
        "EST-1", s->records[pick(s, s->record_count)].sequence, 1000
    };
    return changed(s);
}

static bool add_estimate_of_nothing(struct sample *s)
{
    s->bill.estimate_count = 1;
    s->bill.estimates[0] = (struct bill_estimate){ "EST-2", 7, 1000 };
    return s->records[0].sequence > 7 && changed(s);
}

static bool add_many_estimates(struct sample *s)
{
    s->bill.estimate_count = 9;
    for (uint32_t i = 0; i < 9; i++) {
        s->bill.estimates[i] = (struct bill_estimate){ "EST-1", i, 1 };
    }
    return changed(s);
}

static bool change_estimates_root(struct sample *s)
{
    s->bill.estimates_root.octets[0] ^= 1;
    return changed(s);
}

/* --- the bill before --- */

static bool previous_of_other_days(struct sample *s)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    if (!s->has_previous) {
        return false;
    }
    s->previous_bill.end_s += pick(s, 2) == 0 ? 86400 : -900;
    assert_ok(bill_write(&s->previous_bill, &json));
    s->bill.previous = bill_hash(buf_bytes(&json));
    sample_set(s, AUDIT_PREVIOUS, buf_bytes(&json));
    return changed(s);
}

static bool previous_with_another_seal(struct sample *s)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    if (!s->has_previous) {
        return false;
    }
    s->previous_bill.meter.closing.seal.octets[3] ^= 1;
    assert_ok(bill_write(&s->previous_bill, &json));
    s->bill.previous = bill_hash(buf_bytes(&json));
    sample_set(s, AUDIT_PREVIOUS, buf_bytes(&json));
    return changed(s);
}

static bool deny_previous(struct sample *s)
{
    s->bill.has_previous = false;
    return s->has_previous && changed(s);
}

/* --- terms --- */

static bool tariff_of_last_year(struct sample *s)
{
    s->tariff.valid_from_day -= 365;
    s->tariff.valid_to_day -= 365;
    s->bill.tariff = (struct digest){ { 0 } };
    sample_set(s, AUDIT_TARIFF, (struct bytes){ NULL, 0 });
    assert_ok(tariff_write(&s->tariff, &s->files[AUDIT_TARIFF]));
    s->bill.tariff = tariff_hash(buf_bytes(&s->files[AUDIT_TARIFF]));
    return changed(s);
}

static bool production_tariff(struct sample *s)
{
    s->tariff.production = true;
    sample_set(s, AUDIT_TARIFF, (struct bytes){ NULL, 0 });
    assert_ok(tariff_write(&s->tariff, &s->files[AUDIT_TARIFF]));
    s->bill.tariff = tariff_hash(buf_bytes(&s->files[AUDIT_TARIFF]));
    return changed(s);
}

/* The bill is made by another calendar and claims the true one. */
static bool bill_by(struct sample *s, const struct calendar *other)
{
    struct calendar true_one = s->calendar;
    struct digest hash = s->bill.calendar;

    s->calendar = *other;
    sample_issue(s);
    s->calendar = true_one;
    s->bill.calendar = hash;
    return changed(s);
}

static bool another_flag(struct sample *s)
{
    struct calendar other = s->calendar;

    for (size_t i = 0; i < other.flag_count; i++) {
        other.flags[i].colour = (other.flags[i].colour + 1) % FLAG_COLOURS;
    }
    return bill_by(s, &other);
}

static bool ignored_holiday(struct sample *s)
{
    struct calendar other = s->calendar;
    struct bill before = s->bill;

    other.fixed_count = 0;
    other.easter_count = 0;
    bill_by(s, &other);
    return s->bill.determinants[DET_ENERGY_PEAK] != before.determinants[DET_ENERGY_PEAK];
}

static bool calendar_without_holidays(struct sample *s)
{
    struct calendar other = s->calendar;

    other.fixed_count = 0;
    s->calendar = other;
    sample_issue(s); /* names the other calendar; the file is the true one */
    return changed(s);
}

/* --- spelling --- */

static bool respell(struct sample *s, const char *from, const char *to)
{
    AUTO(buf_done) struct buf out = { .max = CANON_BYTES_MAX };
    struct buf *b = &s->files[AUDIT_BILL];

    assert_ok(buf_u8(b, 0));
    const char *at = strstr((const char *)b->ptr, from);
    assert_non_null(at);
    assert_ok(buf_append(&out, (struct bytes){ b->ptr, (size_t)(at - (const char *)b->ptr) }));
    assert_ok(buf_string(&out, to));
    assert_ok(buf_string(&out, at + strlen(from)));
    sample_set(s, AUDIT_BILL, buf_bytes(&out));
    struct digest hash = bill_hash(buf_bytes(&out));
    struct signature signature;
    assert_ok(sign(s->world->utility_key, DIGEST_VIEW(&hash), &signature));
    sample_set(s, AUDIT_SIGNATURE, (struct bytes){ signature.octets, signature.size });
    return true;
}

static bool add_a_space(struct sample *s) { return respell(s, "\"lines\":", "\"lines\": "); }
static bool write_a_point(struct sample *s)
{
    return respell(s, "\"interval_s\":900", "\"interval_s\":900.0");
}
static bool exchange_keys(struct sample *s)
{
    return respell(s, "\"rounding\":\"half-even/1\",\"schema\":\"meterseal.bill/1\"",
                   "\"schema\":\"meterseal.bill/1\",\"rounding\":\"half-even/1\"");
}
static bool double_key(struct sample *s)
{
    return respell(s, "\"issued\":", "\"issued\":1,\"issued\":");
}
static bool unknown_field(struct sample *s)
{
    return respell(s, "\"issued\":", "\"issue\":1,\"issued\":");
}
static bool another_rounding(struct sample *s)
{
    return respell(s, "half-even/1", "half-down/1");
}

/* --- somebody with the meter's key --- */

/* Seals the changed readings, and has the bill name the new seals. */
static bool resealed(struct sample *s)
{
    sample_seal(s);
    sample_join(s);
    sample_write_all(s);
    return true;
}

static bool sealed_register_back(struct sample *s)
{
    size_t at = 1 + pick(s, s->record_count - 1);

    s->records[at].e_ind = s->records[at - 1].e_ind > 0 ? s->records[at - 1].e_ind - 1 : 0;
    return s->records[at - 1].e_ind > 0 && resealed(s);
}

static bool sealed_clock_leap(struct sample *s)
{
    size_t at = 1 + pick(s, s->record_count - 2);

    /* One interval lost without a word: sequences go on, time leaps. */
    for (size_t i = at; i + 1 < s->record_count; i++) {
        uint32_t sequence = s->records[i].sequence;
        s->records[i] = s->records[i + 1];
        s->records[i].sequence = sequence;
    }
    s->record_count--;
    return (s->records[at].status & STATUS_POWER_LOST) == 0 && resealed(s);
}

static bool sealed_reset(struct sample *s)
{
    s->records[pick(s, s->record_count)].status |= STATUS_REGISTER_RESET;
    return resealed(s);
}

static bool sealed_estimate(struct sample *s)
{
    s->records[pick(s, s->record_count)].status |= STATUS_ESTIMATED;
    return resealed(s);
}

static bool sealed_overlap(struct sample *s)
{
    size_t at = 1 + pick(s, s->record_count - 1);

    s->records[at].end_s = s->records[at - 1].end_s;
    return resealed(s);
}

static bool sealed_another_epoch(struct sample *s)
{
    size_t first = s->has_opening ? 1 : 0;
    size_t last = s->seal_count - 1;

    if (last == first && !s->has_opening) {
        return false;
    }
    s->seals[last].seal.key_epoch++;
    assert_ok(seal_sign(&s->seals[last].seal, s->meter->key, &s->seals[last]));
    sample_join(s);
    sample_write_all(s);
    return true;
}

/* The seal's registers are not those of the day's last reading. */
static bool sealed_other_registers(struct sample *s)
{
    size_t last = s->seal_count - 1;

    s->seals[last].seal.e_act += 1 + pick(s, 1000);
    assert_ok(seal_sign(&s->seals[last].seal, s->meter->key, &s->seals[last]));
    sample_join(s);
    sample_write_all(s);
    return true;
}

/* A reading left out of the day before sealing, its number used for another time. */
static bool sealed_hole(struct sample *s)
{
    size_t at = 1 + pick(s, s->record_count - 2);

    memmove(&s->records[at], &s->records[at + 1],
            (s->record_count - at - 1) * sizeof s->records[0]);
    s->record_count--;
    return resealed(s);
}

static const struct mutation mutations[] = {
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
    { "change a determinant", change_determinant, { E601 } },
    { "move energy between posts", move_between_posts, { E603 } },
    { "move energy between flags", move_between_flags, { E609 } },
    { "change a gross amount", change_gross, { E604, E605 } },
    { "change a tax", change_tax, { E606 } },
    { "change a net amount", change_net, { E606 } },
    { "change a quantity", change_quantity, { E604, E609 } },
    { "change a price", change_price, { E604, E609 } },
    { "move a centavo between lines", move_a_centavo, { E604, E605 } },
    { "drop a line", drop_line, { E604, E609 } },
    { "change the total", change_total, { E607 } },
    { "change the withholding", change_withheld, { E606 } },
    { "swap two tax rates", swap_tax_rates, { E606 } },
    { "change the contracted demand", change_contracted, { E608 } },
    { "change the subgroup", change_subgroup, { E608 } },
    { "deny that readings are simulated", deny_simulation, { E608 } },
    { "change a count", change_count, { E308 } },
    { "change the list of gaps", change_gaps, { E308 } },
    { "change a register at an end", change_register, { E404 } },
    { "change the readings root", change_readings_root, { E402 } },
    { "change the closing seal", change_closing_seal, { E403 } },
    { "change the opening seal", change_opening_seal, { E403 } },
    { "change the certificate's hash", change_certificate_hash, { E201 } },
    { "bill it to another meter", change_meter, { E201 } },
    { "extend the period", extend_period, { E403 } },
    { "shorten the period", shorten_period, { E403 } },
    { "code that is not approved", change_measurement, { E801 } },
    { "an estimate in place of a reading", add_estimate, { E501 } },
    { "an estimate of nothing", add_estimate_of_nothing, { E502 } },
    { "more estimates than the limit", add_many_estimates, { E503 } },
    { "change the root of estimates", change_estimates_root, { E502 } },
    { "a bill before of other days", previous_of_other_days, { E306, E307 } },
    { "a bill before with another seal", previous_with_another_seal, { E306 } },
    { "deny the bill before", deny_previous, { E306 } },
    { "last year's tariff", tariff_of_last_year, { E602 } },
    { "simulated under a production tariff", production_tariff, { E608 } },
    { "another flag", another_flag, { E609 } },
    { "an ignored holiday", ignored_holiday, { E603 } },
    { "a calendar without holidays", calendar_without_holidays, { E603 } },
    { "add a space", add_a_space, { E103 } },
    { "write 900.0", write_a_point, { E103 } },
    { "exchange two keys", exchange_keys, { E103 } },
    { "double a key", double_key, { E101 } },
    { "an unknown field", unknown_field, { E101 } },
    { "another rounding rule", another_rounding, { E101 } },
    { "a sealed register goes back", sealed_register_back, { E405 } },
    { "a sealed leap of the clock", sealed_clock_leap, { E406 } },
    { "a sealed register reset", sealed_reset, { E205 } },
    { "a sealed estimate", sealed_estimate, { E502 } },
    { "sealed overlapping intervals", sealed_overlap, { E304 } },
    { "a sealed change of key", sealed_another_epoch, { E205 } },
    { "sealed registers of another time", sealed_other_registers, { E404 } },
    { "a sealed hole", sealed_hole, { E308 } },
};
#define MUTATIONS (sizeof mutations / sizeof mutations[0])

static bool caught(const struct mutation *m, const struct findings *f)
{
    for (size_t i = 0; i < CODES_MAX && m->codes[i] != 0; i++) {
        if (findings_count_of(f, m->codes[i]) > 0) {
            return true;
        }
    }
    return false;
}

static void print_codes(const struct findings *f)
{
    for (size_t i = 0; i < f->count && i < 8; i++) {
        print_error("  %u %s (%s, %s)\n", f->list[i].code, f->list[i].text, f->list[i].expected,
                    f->list[i].found);
    }
}

/* True when the mutation applied. */
static bool try_one(const struct world *w, const struct mutation *m, uint64_t seed,
                    struct sample *s)
{
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    sample_new(w, seed, s);
    bool applied = m->apply(s);
    if (applied) {
        struct audit_files files = sample_files(s);
        assert_ok(audit_bundle(&files, &options, &f));
        if (!caught(m, &f)) {
            print_codes(&f);
            fail_msg("seed %llu: \"%s\" is not caught under its class, %zu findings",
                     (unsigned long long)seed, m->name, f.count);
        }
        assert_true(findings_exit(&f) > 0);
    }
    findings_done(&f);
    sample_done(s);
    return applied;
}

static void every_mutation_is_caught_under_its_class(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    size_t applied = 0;

    (void)state;
    world_new(&w);
    for (size_t i = 0; i < MUTATIONS; i++) {
        size_t of_this = 0;
        for (uint64_t seed = 1000 * (i + 1); of_this < ROUNDS && seed < 1000 * (i + 1) + 200;
             seed++) {
            of_this += try_one(&w, &mutations[i], seed, s);
        }
        if (of_this == 0) {
            fail_msg("\"%s\" never applied", mutations[i].name);
        }
        applied += of_this;
    }
    assert_true(applied >= 1000);
    print_message("# %zu mutations of %zu kinds\n", applied, MUTATIONS);
    world_done(&w);
    free(s);
}

static void a_bill_under_another_hash_is_noticed(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L0, .has_hash = true };

    (void)state;
    world_new(&w);
    sample_new(&w, 5, s);
    struct audit_files files = sample_files(s);
    options.hash = bill_hash(files.octets[AUDIT_BILL]);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_exit(&f), 0);
    options.hash.octets[0] ^= 1;
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_count_of(&f, E102), 1);
    assert_int_equal(findings_exit(&f), 10);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    free(s);
}

static void trust_in_another_institute_or_utility_fails(void **state)
{
    static struct world w;
    static struct world other;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    (void)state;
    world_new(&w);
    world_new(&other);
    sample_new(&w, 6, s);
    struct audit_files files = sample_files(s);
    options.institute = buf_bytes(&w.institute);
    options.utility = buf_bytes(&w.utility);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_exit(&f), 0);
    options.institute = buf_bytes(&other.institute);
    options.utility = buf_bytes(&other.utility);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_true(findings_count_of(&f, E202) > 0);
    assert_true(findings_count_of(&f, E203) > 0);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    world_done(&other);
    free(s);
}

/* billing.md 11.2: each of sequence, registers and seals alone finds most cases. Here: without any
 * single class the manipulation is still found. */
static void a_dropped_reading_is_found_by_three_independent_checks(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    (void)state;
    world_new(&w);
    sample_new(&w, 7, s);
    drop_record(s);
    struct audit_files files = sample_files(s);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_true(findings_count_of(&f, E301) > 0);
    assert_true(findings_count_of(&f, E402) > 0);
    assert_true(findings_count_of(&f, E308) > 0);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mutation_is_caught_under_its_class),
        cmocka_unit_test(a_bill_under_another_hash_is_noticed),
        cmocka_unit_test(trust_in_another_institute_or_utility_fails),
        cmocka_unit_test(a_dropped_reading_is_found_by_three_independent_checks),
    };
    return cmocka_run_group_tests_name("mutations", tests, NULL, NULL);
}
