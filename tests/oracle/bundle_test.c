/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles on disk: what billing writes, audit reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/test_dir.h"
#include "lib/wire/meter_id.h"
#include "report/audit/load.h"
#include "report/audit/verdict.h"
#include "report/billing/bundling.h"
#include "report/billing/show.h"
#include "sample.h"

static struct world w;
static struct sample s;
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

static const char *in_work(const char *name)
{
    return test_dir_path(&work, name);
}

/* Writes the sample as billing does, into work/<folder>/<meter>. */
static void write_bundle(const char *folder)
{
    AUTO(collected_done) struct collected c = { 0 };
    struct bytes leaves = buf_bytes(&s.files[AUDIT_LEAVES]);
    struct bundle_terms terms = { .tariff = buf_bytes(&s.files[AUDIT_TARIFF]),
                                  .calendar = buf_bytes(&s.files[AUDIT_CALENDAR]),
                                  .institute = buf_bytes(&w.institute),
                                  .utility = buf_bytes(&w.utility),
                                  .evidence = BYTES_LIT("evidence"),
                                  .key = w.utility_key };
    struct bundle_parts parts = { .bill = &s.bill,
                                  .collected = &c,
                                  .leaves = leaves,
                                  .certificate = buf_bytes(&s.meter->certificate),
                                  .previous = buf_bytes(&s.files[AUDIT_PREVIOUS]) };

    for (size_t i = s.record_count; i > 0; i--) { /* in any order */
        assert_ok(collected_add(&c, &s.records[i - 1]));
    }
    for (size_t i = 0; i < s.seal_count; i++) {
        assert_ok(collected_seal(&c, &s.seals[i]));
    }
    assert_ok(collected_finish(&c));
    assert_ok(bundle_write(in_work(folder), &terms, &parts));
}

static const char *bundle_path(const char *folder, const char *file)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s/%" PRI_METER "/%s", work.path, folder, s.meter->id, file);
    return path;
}

static int audit_of(const char *dir, enum audit_code code)
{
    AUTO(bundle_loaded_done) struct loaded l = { .files = { .present = { false } } };
    AUTO(findings_done) struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    assert_ok(bundle_load(dir, &l));
    assert_ok(audit_bundle(&l.files, &options, &f));
    assert_true(code == 0 || findings_count_of(&f, code) > 0);
    return findings_exit(&f);
}

static void a_written_bundle_is_audited_clean(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        char folder[16];
        snprintf(folder, sizeof folder, "clean%d", (int)seed);
        sample_new(&w, seed, &s);
        write_bundle(folder);
        assert_int_equal(audit_of(bundle_path(folder, ""), 0), 0);
        sample_done(&s);
    }
}

/* A clock that was set back, and a row that is no record of a meter: both are carried as is. */
static void collected_readings_are_put_in_order_with_their_quality(void **state)
{
    AUTO(collected_done) struct collected c = { 0 };

    (void)state;
    sample_new(&w, 8, &s);
    s.records[2].end_s += 1;
    for (size_t i = 5; i > 0; i--) {
        assert_ok(collected_add(&c, &s.records[i - 1]));
        c.points[c.point_count - 1].quality = (uint8_t)(10 + i);
    }
    EACH_FAILURE (i) {
        if (!collected_finish(&c).code) {
            assert_true(i > 0);
            break;
        }
    }
    mem_fail_after(-1);
    for (size_t i = 0; i < 5; i++) {
        uint8_t want[RECORD_BYTES];
        record_encode(&s.records[i], want);
        assert_int_equal(c.points[i].sequence, s.records[i].sequence);
        assert_int_equal(c.points[i].quality, 11 + i);
        assert_memory_equal(c.octets.ptr + i * RECORD_BYTES, want, RECORD_BYTES);
    }
    sample_done(&s);
}

static void a_bundle_with_an_altered_reading_is_not(void **state)
{
    AUTO(buf_done) struct buf octets = { .max = BUNDLE_READINGS_BYTES_MAX };

    (void)state;
    sample_new(&w, 9, &s);
    write_bundle("altered");
    assert_ok(file_read(bundle_path("altered", BUNDLE_READINGS), &octets));
    octets.ptr[5 * RECORD_BYTES + 139] ^= 1;
    assert_ok(file_write(bundle_path("altered", BUNDLE_READINGS), buf_bytes(&octets), 0644));
    assert_true(audit_of(bundle_path("altered", ""), E401) >= 40);
    sample_done(&s);
}

static void a_link_in_a_bundle_is_refused(void **state)
{
    AUTO(bundle_loaded_done) struct loaded l = { .files = { .present = { false } } };
    char dir[512];

    (void)state;
    sample_new(&w, 10, &s);
    write_bundle("linked");
    snprintf(dir, sizeof dir, "%s", bundle_path("linked", ""));
    assert_int_equal(unlink(bundle_path("linked", BUNDLE_TARIFF)), 0);
    assert_int_equal(symlink("/etc/passwd", bundle_path("linked", BUNDLE_TARIFF)), 0);
    assert_err(bundle_load(dir, &l), ERR_PROTO);
    assert_int_equal(unlink(bundle_path("linked", BUNDLE_TARIFF)), 0);
    assert_ok(bundle_load(dir, &l));
    assert_false(l.files.present[AUDIT_TARIFF]);
    assert_err(bundle_load(in_work("absent"), &l), ERR_IO);
    sample_done(&s);
}

static void a_bill_is_found_by_its_end(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct bill found;

    (void)state;
    sample_new(&w, 11, &s);
    assert_int_equal(mkdir(in_work("bills"), 0755), 0);
    write_bundle("bills/one");
    assert_ok(bundle_find_previous(in_work("bills"), s.meter->id, s.end_s, &json, &found));
    assert_int_equal(found.total_c, s.bill.total_c);
    assert_true(json.len > 0);
    assert_err(bundle_find_previous(in_work("bills"), s.meter->id, s.start_s, &json, &found),
               ERR_MISSING);
    assert_int_equal(json.len, 0);
    assert_err(bundle_find_previous(in_work("bills"), s.meter->id + 1, s.end_s, &json, &found),
               ERR_MISSING);
    assert_err(bundle_read_bill(in_work("bills"), s.meter->id, &json, &found), ERR_MISSING);
    sample_done(&s);
}

static err count_bundle(void *arg, const char *path, uint64_t meter)
{
    (void)path;
    assert_int_equal(meter, s.meter->id);
    ++*(int *)arg;
    return OK;
}

static void only_folders_named_by_a_meter_are_bundles(void **state)
{
    int count = 0;

    (void)state;
    sample_new(&w, 12, &s);
    write_bundle("each");
    assert_int_equal(mkdir(in_work("each/lost+found"), 0755), 0);
    assert_ok(bundle_each(in_work("each"), count_bundle, &count));
    assert_int_equal(count, 1);
    assert_err(bundle_each(in_work("nothing"), count_bundle, &count), ERR_MISSING);
    sample_done(&s);
}

static void a_bill_is_shown_with_its_lines_and_hash(void **state)
{
    AUTO(buf_done) struct buf out = { .max = 1u << 16 };
    struct digest hash;

    (void)state;
    sample_new(&w, 13, &s);
    hash = bill_hash(buf_bytes(&s.files[AUDIT_BILL]));
    assert_ok(show_bill(&s.bill, &hash, &out));
    assert_ok(buf_u8(&out, 0));
    for (size_t i = 0; i < s.bill.line_count; i++) {
        assert_non_null(strstr((char *)out.ptr, bill_line_name(s.bill.lines[i].id)));
    }
    assert_non_null(strstr((char *)out.ptr, "SIMULATED"));
    assert_non_null(strstr((char *)out.ptr, "bill hash "));
    sample_done(&s);
}

static struct finding finding_of(uint16_t code, int64_t sequence)
{
    return (struct finding){ .code = code,
                             .meter = 7,
                             .sequence = sequence,
                             .day_s = 17532 * INT64_C(86400) + 5,
                             .expected = "96",
                             .found = "95",
                             .text = "readings \"are\" missing" };
}

static void the_verdict_is_one_json_document(void **state)
{
    AUTO(findings_done) struct findings bad = { 0 };
    AUTO(findings_done) struct findings none = { 0 };
    AUTO(buf_done) struct buf out = { .max = 1u << 20 };
    AUTO(verdict_done) struct verdict v;
    struct finding f = finding_of(E301, 17);

    (void)state;
    verdict_init(&v, true);
    v.from_bundles[0] = "utility";
    v.from_bundles[1] = "terms";
    findings_add(&bad, &f);
    assert_ok(verdict_add(&v, "a/b", BYTES_LIT(""), &none));
    assert_ok(verdict_add(&v, "c", BYTES_LIT(""), &bad));
    assert_ok(verdict_finish(&v, &out));
    assert_ok(buf_u8(&out, 0));
    assert_string_equal((char *)out.ptr,
                        "{\"bundles\":2,\"clean\":1,\"unfinished\":0,\"from_bundles\":"
                        "[\"utility\",\"terms\"],\"bills\":[],\"findings\":[{\"bundle\":\"c\","
                        "\"meter\":\"0000000000000007\",\"code\":\"E301\",\"sequence\":17,"
                        "\"day\":\"2018-01-01\",\"expected\":\"96\",\"found\":\"95\",\"text\":"
                        "\"readings \\\"are\\\" missing\"}],\"counts\":{\"E301\":1}}\n");
    assert_int_equal(verdict_exit(&v), 30);
}

static void the_exit_status_is_the_highest_class(void **state)
{
    AUTO(findings_done) struct findings f = { 0 };
    static const struct {
        uint16_t code;
        int want;
    } steps[] = { { W500, 0 },  { E101, 10 }, { E103, 10 }, { E205, 20 }, { E301, 30 },
                  { E406, 40 }, { E102, 40 }, { E501, 50 }, { E609, 60 }, { E801, 80 } };

    (void)state;
    assert_int_equal(findings_exit(&f), 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct finding one = finding_of(steps[i].code, FINDING_NO_PLACE);
        findings_add(&f, &one);
        assert_int_equal(findings_exit(&f), steps[i].want);
    }
}

static void at_most_a_thousand_findings_of_a_code_are_kept_and_all_counted(void **state)
{
    AUTO(findings_done) struct findings f = { 0 };
    struct finding one = finding_of(E302, 1);
    struct finding other = finding_of(E303, 1);

    (void)state;
    for (int i = 0; i < 1500; i++) {
        findings_add(&f, &one);
    }
    findings_add(&f, &other);
    assert_int_equal(f.count, FINDINGS_KEPT_MAX + 1);
    assert_int_equal(findings_count_of(&f, E302), 1500);
    assert_int_equal(findings_count_of(&f, E303), 1);
    assert_int_equal(findings_count_of(&f, E304), 0);
}

static void a_finding_that_finds_no_memory_is_still_counted(void **state)
{
    AUTO(findings_done) struct findings f = { 0 };
    struct finding one = finding_of(E302, 1);

    (void)state;
    mem_fail_after(0);
    findings_add(&f, &one);
    mem_fail_after(-1);
    assert_int_equal(f.count, 0);
    assert_int_equal(findings_count_of(&f, E302), 1);
    assert_int_equal(findings_exit(&f), 30);
}

static void an_audit_without_memory_proves_nothing_and_says_so(void **state)
{
    struct audit_options options = { .level = AUDIT_L1 };

    (void)state;
    sample_new(&w, 14, &s);
    struct audit_files files = sample_files(&s);
    EACH_FAILURE (i) {
        AUTO(findings_done) struct findings f = { 0 };
        err e = audit_bundle(&files, &options, &f);
        if (!e.code && findings_exit(&f) == 0) {
            assert_true(i > 3);
            break;
        }
    }
    mem_fail_after(-1);
    sample_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_bundle_is_audited_clean),
        cmocka_unit_test(collected_readings_are_put_in_order_with_their_quality),
        cmocka_unit_test(a_bundle_with_an_altered_reading_is_not),
        cmocka_unit_test(a_link_in_a_bundle_is_refused),
        cmocka_unit_test(a_bill_is_found_by_its_end),
        cmocka_unit_test(only_folders_named_by_a_meter_are_bundles),
        cmocka_unit_test(a_bill_is_shown_with_its_lines_and_hash),
        cmocka_unit_test(the_verdict_is_one_json_document),
        cmocka_unit_test(the_exit_status_is_the_highest_class),
        cmocka_unit_test(at_most_a_thousand_findings_of_a_code_are_kept_and_all_counted),
        cmocka_unit_test(a_finding_that_finds_no_memory_is_still_counted),
        cmocka_unit_test(an_audit_without_memory_proves_nothing_and_says_so),
    };
    return cmocka_run_group_tests_name("bundles", tests, begin, end);
}
