/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal bill run: every consumer of a period, one after the other. A bundle that is there is
 * kept, so that a run that was interrupted is simply started again. */
#include "report/billing/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/crypto/cert.h"
#include "lib/wire/fixed.h"
#include "lib/wire/meter_id.h"
#include "report/billing/store.h"

#define SUMMARY_BYTES_MAX (64u << 20)
#define PROGRESS_AFTER_US (2 * US_PER_S)

struct run {
    const struct billing_options *options;
    struct store store;
    struct terms terms;
    struct cert *institute;
    uint64_t billed, kept, refused;
    int64_t total_c;
    struct buf refusals; /* text or JSON, as asked for */
    uint64_t started_us, progress_us;
    int64_t now_s;
};

static void run_done(struct run *r)
{
    buf_done(&r->refusals);
    cert_freep(&r->institute);
    terms_done(&r->terms);
    store_close(&r->store);
}

/* --- what is said of those who cannot be billed --- */

static err refusal_json(struct buf *out, const struct refusal *f, bool first)
{
    struct json_writer w;

    TRY(buf_string(out, first ? "" : ","));
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "reason");
    json_write_string(&w, refusal_name(f->reason));
    json_write_key(&w, "from");
    json_write_int(&w, f->from_s);
    json_write_key(&w, "to");
    json_write_int(&w, f->to_s);
    json_write_key(&w, "text");
    json_write_string(&w, f->text);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err refusals_json(struct run *r, uint64_t meter, const struct refusals *f, size_t kept)
{
    TRY(buf_printf(&r->refusals, "%s{\"meter\":\"%" PRI_METER "\",\"count\":%zu,\"reasons\":[",
                   r->refused > 1 ? "," : "", meter, f->count));
    for (size_t i = 0; i < kept; i++) {
        TRY(refusal_json(&r->refusals, &f->list[i], i == 0));
    }
    return buf_string(&r->refusals, "]}");
}

static err refusals_text(struct run *r, uint64_t meter, const struct refusals *f, size_t kept)
{
    TRY(buf_printf(&r->refusals, "meter %" PRI_METER " cannot be billed:\n", meter));
    for (size_t i = 0; i < kept; i++) {
        char from[TIME_TEXT_BYTES] = "";
        char to[TIME_TEXT_BYTES] = "";
        if (f->list[i].from_s != 0) {
            time_format_s(f->list[i].from_s, from);
            time_format_s(f->list[i].to_s, to);
        }
        TRY(buf_printf(&r->refusals, "  %-16s %s%s%s%s%s\n", refusal_name(f->list[i].reason),
                       f->list[i].text, from[0] != '\0' ? " (" : "", from,
                       from[0] != '\0' ? " to " : "", to));
        if (from[0] != '\0') {
            r->refusals.len--;
            TRY(buf_string(&r->refusals, ")\n"));
        }
    }
    if (f->count > kept) {
        TRY(buf_printf(&r->refusals, "  and %zu more reasons\n", f->count - kept));
    }
    return OK;
}

static err refuse(struct run *r, uint64_t meter, const struct refusals *f)
{
    size_t kept = f->count < REFUSALS_MAX ? f->count : REFUSALS_MAX;

    r->refused++;
    return r->options->json ? refusals_json(r, meter, f, kept) : refusals_text(r, meter, f, kept);
}

/* --- one consumer --- */

/* The bill before, if there is one; `json` gets its octets. */
static err before_find(const struct run *r, uint64_t meter, struct buf *json,
                       struct issue_before *out, bool *out_found)
{
    AUTO(mem_givep) struct bill *bill = mem_take(sizeof *bill);
    const char *folder = r->options->previous;
    err e;

    *out_found = false;
    if (bill == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    if (folder != NULL) {
        e = bundle_read_bill(folder, meter, json, bill);
    } else if (r->terms.bills_dir[0] != '\0') {
        e = bundle_find_previous(r->terms.bills_dir, meter, r->terms.start_s, json, bill);
    } else {
        return OK;
    }
    if (e.code == ERR_MISSING) {
        return OK;
    }
    TRY(e);
    *out =
        (struct issue_before){ bill_hash(buf_bytes(json)), bill->meter.closing.seal, bill->end_s };
    *out_found = true;
    return OK;
}

static void certificate_check(const struct run *r, const struct registered *m,
                              const struct cert *cert, struct refusals *f)
{
    char name[80];
    char want[METER_ID_CHARS + 1];

    meter_id_text(m->meter, want);
    if (cert_common_name(cert, name, sizeof name).code || strcmp(name, want) != 0) {
        refusal_add(f, REFUSAL_CERTIFICATE, 0, 0, "the certificate is not of this meter");
    } else if (cert_check(cert, r->institute, r->terms.start_s).code ||
               cert_check(cert, r->institute, r->terms.end_s).code) {
        refusal_add(f, REFUSAL_CERTIFICATE, 0, 0, "%s", err_text());
    }
}

static void registered_check(const struct registered *m, struct refusals *f)
{
    if (!m->has_contract) {
        refusal_add(f, REFUSAL_CONTRACT, 0, 0, "no contract is in force at the start");
    }
    if (m->contract_changes) {
        refusal_add(f, REFUSAL_CONTRACT, 0, 0,
                    "the contract changes inside the period: bill each part by itself");
    }
}

static struct issue issue_of(const struct run *r, const struct registered *m,
                             const struct collected *c, const struct cert *cert,
                             const struct issue_before *before)
{
    return (struct issue){ .plan = r->terms.plan,
                           .tariff = &r->terms.tariff,
                           .tariff_hash = tariff_hash(buf_bytes(&r->terms.tariff_json)),
                           .calendar_hash = calendar_hash(buf_bytes(&r->terms.calendar_json)),
                           .contract = &m->contract,
                           .certificate = cert_hash(cert),
                           .seals = c->seals,
                           .seal_count = c->seal_count,
                           .points = c->points,
                           .point_count = c->point_count,
                           .before = before,
                           .version = METERSEAL_VERSION,
                           .measurement = r->terms.measurement,
                           .evidence = sha256(buf_bytes(&r->terms.evidence)),
                           .issued_s = r->now_s };
}

static err bundle_out(struct run *r, const struct registered *m, const struct collected *c,
                      const struct digest *leaves, const struct bill *bill, struct bytes previous)
{
    struct bundle_terms terms = terms_bundle(&r->terms);
    struct bundle_parts parts = { .bill = bill,
                                  .collected = c,
                                  .leaves = { (const uint8_t *)leaves,
                                              c->point_count * sizeof leaves[0] },
                                  .certificate = buf_bytes(&m->certificate),
                                  .previous = previous };

    TRY(bundle_write(r->terms.out_dir, &terms, &parts));
    r->billed++;
    r->total_c += bill->total_c;
    return OK;
}

/* Bills, verifies what the meter signed, writes the bundle; or adds to `f`. */
static err bill_one(struct run *r, const struct registered *m, struct refusals *f)
{
    AUTO(collected_done) struct collected c = { 0 };
    AUTO(buf_done) struct buf previous = { .max = CANON_BYTES_MAX };
    AUTO(mem_givep) struct digest *leaves = NULL;
    AUTO(mem_givep) struct bill *bill = mem_take(sizeof *bill);
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(public_key_freep) struct public_key *key = NULL;
    struct issue_before before;
    bool has_before = false;

    if (cert_from_pem(buf_bytes(&m->certificate), &cert).code || cert_public_key(cert, &key).code) {
        refusal_add(f, REFUSAL_CERTIFICATE, 0, 0, "%s", err_text());
        return OK;
    }
    certificate_check(r, m, cert, f);
    TRY(collect(r->store.readings, m->meter, r->terms.start_s, r->terms.end_s, &c));
    TRY(before_find(r, m->meter, &previous, &before, &has_before));
    leaves = mem_take(c.point_count * sizeof leaves[0]);
    if (leaves == NULL || bill == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    struct issue in = issue_of(r, m, &c, cert, has_before ? &before : NULL);
    issue_bill(&in, f, bill);
    if (f->count == 0) {
        issue_verify(&in, key, buf_bytes(&c.octets), leaves, f);
    }
    return f->count > 0 ? OK : bundle_out(r, m, &c, leaves, bill, buf_bytes(&previous));
}

static err kept_already(struct run *r, uint64_t meter, bool *out)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    AUTO(mem_givep) struct bill *bill = mem_take(sizeof *bill);

    if (bill == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    err e = bundle_read_bill(r->terms.out_dir, meter, &json, bill);
    *out = !e.code && bill->start_s == r->terms.start_s && bill->end_s == r->terms.end_s;
    if (e.code == ERR_MISSING || *out) {
        return OK;
    }
    TRY(e);
    FAIL(ERR_CONFLICT,
         "%s has a bill of meter %" PRI_METER " for another period: take another "
         "--out",
         r->terms.out_dir, meter);
}

static void progress(struct run *r)
{
    uint64_t now = time_monotonic_us();

    if (now - r->started_us < PROGRESS_AFTER_US || now - r->progress_us < US_PER_S / 4 ||
        isatty(STDERR_FILENO) == 0) {
        return;
    }
    r->progress_us = now;
    fprintf(stderr, "\rbilled %" PRIu64 ", kept %" PRIu64 ", refused %" PRIu64 " ", r->billed,
            r->kept, r->refused);
}

static err meter_run(struct run *r, const struct registered *m)
{
    struct refusals f = { .count = 0 };
    bool kept = false;

    TRY(kept_already(r, m->meter, &kept));
    if (kept) {
        r->kept++;
        return OK;
    }
    registered_check(m, &f);
    if (f.count == 0) {
        TRY(err_context(bill_one(r, m, &f), "meter %" PRI_METER, m->meter));
    }
    progress(r);
    return f.count > 0 ? refuse(r, m->meter, &f) : OK;
}

static err page_run(struct run *r, const struct registry_page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        TRY(meter_run(r, &p->meters[i]));
    }
    return OK;
}

static err meters_run(struct run *r)
{
    AUTO(registry_page_done) struct registry_page p = { .count = 0 };
    uint64_t meter = 0;

    if (r->options->meter != NULL) {
        TRY(billing_meter_id(r->options->meter, &meter));
        TRY(registry_one(r->store.sql, meter, r->terms.start_s, r->terms.end_s, &p));
        if (p.count == 0) {
            FAIL(ERR_MISSING, "meter %" PRI_METER " is not registered", meter);
        }
        return page_run(r, &p);
    }
    do {
        TRY(registry_next(r->store.sql, r->terms.start_s, r->terms.end_s, &p));
        TRY(page_run(r, &p));
    } while (p.more);
    return OK;
}

/* --- the summary --- */

static void summary_json(const struct run *r, const char *total)
{
    printf("{\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"out\":", r->terms.start_s, r->terms.end_s);
    AUTO(buf_done) struct buf out = { .max = (size_t)8 * PATH_MAX };
    struct json_writer w;

    json_write_begin(&w, &out);
    json_write_string(&w, r->terms.out_dir);
    if (json_write_finish(&w).code) {
        buf_clear(&out);
    }
    printf("%.*s,\"billed\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"refused\":%" PRIu64
           ",\"total\":\"%s\",\"refusals\":[%.*s]}\n",
           (int)out.len, (const char *)out.ptr, r->billed, r->kept, r->refused, total,
           (int)r->refusals.len, r->refusals.len > 0 ? (const char *)r->refusals.ptr : "");
}

static void summary_text(const struct run *r, const char *total)
{
    char from[TIME_TEXT_BYTES];
    char to[TIME_TEXT_BYTES];

    time_format_s(r->terms.start_s, from);
    time_format_s(r->terms.end_s, to);
    printf("%.*s", (int)r->refusals.len, r->refusals.len > 0 ? (const char *)r->refusals.ptr : "");
    printf("%s to %s: billed %" PRIu64 " (R$ %s), kept %" PRIu64 ", refused %" PRIu64 "\n", from,
           to, r->billed, total, r->kept, r->refused);
    printf("bundles: %s\n", r->terms.out_dir);
}

static void summary(const struct run *r)
{
    char total[FIXED_TEXT_BYTES];

    if (r->progress_us != 0) {
        fprintf(stderr, "\r%60s\r", "");
    }
    fixed_format(r->total_c, 2, 2, total);
    if (r->options->json) {
        summary_json(r, total);
    } else {
        summary_text(r, total);
    }
}

err billing_run(const struct billing_options *o, int *out_exit)
{
    AUTO(run_done) struct run r = { .options = o, .refusals = { .max = SUMMARY_BYTES_MAX } };
    struct place place;

    TRY(place_open(o->dir, &place));
    TRY(terms_load(o, &place, &r.terms));
    TRY(terms_load_keys(&place, &r.terms));
    TRY(cert_from_pem(buf_bytes(&r.terms.institute), &r.institute));
    TRY(store_open(o, &r.store));
    TRY(file_make_dirs(r.terms.out_dir, 0755));
    r.started_us = time_monotonic_us();
    r.now_s = (int64_t)(time_utc_us() / US_PER_S);
    TRY(meters_run(&r));
    summary(&r);
    *out_exit = r.refused > 0 ? BILLING_EXIT_REFUSED : 0;
    return OK;
}
