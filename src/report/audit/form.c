/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical form, schema and hashes of the documents. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/audit/inside.h"

static struct finding finding_at(const struct audit *a, enum audit_code code,
                                 struct finding_place where)
{
    struct finding f = { .code = (uint16_t)code,
                         .meter = a->has_bill ? a->bill.meter.id : 0,
                         .sequence = where.sequence,
                         .day_s = where.at_s };

    /* A day is named by its civil date, as far as there is a calendar. */
    if (where.at_s != FINDING_NO_PLACE && a->has_calendar) {
        f.day_s = own_civil(&a->calendar, where.at_s);
    }
    return f;
}

void found(struct audit *a, enum audit_code code, struct finding_place where, const char *format,
           ...)
{
    struct finding f = finding_at(a, code, where);
    va_list args;

    va_start(args, format);
    vsnprintf(f.text, sizeof f.text, format, args);
    va_end(args);
    findings_add(a->out, &f);
}

void found_values(struct audit *a, enum audit_code code, struct finding_place where,
                  int64_t expected, int64_t value, const char *text)
{
    struct finding f = finding_at(a, code, where);

    snprintf(f.expected, sizeof f.expected, "%lld", (long long)expected);
    snprintf(f.found, sizeof f.found, "%lld", (long long)value);
    snprintf(f.text, sizeof f.text, "%s", text);
    findings_add(a->out, &f);
}

void found_digests(struct audit *a, enum audit_code code, struct finding_place where,
                   const struct digest *expected, const struct digest *value, const char *text)
{
    struct finding f = finding_at(a, code, where);

    hex_encode(DIGEST_VIEW(expected), f.expected);
    hex_encode(DIGEST_VIEW(value), f.found);
    snprintf(f.text, sizeof f.text, "%s", text);
    findings_add(a->out, &f);
}

static void form_error(struct audit *a, err e, const char *file)
{
    found(a, e.code == ERR_CORRUPT ? E103 : E101, NOWHERE, "%s: %s", file, err_text());
}

static void check_hash(struct audit *a, enum audit_code code, const struct digest *in_bill,
                       const struct digest *of_file, const char *text)
{
    if (!digest_equal(in_bill, of_file)) {
        found_digests(a, code, NOWHERE, in_bill, of_file, text);
    }
}

/* Whoever makes a bill could write a tariff for it. */
static void check_known(struct audit *a, enum audit_code code, const struct digest *hash,
                        const char *text)
{
    const struct audit_options *o = a->options;

    for (size_t i = 0; i < o->term_count; i++) {
        if (digest_equal(&o->terms[i], hash)) {
            return;
        }
    }
    if (o->terms != NULL) {
        found(a, code, NOWHERE, "%s", text);
    }
}

static void form_bill(struct audit *a)
{
    struct bytes text = a->files->octets[AUDIT_BILL];

    if (!a->files->present[AUDIT_BILL]) {
        found(a, E101, NOWHERE, "%s is missing", BUNDLE_BILL);
        return;
    }
    struct digest hash = bill_hash(text);
    err e = bill_parse(text, &a->bill);
    a->has_bill = !e.code;
    if (e.code) {
        form_error(a, e, BUNDLE_BILL);
    }
    if (a->options->has_hash && !digest_equal(&hash, &a->options->hash)) {
        found_digests(a, E102, NOWHERE, &a->options->hash, &hash, "the bill has another hash");
    }
}

static void form_tariff(struct audit *a)
{
    struct bytes text = a->files->octets[AUDIT_TARIFF];

    if (!a->files->present[AUDIT_TARIFF]) {
        found(a, E602, NOWHERE, "%s is missing", BUNDLE_TARIFF);
        return;
    }
    struct digest hash = tariff_hash(text);
    check_known(a, E602, &hash, "the tariff is none of those that the auditor gave");
    err e = tariff_parse(text, &a->tariff);
    a->has_tariff = !e.code;
    if (e.code) {
        form_error(a, e, BUNDLE_TARIFF);
    }
    if (a->has_bill) {
        check_hash(a, E602, &a->bill.tariff, &hash, "the bill names another tariff");
    }
}

static void form_calendar(struct audit *a)
{
    struct bytes text = a->files->octets[AUDIT_CALENDAR];

    if (!a->files->present[AUDIT_CALENDAR]) {
        found(a, E603, NOWHERE, "%s is missing", BUNDLE_CALENDAR);
        return;
    }
    struct digest hash = calendar_hash(text);
    check_known(a, E603, &hash, "the calendar is none of those that the auditor gave");
    err e = calendar_parse(text, &a->calendar);
    a->has_calendar = !e.code;
    if (e.code) {
        form_error(a, e, BUNDLE_CALENDAR);
    }
    if (a->has_bill) {
        check_hash(a, E603, &a->bill.calendar, &hash, "the bill names another calendar");
    }
}

void audit_form(struct audit *a)
{
    form_bill(a);
    form_calendar(a); /* before the rest: it names the days of findings */
    form_tariff(a);
}
