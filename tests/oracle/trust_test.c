/* SPDX-License-Identifier: Apache-2.0 */
/* A utility that signs correctly and lies with what the bundle brings along: tariffs of its own, no
 * revocations, code that only it approves, another meter's bundle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/test_dir.h"
#include "lib/wire/meter_id.h"
#include "report/audit/load.h"
#include "report/audit/trust.h"
#include "report/audit/verdict.h"
#include "sample.h"

static struct world w;
static struct sample s;
static struct findings f;
static struct digest terms[2];
static struct test_dir work;

static int begin(void **state)
{
    (void)state;
    world_new(&w);
    test_dir_begin(&work);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_done(&w);
    test_dir_end(&work);
    return 0;
}

/* What the regulator published is known before the utility makes its bill. */
static int make_sample(void **state)
{
    (void)state;
    sample_new(&w, 21, &s);
    terms[0] = tariff_hash(buf_bytes(&s.files[AUDIT_TARIFF]));
    terms[1] = calendar_hash(buf_bytes(&s.files[AUDIT_CALENDAR]));
    return 0;
}

static int drop_sample(void **state)
{
    (void)state;
    findings_done(&f);
    sample_done(&s);
    return 0;
}

static struct audit_options trusting(void)
{
    return (struct audit_options){ .level = AUDIT_L1,
                                   .institute = buf_bytes(&w.institute),
                                   .utility = buf_bytes(&w.utility) };
}

static int audit_with(const struct audit_options *options)
{
    struct audit_files files = sample_files(&s);

    findings_done(&f);
    assert_ok(audit_bundle(&files, options, &f));
    return findings_exit(&f);
}

static int audit_with_terms(void)
{
    struct audit_options options = trusting();

    options.terms = terms;
    options.term_count = 2;
    return audit_with(&options);
}

static void published_terms_are_clean(void **state)
{
    (void)state;
    assert_int_equal(audit_with_terms(), 0);
}

static void a_tariff_that_the_utility_made_up_needs_an_auditor_who_brings_the_true_one(void **state)
{
    struct audit_options options = trusting();

    (void)state;
    s.tariff.prices_e8[PRICE_TE_OFF_PEAK] *= 2;
    sample_issue(&s);
    sample_write_all(&s);
    assert_int_equal(audit_with(&options), 0); /* why there is --terms */
    assert_int_equal(audit_with_terms(), 60);
    assert_int_equal(findings_count_of(&f, E602), 1);
}

static void a_calendar_that_the_utility_made_up_likewise(void **state)
{
    struct audit_options options = trusting();

    (void)state;
    s.calendar.flag_count = 1;
    s.calendar.flags[0].colour = FLAG_RED2;
    sample_issue(&s);
    sample_write_all(&s);
    assert_int_equal(audit_with(&options), 0);
    assert_int_equal(audit_with_terms(), 60);
    assert_int_equal(findings_count_of(&f, E603), 1);
}

static void terms_of_which_none_fits_refuse_both(void **state)
{
    struct audit_options options = trusting();

    (void)state;
    options.terms = terms;
    assert_int_equal(audit_with(&options), 60);
    assert_int_equal(findings_count_of(&f, E602), 1);
    assert_int_equal(findings_count_of(&f, E603), 1);
}

/* --- revocation --- */

static void list_make(const char *entries, struct buf *out, struct signature *signature)
{
    char hex[65];

    hex_encode(DIGEST_VIEW(&s.meter->certificate_hash), hex);
    assert_ok(buf_string(out, "{\"certificates\":["));
    for (const char *at = entries; *at != '\0';
         at++) { /* 'y': revoked since ever, 'n': far ahead */
        assert_ok(buf_printf(out, "%s{\"from\":%s,\"hash\":\"%s\"}", at > entries ? "," : "",
                             *at == 'y' ? "1" : "4294967295", hex));
    }
    assert_ok(buf_string(out, "],\"schema\":\"meterseal.revoked/1\"}"));
    struct digest hash = sha256_domain("meterseal.revoked.v1", buf_bytes(out));
    assert_ok(sign(w.institute_key, DIGEST_VIEW(&hash), signature));
}

static int audit_with_revoked(const char *entries)
{
    AUTO(buf_done) struct buf list = { .max = 4096 };
    struct audit_options options = trusting();
    struct signature signature;

    list_make(entries, &list, &signature);
    options.revoked = buf_bytes(&list);
    options.revoked_signature = (struct bytes){ signature.octets, signature.size };
    return audit_with(&options);
}

static void a_revocation_that_the_bundle_keeps_back_is_found_by_the_auditors_own_list(void **state)
{
    struct audit_options options = trusting();

    (void)state;
    assert_int_equal(audit_with(&options), 0);
    assert_int_equal(audit_with_revoked("y"), 20);
    assert_int_equal(findings_count_of(&f, E202), 1);
    assert_int_equal(audit_with_revoked("n"), 0);
}

static void of_two_revocations_of_a_certificate_the_earlier_counts(void **state)
{
    (void)state;
    assert_int_equal(audit_with_revoked("yn"), 20);
    assert_int_equal(audit_with_revoked("ny"), 20);
}

static void an_own_list_that_is_not_signed_is_refused(void **state)
{
    AUTO(buf_done) struct buf list = { .max = 4096 };
    struct audit_options options = trusting();
    struct signature signature;

    (void)state;
    list_make("n", &list, &signature);
    options.revoked = buf_bytes(&list);
    assert_int_equal(audit_with(&options), 20);
    assert_int_equal(findings_count_of(&f, E203), 1);
}

static void code_that_only_the_bundle_approves_is_not_approved(void **state)
{
    struct audit_options options = trusting();
    char hex[65];
    char approved[256];

    (void)state;
    hex_encode(DIGEST_VIEW(&s.bill.app.measurement), hex);
    snprintf(approved, sizeof approved,
             "{\"measurements\":[\"%s\"],\"schema\":\"meterseal.approved/1\"}", hex);
    sample_set(&s, AUDIT_APPROVED, bytes_of_string(approved));
    assert_int_equal(audit_with(&options), 0);
    options.approved = BYTES_LIT("{\"measurements\":[],\"schema\":\"meterseal.approved/1\"}");
    assert_int_equal(audit_with(&options), 80);
    assert_int_equal(findings_count_of(&f, E801), 1);
}

/* --- the auditor's folders --- */

static const char *in_work(const char *name)
{
    return test_dir_path(&work, name);
}

static void terms_are_read_from_a_folder(void **state)
{
    AUTO(trust_done) struct trust t = { .terms = { .max = 0 } };
    struct audit_options options = { .level = AUDIT_L1 };
    const struct trust_paths paths = { .terms = in_work("terms") };

    (void)state;
    assert_err(trust_read(&paths, &t, &options), ERR_MISSING);
    assert_ok(file_make_dirs(in_work("terms"), 0700));
    assert_err(trust_read(&paths, &t, &options), ERR_MISSING); /* empty: it could only refuse all */
    assert_ok(file_write(in_work("terms/a.json"), buf_bytes(&s.files[AUDIT_TARIFF]), 0600));
    assert_ok(file_write(in_work("terms/b.json"), buf_bytes(&s.files[AUDIT_CALENDAR]), 0600));
    assert_ok(file_write(in_work("terms/notes.txt"), BYTES_LIT("whatever"), 0600));
    assert_ok(trust_read(&paths, &t, &options));
    assert_int_equal(options.term_count, 2);
    assert_int_equal(audit_with(&options), 0);
    buf_clear(&t.terms);
    assert_ok(file_write(in_work("terms/c.json"), BYTES_LIT("{}"), 0600));
    assert_err(trust_read(&paths, &t, &options), ERR_PROTO);
}

static void a_list_of_revocations_needs_its_signature_beside_it(void **state)
{
    AUTO(trust_done) struct trust t = { .terms = { .max = 0 } };
    struct audit_options options = { .level = AUDIT_L1 };
    const struct trust_paths paths = { .revoked = in_work("revoked") };

    (void)state;
    assert_ok(file_make_dirs(in_work("revoked"), 0700));
    assert_err(trust_read(&paths, &t, &options), ERR_MISSING);
    assert_ok(file_write(in_work("revoked/list.json"), BYTES_LIT("{}"), 0600));
    assert_err(trust_read(&paths, &t, &options), ERR_MISSING);
    trust_done(&t);
    t = (struct trust){ .terms = { .max = 0 } };
    assert_ok(file_write(in_work("revoked/list.sig"), BYTES_LIT("x"), 0600));
    assert_ok(trust_read(&paths, &t, &options));
    assert_int_equal(options.revoked.len, 2);
    assert_int_equal(options.revoked_signature.len, 1);
}

static void an_empty_certificate_is_not_silently_none(void **state)
{
    AUTO(trust_done) struct trust t = { .terms = { .max = 0 } };
    struct audit_options options = { .level = AUDIT_L1 };
    const struct trust_paths paths = { .institute = in_work("empty.crt") };

    (void)state;
    assert_ok(file_write(in_work("empty.crt"), BYTES_LIT(""), 0600));
    assert_err(trust_read(&paths, &t, &options), ERR_MISSING);
}

static void what_is_not_given_is_named(void **state)
{
    const char *gaps[TRUST_GAPS_MAX + 1];
    const struct trust_paths some = { .institute = "i", .terms = "t" };
    const struct trust_paths all = { "i", "u", "t", "r", NULL };

    (void)state;
    trust_gaps(&some, gaps);
    assert_string_equal(gaps[0], "utility");
    assert_string_equal(gaps[1], "revoked");
    assert_null(gaps[2]);
    trust_gaps(&all, gaps);
    assert_null(gaps[0]);
}

/* --- which bundle, which bill --- */

static void a_bundle_under_the_id_of_another_meter_is_noticed(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "bills/%" PRI_METER "/", s.bill.meter.id);
    bundle_name_check(path, &s.bill, &f);
    bundle_name_check("april", &s.bill, &f); /* no id */
    bundle_name_check("", &s.bill, &f);
    assert_int_equal(findings_exit(&f), 0);
    snprintf(path, sizeof path, "bills/%" PRI_METER, s.bill.meter.id + 1);
    bundle_name_check(path, &s.bill, &f);
    assert_int_equal(findings_count_of(&f, E201), 1);
}

static const char *verdict_of(bool json, const char *bundle, struct buf *out)
{
    AUTO(verdict_done) struct verdict v;

    verdict_init(&v, json);
    assert_ok(verdict_add(&v, bundle, buf_bytes(&s.files[AUDIT_BILL]), &f));
    assert_ok(verdict_finish(&v, out));
    assert_ok(buf_u8(out, 0));
    return (const char *)out->ptr;
}

static void a_verdict_names_the_bill_it_is_about(void **state)
{
    struct digest hash = bill_hash(buf_bytes(&s.files[AUDIT_BILL]));
    char hex[65];

    (void)state;
    hex_encode(DIGEST_VIEW(&hash), hex);
    for (int json = 0; json < 2; json++) {
        AUTO(buf_done) struct buf out = { .max = 1u << 16 };
        const char *text = verdict_of(json, "b", &out);
        assert_non_null(strstr(text, hex));
        assert_non_null(strstr(text, json ? "\"clean\":true" : "clean: meter "));
    }
}

/* Whoever names a folder must not write the verdict. */
static void a_name_with_control_characters_writes_no_lines_of_its_own(void **state)
{
    AUTO(buf_done) struct buf out = { .max = 1u << 16 };
    const struct finding one = {
        .code = E301, .sequence = FINDING_NO_PLACE, .day_s = FINDING_NO_PLACE, .text = "a\033[8mb"
    };

    (void)state;
    findings_add(&f, &one);
    const char *text =
        verdict_of(false, "x\n1 of 1 bundles clean\n\033[8m\302\233k\303\243o", &out);
    assert_null(strstr(text, "\n1 of 1"));
    assert_null(strchr(text, '\033'));
    assert_null(strstr(text, "\302\233"));
    assert_non_null(strstr(text, "k\303\243o:\n"));
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, make_sample, drop_sample)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(published_terms_are_clean),
        WITH_SAMPLE(a_tariff_that_the_utility_made_up_needs_an_auditor_who_brings_the_true_one),
        WITH_SAMPLE(a_calendar_that_the_utility_made_up_likewise),
        WITH_SAMPLE(terms_of_which_none_fits_refuse_both),
        WITH_SAMPLE(a_revocation_that_the_bundle_keeps_back_is_found_by_the_auditors_own_list),
        WITH_SAMPLE(of_two_revocations_of_a_certificate_the_earlier_counts),
        WITH_SAMPLE(an_own_list_that_is_not_signed_is_refused),
        WITH_SAMPLE(code_that_only_the_bundle_approves_is_not_approved),
        WITH_SAMPLE(terms_are_read_from_a_folder),
        WITH_SAMPLE(a_list_of_revocations_needs_its_signature_beside_it),
        WITH_SAMPLE(an_empty_certificate_is_not_silently_none),
        WITH_SAMPLE(what_is_not_given_is_named),
        WITH_SAMPLE(a_bundle_under_the_id_of_another_meter_is_noticed),
        WITH_SAMPLE(a_verdict_names_the_bill_it_is_about),
        WITH_SAMPLE(a_name_with_control_characters_writes_no_lines_of_its_own),
    };
    return cmocka_run_group_tests_name("trust", tests, begin, end);
}
