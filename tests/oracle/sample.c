/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "lib/wire/bundle.h"
#include "lib/wire/meter_id.h"
#include "report/billing/civil.h"
#include "report/billing/documents.h"

#define METER_ID UINT64_C(0x0011223344556677)
#define FILE_BYTES_MAX (2u << 20)
#define VALID_FROM_S 1483228800 /* 2017 */
#define VALID_TO_S 1893456000   /* 2030 */

/* --- the world --- */

static void certify(const struct world *w, struct sample_meter *m, uint64_t id, int64_t to_s)
{
    char name[METER_ID_CHARS + 1];
    struct cert_request request = { CERT_METER, name, VALID_FROM_S, to_s };
    struct cert *cert = NULL;

    m->id = id;
    meter_id_text(id, name);
    m->certificate = (struct buf){ .max = 8192 };
    assert_ok(private_key_new(SIGN_P256, &m->key));
    assert_ok(public_key_of(m->key, &m->public));
    assert_ok(cert_issue(&request, m->public, w->institute_key, buf_bytes(&w->institute),
                         &m->certificate));
    assert_ok(cert_from_pem(buf_bytes(&m->certificate), &cert));
    m->certificate_hash = cert_hash(cert);
    cert_free(cert);
}

static void authority(const char *name, struct private_key **key, struct buf *pem)
{
    struct cert_request request = { CERT_CA, name, VALID_FROM_S, VALID_TO_S };
    struct public_key *public = NULL;

    *pem = (struct buf){ .max = 8192 };
    assert_ok(private_key_new(SIGN_P256, key));
    assert_ok(public_key_of(*key, &public));
    assert_ok(cert_issue(&request, public, *key, (struct bytes){ NULL, 0 }, pem));
    public_key_free(public);
}

void world_new(struct world *w)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    *w = (struct world){ 0 };
    authority("institute", &w->institute_key, &w->institute);
    authority("utility", &w->utility_key, &w->utility);
    certify(w, &w->meters[0], METER_ID, VALID_TO_S);
    certify(w, &w->meters[1], METER_ID + 1, VALID_TO_S);
    certify(w, &w->expired, METER_ID, VALID_FROM_S + 86400);
    assert_ok(document_tariff("deploy/tariff/a4-green-2018.yaml", &json, &w->tariff));
    assert_ok(document_calendar("deploy/tariff/calendar-br-2018.yaml", &json, &w->calendar));
}

static void meter_done(struct sample_meter *m)
{
    private_key_free(m->key);
    public_key_free(m->public);
    buf_done(&m->certificate);
}

void world_done(struct world *w)
{
    meter_done(&w->meters[0]);
    meter_done(&w->meters[1]);
    meter_done(&w->expired);
    private_key_free(w->institute_key);
    private_key_free(w->utility_key);
    buf_done(&w->institute);
    buf_done(&w->utility);
}

/* --- terms --- */

static void make_tariff(struct sample *s)
{
    struct tariff *t = &s->tariff;
    struct rand64 *r = &s->rand;

    *t = s->world->tariff;
    for (size_t i = 0; i < PRICE_COUNT; i++) {
        t->prices_e8[i] = rand64_below(r, 8) == 0 ? 0 : (int64_t)rand64_below(r, 3000000) + 1;
    }
    for (size_t i = 0; i < FLAG_COLOURS; i++) {
        t->flags_e8[i] = rand64_below(r, 3) == 0 ? 0 : (int64_t)rand64_below(r, 9000) + 1;
    }
    t->taxes.icms_ppm = (int32_t)rand64_below(r, 300000) + 1;
    t->taxes.pis_cofins_ppm = (int32_t)rand64_below(r, 150000) + 1;
    t->overrun_percent = 100 + (int32_t)rand64_below(r, 11);
    t->window_start_min = (int32_t)rand64_below(r, 4) * 30;
    if (rand64_below(r, 3) == 0) { /* quarters, and a peak from 17:30 to 20:30 */
        t->steps = 96;
        memset(t->weekday, 0, sizeof t->weekday);
        memset(t->weekend, 0, sizeof t->weekend);
        for (size_t m = 0; m < 12; m++) {
            memset(&t->weekday[m][70], POST_PEAK, 12);
        }
    }
}

/* One to six days, often with a clock change or a holiday inside. */
static void make_period(struct sample *s)
{
    static const int32_t interesting[] = { 17578, 17838, 17574, 17619, 17531 + 31, 17682 };
    struct rand64 *r = &s->rand;
    int32_t first = (int32_t)rand64_below(r, 300) + 17540;
    int32_t days = (int32_t)rand64_below(r, 6) + 1;

    if (rand64_below(r, 2) == 0) {
        first = interesting[rand64_below(r, 6)] - (int32_t)rand64_below(r, 3);
    }
    s->start_s = civil_day_start(&s->calendar, first);
    s->end_s = civil_day_start(&s->calendar, first + days);
}

static void make_contract(struct sample *s)
{
    struct contract *c = &s->contract;
    struct rand64 *r = &s->rand;

    *c = (struct contract){ .meter = s->meter->id,
                            .subgroup = "A4",
                            .modality = "green",
                            .class = "industrial",
                            .contracted_w = (int64_t)rand64_below(r, 400000) + 20000,
                            .public_body = rand64_below(r, 2) == 0 };
    c->id = sha256((struct bytes){ (const uint8_t *)&s->rand.state, sizeof s->rand.state });
}

/* --- readings --- */

struct load {
    struct registers at;
    uint32_t sequence;
    uint64_t level_wh;
};

static void make_record(struct sample *s, struct load *l, int64_t end_s, uint16_t status)
{
    struct rand64 *r = &s->rand;
    struct record *rec = &s->records[s->record_count++];
    uint64_t act = rand64_below(r, 40) == 0 ? 0 : l->level_wh + rand64_below(r, l->level_wh);

    assert_true(s->record_count < SAMPLE_RECORDS_MAX);
    l->at.e_act += act;
    l->at.e_ind += rand64_below(r, act / 2 + 20);
    l->at.e_cap += rand64_below(r, act / 2 + 20);
    *rec = (struct record){ .flags = RECORD_SIMULATED,
                            .status = status,
                            .sequence = ++l->sequence,
                            .meter = s->meter->id,
                            .end_s = (uint32_t)end_s,
                            .interval_s = 900,
                            .e_act = l->at.e_act,
                            .e_ind = l->at.e_ind,
                            .e_cap = l->at.e_cap };
    for (size_t i = 0; i < RECORD_READS; i++) {
        rec->reads[i] = (int32_t)rand64_below(r, 10000);
    }
    rec->reads[READ_DEMAND] = (int32_t)(act * 4);
}

/* The meter is off for a while: no record, no energy; the next one says so. Sometimes it still
 * counts the sequences, and its seal then admits the hole. */
static void make_readings(struct sample *s, struct load *l)
{
    struct rand64 *r = &s->rand;
    uint32_t off = 0;
    bool was_off = false;
    bool counts = rand64_below(r, 2) == 0;

    s->record_count = 0;
    for (int64_t end = s->start_s + 900; end <= s->end_s; end += 900) {
        if (off == 0 && rand64_below(r, 300) == 0) {
            off = (uint32_t)rand64_below(r, 60) + 1;
        }
        if (off > 0) {
            off--;
            was_off = true;
            l->sequence += counts;
            continue;
        }
        make_record(s, l, end, was_off ? STATUS_POWER_LOST : 0);
        was_off = false;
    }
}

/* --- seals --- */

static void seal_day(struct sample *s, const struct seal *before, int64_t start_s, int64_t end_s,
                     uint32_t last_sequence)
{
    struct sealed_day *out = &s->seals[s->seal_count++];
    struct merkle tree = { 0 };
    struct seal seal = *before;

    assert_true(s->seal_count < SAMPLE_SEALS_MAX);
    seal.flags = 0;
    seal.start_s = (uint32_t)start_s;
    seal.end_s = (uint32_t)end_s;
    seal.first = before->last + 1;
    seal.last = last_sequence;
    seal.count = 0;
    seal.previous = seal_hash(before);
    for (size_t i = 0; i < s->record_count; i++) {
        const struct record *rec = &s->records[i];
        uint8_t octets[RECORD_BYTES];
        if (rec->end_s <= start_s || rec->end_s > end_s) {
            continue;
        }
        record_encode(rec, octets);
        struct digest leaf = merkle_leaf(BYTES_OF(octets));
        assert_ok(merkle_add(&tree, &leaf));
        seal.count++;
        seal.e_act = rec->e_act;
        seal.e_ind = rec->e_ind;
        seal.e_cap = rec->e_cap;
    }
    seal.root = merkle_root(&tree);
    if (before->end_s == 0) { /* the first of its meter */
        seal.flags = SEAL_FIRST;
        seal.previous = (struct digest){ { 0 } };
    }
    assert_ok(seal_sign(&seal, s->meter->key, out));
}

/* The last sequence that belongs to a day: of its last record, or of the one before the next. */
static uint32_t last_of_day(const struct sample *s, int64_t end_s, uint32_t before)
{
    uint32_t last = before;

    for (size_t i = 0; i < s->record_count && s->records[i].end_s <= end_s; i++) {
        last = s->records[i].sequence;
    }
    return last;
}

void sample_seal(struct sample *s)
{
    struct seal before = { .alg = SIGN_P256, .key_epoch = 1, .meter = s->meter->id };

    if (s->has_opening) {
        before = s->seals[0].seal;
        assert_ok(seal_sign(&before, s->meter->key, &s->seals[0]));
    } else {
        before.last = s->record_count > 0 ? s->records[0].sequence - 1 : 0;
    }
    s->seal_count = s->has_opening ? 1 : 0;
    for (int64_t at = s->start_s; at < s->end_s;) {
        int64_t next = civil_day_start(&s->calendar, civil_day(&s->calendar, at) + 1);
        seal_day(s, &before, at, next, last_of_day(s, next, before.last));
        before = s->seals[s->seal_count - 1].seal;
        at = next;
    }
}

static void make_opening(struct sample *s, const struct load *l)
{
    int64_t before = civil_day_start(&s->calendar, civil_day(&s->calendar, s->start_s) - 1);

    s->seals[0].seal = (struct seal){ .alg = SIGN_P256,
                                      .key_epoch = 1,
                                      .meter = s->meter->id,
                                      .start_s = (uint32_t)before,
                                      .end_s = (uint32_t)s->start_s,
                                      .first = l->sequence + 1,
                                      .last = l->sequence,
                                      .e_act = l->at.e_act,
                                      .e_ind = l->at.e_ind,
                                      .e_cap = l->at.e_cap,
                                      .root = sha256((struct bytes){ NULL, 0 }) };
    s->seals[0].seal.previous.octets[0] = 1;
}

/* --- the bill --- */

static void before_of(const struct sample *s, struct issue_before *out)
{
    AUTO(buf_done) struct buf json = { .max = FILE_BYTES_MAX };

    assert_ok(bill_write(&s->previous_bill, &json));
    *out = (struct issue_before){ bill_hash(buf_bytes(&json)), s->previous_bill.meter.closing.seal,
                                  s->previous_bill.end_s };
}

static void documents_hash(const struct sample *s, struct issue *in)
{
    AUTO(buf_done) struct buf tariff = { .max = FILE_BYTES_MAX };
    AUTO(buf_done) struct buf calendar = { .max = FILE_BYTES_MAX };

    assert_ok(tariff_write(&s->tariff, &tariff));
    assert_ok(calendar_write(&s->calendar, &calendar));
    in->tariff_hash = tariff_hash(buf_bytes(&tariff));
    in->calendar_hash = calendar_hash(buf_bytes(&calendar));
}

struct issuing {
    struct plan *plan;
    struct point *points;
    struct issue_before before;
    struct issue in;
};

static void issuing_begin(struct sample *s, struct issuing *i)
{
    *i = (struct issuing){ .points = calloc(s->record_count + 1, sizeof i->points[0]) };
    assert_ok(plan_new(&s->tariff, &s->calendar, s->start_s, s->end_s, 900, &i->plan));
    for (size_t n = 0; n < s->record_count; n++) {
        i->points[n] = point_of(&s->records[n]);
        i->points[n].quality = s->quality[n];
    }
    i->in = (struct issue){ .plan = i->plan,
                            .tariff = &s->tariff,
                            .contract = &s->contract,
                            .certificate = s->meter->certificate_hash,
                            .seals = s->seals,
                            .seal_count = s->seal_count,
                            .points = i->points,
                            .point_count = s->record_count,
                            .version = "0.1.0",
                            .evidence = sha256(BYTES_LIT("evidence")),
                            .issued_s = s->end_s + 86400 };
    documents_hash(s, &i->in);
    if (s->has_previous) {
        before_of(s, &i->before);
        i->in.before = &i->before;
    }
}

static void issuing_end(struct issuing *i)
{
    plan_free(i->plan);
    free(i->points);
}

void sample_try(struct sample *s, struct refusals *out)
{
    struct issuing i;

    issuing_begin(s, &i);
    issue_bill(&i.in, out, &s->bill);
    issuing_end(&i);
}

void sample_verify(struct sample *s, struct refusals *out)
{
    AUTO(buf_done) struct buf octets = { .max = FILE_BYTES_MAX };
    struct digest *leaves = calloc(s->record_count + 1, sizeof *leaves);
    struct issuing i;

    issuing_begin(s, &i);
    for (size_t n = 0; n < s->record_count; n++) {
        assert_ok(bundle_record_add(&octets, &s->records[n]));
    }
    issue_verify(&i.in, s->meter->public, buf_bytes(&octets), leaves, out);
    issuing_end(&i);
    free(leaves);
}

void sample_issue(struct sample *s)
{
    struct refusals refusals = { .count = 0 };

    sample_try(s, &refusals);
    if (refusals.count > 0) {
        fail_msg("refused: %s: %s", refusal_name(refusals.list[0].reason), refusals.list[0].text);
    }
}

void sample_join(struct sample *s)
{
    struct bill_meter *m = &s->bill.meter;
    const struct seal *last = &s->seals[s->seal_count - 1].seal;
    struct seal days[SAMPLE_SEALS_MAX];
    size_t first = s->has_opening ? 1 : 0;

    for (size_t i = first; i < s->seal_count; i++) {
        days[i - first] = s->seals[i].seal;
    }
    m->readings_root = seals_root(days, s->seal_count - first);
    m->closing = (struct bill_end){ true, seal_hash(last), last->e_act, last->e_ind, last->e_cap };
}

/* --- the files --- */

void sample_set(struct sample *s, enum audit_file file, struct bytes octets)
{
    buf_clear(&s->files[file]);
    s->files[file].max = FILE_BYTES_MAX;
    assert_ok(buf_append(&s->files[file], octets));
    s->present[file] = true;
}

static void write_signature(struct sample *s)
{
    struct digest hash = bill_hash(buf_bytes(&s->files[AUDIT_BILL]));
    struct signature signature;

    assert_ok(sign(s->world->utility_key, DIGEST_VIEW(&hash), &signature));
    sample_set(s, AUDIT_SIGNATURE, (struct bytes){ signature.octets, signature.size });
}

void sample_write_bill(struct sample *s)
{
    sample_set(s, AUDIT_BILL, (struct bytes){ NULL, 0 });
    assert_ok(bill_write(&s->bill, &s->files[AUDIT_BILL]));
    write_signature(s);
}

static void write_readings(struct sample *s)
{
    sample_set(s, AUDIT_READINGS, (struct bytes){ NULL, 0 });
    sample_set(s, AUDIT_LEAVES, (struct bytes){ NULL, 0 });
    sample_set(s, AUDIT_SEALS, (struct bytes){ NULL, 0 });
    for (size_t i = 0; i < s->record_count; i++) {
        assert_ok(bundle_record_add(&s->files[AUDIT_READINGS], &s->records[i]));
        struct digest leaf = merkle_leaf(bundle_record_at(buf_bytes(&s->files[AUDIT_READINGS]), i));
        assert_ok(buf_append(&s->files[AUDIT_LEAVES], DIGEST_VIEW(&leaf)));
    }
    for (size_t i = 0; i < s->seal_count; i++) {
        assert_ok(bundle_seal_add(&s->files[AUDIT_SEALS], &s->seals[i]));
    }
}

void sample_write_all(struct sample *s)
{
    sample_write_bill(s);
    write_readings(s);
    sample_set(s, AUDIT_TARIFF, (struct bytes){ NULL, 0 });
    sample_set(s, AUDIT_CALENDAR, (struct bytes){ NULL, 0 });
    assert_ok(tariff_write(&s->tariff, &s->files[AUDIT_TARIFF]));
    assert_ok(calendar_write(&s->calendar, &s->files[AUDIT_CALENDAR]));
    sample_set(s, AUDIT_EVIDENCE, BYTES_LIT("evidence"));
    sample_set(s, AUDIT_INSTITUTE, buf_bytes(&s->world->institute));
    sample_set(s, AUDIT_UTILITY, buf_bytes(&s->world->utility));
    sample_set(s, AUDIT_METER, buf_bytes(&s->meter->certificate));
    if (s->has_previous) {
        sample_set(s, AUDIT_PREVIOUS, (struct bytes){ NULL, 0 });
        assert_ok(bill_write(&s->previous_bill, &s->files[AUDIT_PREVIOUS]));
    }
}

struct audit_files sample_files(const struct sample *s)
{
    struct audit_files files;

    for (size_t i = 0; i < AUDIT_FILES; i++) {
        files.octets[i] = buf_bytes(&s->files[i]);
        files.present[i] = s->present[i];
    }
    return files;
}

/* The bill of the days before; the period of the sample follows it. */
static void make_previous(struct sample *s, struct load *l)
{
    int64_t end = s->end_s;
    int64_t start = s->start_s;

    s->start_s = civil_day_start(&s->calendar, civil_day(&s->calendar, start) - 1);
    s->end_s = start;
    make_opening(s, l);
    make_readings(s, l);
    sample_seal(s);
    sample_issue(s);
    s->previous_bill = s->bill;
    s->seals[0] = s->seals[s->seal_count - 1];
    l->sequence = s->seals[0].seal.last;
    s->has_opening = true;
    s->has_previous = true;
    s->start_s = start;
    s->end_s = end;
}

void sample_new(const struct world *w, uint64_t seed, struct sample *s)
{
    memset(s, 0, sizeof *s);
    s->world = w;
    s->meter = &w->meters[0];
    s->rand.state = rand64_mix(seed, 4711, 1);
    s->calendar = w->calendar;
    make_tariff(s);
    make_period(s);
    make_contract(s);
    struct load l = { { rand64_below(&s->rand, 1u << 30), rand64_below(&s->rand, 1u << 30),
                        rand64_below(&s->rand, 1u << 30) },
                      (uint32_t)rand64_below(&s->rand, 1u << 30),
                      rand64_below(&s->rand, 60000) + 50 };
    uint64_t kind = rand64_below(&s->rand, 6);
    s->has_opening = kind > 1;
    if (kind == 0) { /* a new meter */
        l = (struct load){ { 0 }, 0, l.level_wh };
    }
    if (kind >= 4) {
        make_previous(s, &l);
    } else if (s->has_opening) {
        make_opening(s, &l);
    }
    make_readings(s, &l);
    sample_seal(s);
    sample_issue(s);
    sample_write_all(s);
}

void sample_done(struct sample *s)
{
    for (size_t i = 0; i < AUDIT_FILES; i++) {
        buf_done(&s->files[i]);
    }
}
