/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/documents.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/test.h"

#define TARIFF "deploy/tariff/a4-green-2018.yaml"
#define CALENDAR "deploy/tariff/calendar-br-2018.yaml"

static void the_shipped_examples_are_read(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct tariff t;
    struct calendar c;

    (void)state;
    assert_ok(document_tariff(TARIFF, &json, &t));
    assert_int_equal(t.prices_e8[PRICE_DEMAND], 1809000);
    assert_int_equal(t.taxes.icms_ppm, 170000);
    assert_int_equal(t.weekday[11][18], POST_PEAK);
    assert_int_equal(t.weekend[11][18], POST_OFF_PEAK);
    assert_false(t.production);
    assert_ok(document_tariff("deploy/tariff/a4-green-2024.yaml", &json, &t));
    assert_ok(document_calendar(CALENDAR, &json, &c));
    assert_int_equal(c.zone[1].from_s, 1518919200);
    assert_int_equal(c.zone[2].from_s, 1541300400);
    assert_int_equal(c.zone[3].from_s, 1550368800);
    assert_ok(document_calendar("deploy/tariff/calendar-br-2024.yaml", &json, &c));
    assert_int_equal(c.easter[2], 60);
}

static void the_canonical_form_of_a_file_is_read_back(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct tariff t;
    struct tariff back;

    (void)state;
    assert_ok(document_tariff(TARIFF, &json, &t));
    assert_ok(tariff_parse(buf_bytes(&json), &back));
    assert_memory_equal(&t, &back, sizeof t);
}

/* Reads `source` with one piece replaced. */
static err edited(const char *source, const char *from, const char *to, bool calendar)
{
    AUTO(buf_done) struct buf text = { .max = DOCUMENT_BYTES_MAX };
    AUTO(buf_done) struct buf out = { .max = DOCUMENT_BYTES_MAX };
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    char path[] = "/tmp/meterseal-document-XXXXXX";
    struct tariff t;
    struct calendar c;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_ok(file_read(source, &text));
    assert_ok(buf_u8(&text, 0));
    const char *at = strstr((const char *)text.ptr, from);
    assert_non_null(at);
    assert_ok(buf_append(&out, (struct bytes){ text.ptr, (size_t)(at - (char *)text.ptr) }));
    assert_ok(buf_string(&out, to));
    assert_ok(buf_string(&out, at + strlen(from)));
    assert_ok(file_write(path, buf_bytes(&out), 0600));
    err e = calendar ? document_calendar(path, &json, &c) : document_tariff(path, &json, &t);
    unlink(path);
    if (!e.code) {
        fail_msg("\"%s\" is accepted", to);
    }
    assert_int_equal(json.len, 0);
    return e;
}

static void refused(const char *source, const char *from, const char *to, const char *why)
{
    err e = edited(source, from, to, source[0] == 'd' && strstr(source, "calendar") != NULL);

    assert_int_equal(e.code, ERR_PROTO);
    if (strstr(err_text(), why) == NULL) {
        fail_msg("\"%s\" does not name %s", err_text(), why);
    }
}

static void mistakes_in_a_tariff_are_named(void **state)
{
    (void)state;
    refused(TARIFF, "modality:", "modalitee:", "modalitee");
    refused(TARIFF, "modality: green\n", "", "modality");
    refused(TARIFF, "te_peak: \"0.47510\"", "te_peak: \"0.475101\"", "te_peak");
    refused(TARIFF, "te_peak: \"0.47510\"", "te_peak: \"-1\"", "te_peak");
    refused(TARIFF, "te_peak: \"0.47510\"", "te_peak: \"4e2\"", "te_peak");
    refused(TARIFF, "icms_ppm: 170000", "icms_ppm: 900000", "icms_ppm");
    refused(TARIFF, "icms_ppm: 170000", "icms_ppm: 17.5", "icms_ppm");
    refused(TARIFF, "icms_ppm: 170000", "icms_ppm: 170000x", "icms_ppm");
    refused(TARIFF, "icms_ppm: 170000", "icms_ppm: -1", "icms_ppm");
    refused(TARIFF, "valid_to: 2019-01-01", "valid_to: 2018-01-01", "valid_to");
    refused(TARIFF, "valid_to: 2019-01-01", "valid_to: 2018-02-30", "valid_to");
    refused(TARIFF, "\"00:00\"", "\"24:00\"", "capacitive_window_from");
    refused(TARIFF, "\"00:00\"", "\"0:00\"", "capacitive_window_from");
    refused(TARIFF, "\"000000000000000000111000\"", "\"000000000000000000112000\"", "weekday");
    refused(TARIFF, "\"000000000000000000111000\"", "\"00000000000000000011100\"", "weekday");
    refused(TARIFF, "percent: 105", "percent: 90", "percent");
    refused(TARIFF, "production: false", "production: 7", "production");
    refused(TARIFF, "\"00000000000191\"", "\"191\"", "utility");
    refused(TARIFF, "subgroup: A4", "subgroup: *a", "");
}

static void mistakes_in_a_calendar_are_named(void **state)
{
    (void)state;
    refused(CALENDAR, "colour: yellow", "colour: purple", "purple");
    refused(CALENDAR, "01-01, 04-21", "04-21, 01-01", "fixed");
    refused(CALENDAR, "04-21", "04-31", "fixed");
    refused(CALENDAR, "04-21", "4-21", "fixed");
    refused(CALENDAR, "04-21", "04-21@24", "fixed");
    refused(CALENDAR, "04-21", "04-21@0000", "fixed");
    refused(CALENDAR, "04-21", "04-21-2024", "fixed");
    refused(CALENDAR, "[-47, -2, 60]", "[-47, 60, -2]", "easter");
    refused(CALENDAR, "[-47, -2, 60]", "[-47, -2, 99999]", "easter");
    refused(CALENDAR, "2017-10-15T03:00:00Z", "2018-01-05T03:00:00Z", "zone");
    refused(CALENDAR, "2017-10-15T03:00:00Z", "yesterday", "zone");
    refused(CALENDAR, "valid_from: 2018-01-01", "valid_from: 2017-12-31", "flags");
    refused(CALENDAR, "offset_s: -7200", "offset: -7200", "offset");
}

static void an_absent_file_is_missing(void **state)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct tariff t;

    (void)state;
    assert_err(document_tariff("deploy/tariff/absent.yaml", &json, &t), ERR_MISSING);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    (void)state;
    EACH_FAILURE (i) {
        AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
        struct tariff t;
        err e = document_tariff(TARIFF, &json, &t);
        if (!e.code) {
            assert_true(i > 20);
            break;
        }
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_examples_are_read),
        cmocka_unit_test(the_canonical_form_of_a_file_is_read_back),
        cmocka_unit_test(mistakes_in_a_tariff_are_named),
        cmocka_unit_test(mistakes_in_a_calendar_are_named),
        cmocka_unit_test(an_absent_file_is_missing),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
