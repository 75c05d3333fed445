/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/canon.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

/* The vector of docs/protocol.md 7. */
static const char vector[] =
    "{\"city\":\"S\xc3\xa3o Jos\xc3\xa9\",\"lines\":[{\"id\":\"demand\",\"qty\":\"65140.700\","
    "\"unit\":\"W\"},{\"id\":\"te_peak\",\"qty\":\"40947\",\"unit\":\"Wh\"}],"
    "\"note\":\"a\\\"b\\\\c\\n\\t\\u0001/\",\"paid\":false,\"prev\":null,"
    "\"seq\":[1,-2,9007199254740991],\"total\":\"3413.70\"}";

static const char shuffled[] =
    "{ \"total\": \"3413.70\", \"seq\": [1, -2, 9007199254740991], \"prev\": null,\n"
    "\"paid\": false, \"note\": \"a\\u0022b\\\\c\\u000a\\t\\u0001\\/\", \"lines\": [ {\"unit\""
    ":\"W\",\"qty\":\"65140.700\",\"id\":\"demand\"},{\"id\":\"te_peak\",\"unit\":\"Wh\","
    "\"qty\":\"40947\"}], \"city\":\"S\\u00e3o Jos\\u00e9\"}";

static void the_vector_has_its_220_octets_and_both_hashes(void **state)
{
    AUTO(json_freep) json_t *doc = NULL;
    AUTO(buf_done) struct buf out = { .max = CANON_BYTES_MAX };

    (void)state;
    assert_ok(json_read(BYTES_LIT(shuffled), CANON_BYTES_MAX, CANON_DEPTH_MAX, &doc));
    assert_ok(canon_write(doc, &out));
    assert_int_equal(out.len, 220);
    assert_true(bytes_equal(buf_bytes(&out), BYTES_LIT(vector)));
    struct digest plain = sha256(buf_bytes(&out));
    assert_hex(DIGEST_VIEW(&plain),
               "04eff40c3af806c76b55030591be9c9b995c2260c1853966bc4312f05caf7252");
    struct digest bill = sha256_domain("meterseal.bill.v1", buf_bytes(&out));
    assert_hex(DIGEST_VIEW(&bill),
               "d12bb7be13899121cd0a6f7d6990b0bddf1bce0eb924d0a4570f338a040a8b63");
}

static void canonical_octets_are_read(void **state)
{
    static const char *const good[] = { vector, "{}", "[]", "[\"\"]", "{\"a\":-9007199254740991}" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        AUTO(json_freep) json_t *doc = NULL;
        assert_ok(canon_read(bytes_of_string(good[i]), &doc));
    }
}

static void another_spelling_of_a_document_is_refused(void **state)
{
    static const char *const bad[] = {
        shuffled,
        " {}",
        "{} ",
        "{ }",
        "\n[]",
        "{\"b\":1,\"a\":2}",
        "[1.0]",
        "[-0]",
        "[1e3]",
        "[9007199254740992]",
        "[-9007199254740992]",
        "[\"\\/\"]",
        "[\"\\u0041\"]",
        "[\"\\u001F\"]",
        "[\"\\u000a\"]",
        "{\"\xc3\xa3\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *doc = NULL;
        err e = canon_read(bytes_of_string(bad[i]), &doc);
        if (e.code != ERR_CORRUPT) {
            fail_msg("%s: %s", bad[i], err_name(e.code));
        }
        assert_null(doc);
    }
}

static void what_is_no_document_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{\"a\":1,\"a\":1}",
        "[01]",
        "[1,]",
        "\xef\xbb\xbf{}",
        "[\"\xff\"]",
        "[\"\\u0000\"]",
        "1",
        "[99999999999999999999]",
        "{}{}",
        "[NaN]",
    };
    json_t *doc = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(canon_read(bytes_of_string(bad[i]), &doc), ERR_PROTO);
    }
}

static void depth_16_is_read_and_17_is_refused(void **state)
{
    char text[64] = { 0 };
    json_t *doc = NULL;

    (void)state;
    memset(text, '[', 16);
    memset(text + 16, ']', 16);
    assert_ok(canon_read(bytes_of_string(text), &doc));
    json_decref(doc);
    memset(text, '[', 17);
    memset(text + 17, ']', 17);
    assert_err(canon_read(bytes_of_string(text), &doc), ERR_LIMIT);
}

static void over_one_mebibyte_is_refused(void **state)
{
    uint8_t *text = malloc(CANON_BYTES_MAX + 1);
    json_t *doc = NULL;

    (void)state;
    memset(text, 'x', CANON_BYTES_MAX + 1);
    text[0] = '[';
    text[1] = '"';
    text[CANON_BYTES_MAX - 2] = '"';
    text[CANON_BYTES_MAX - 1] = ']';
    assert_ok(canon_read((struct bytes){ text, CANON_BYTES_MAX }, &doc));
    json_decref(doc);
    assert_err(canon_read((struct bytes){ text, CANON_BYTES_MAX + 1 }, &doc), ERR_LIMIT);
    free(text);
}

static void a_missing_and_an_unknown_field_are_named(void **state)
{
    static const char *const fields[] = { "a", "b", NULL };
    AUTO(json_freep) json_t *less = NULL;
    AUTO(json_freep) json_t *more = NULL;
    AUTO(json_freep) json_t *right = NULL;

    (void)state;
    assert_ok(canon_read(BYTES_LIT("{\"a\":1}"), &less));
    assert_ok(canon_read(BYTES_LIT("{\"a\":1,\"b\":2,\"c\":3}"), &more));
    assert_ok(canon_read(BYTES_LIT("{\"a\":1,\"b\":2}"), &right));
    assert_ok(canon_fields(right, fields));
    assert_err(canon_fields(less, fields), ERR_PROTO);
    assert_non_null(strstr(err_text(), "field b is missing"));
    assert_err(canon_fields(more, fields), ERR_PROTO);
    assert_non_null(strstr(err_text(), "field c is unknown"));
    assert_err(canon_fields(json_array_get(right, 0), fields), ERR_PROTO);
}

static void fields_of_documents_are_strict(void **state)
{
    AUTO(json_freep) json_t *o = NULL;
    struct digest d;
    bool b = false;
    char text[8];
    int64_t v = 0;
    int32_t day = 0;

    (void)state;
    assert_ok(
        canon_read(BYTES_LIT("{\"b\":1,\"c\":\"x\\u0001\",\"d\":\"00\",\"e\":\"\",\"f\":\"-0.01\","
                             "\"l\":\"12345678\",\"y\":\"2018-2-01\",\"z\":\"2018-02-29\"}"),
                   &o));
    assert_err(canon_field_bool(o, "b", &b), ERR_PROTO);
    assert_err(canon_field_string(o, "c", text, sizeof text), ERR_PROTO);
    assert_err(canon_field_string(o, "e", text, sizeof text), ERR_PROTO);
    assert_err(canon_field_string(o, "l", text, sizeof text), ERR_PROTO);
    assert_err(canon_field_digest(o, "d", &d), ERR_PROTO);
    assert_err(canon_field_fixed(o, "f", 2, 2, 0, 100, &v), ERR_PROTO);
    assert_ok(canon_field_fixed(o, "f", 2, 2, -1, 100, &v));
    assert_int_equal(v, -1);
    assert_err(canon_field_day(o, "y", &day), ERR_PROTO);
    assert_err(canon_field_day(o, "z", &day), ERR_PROTO);
    assert_err(canon_field_day(o, "absent", &day), ERR_MISSING);
}

static void days_are_counted_from_1970(void **state)
{
    char text[CANON_DAY_BYTES];
    int32_t day = 0;

    (void)state;
    assert_ok(canon_day_parse(BYTES_LIT("2018-01-01"), &day));
    assert_int_equal(day, 17532);
    canon_day_text(day, text);
    assert_string_equal(text, "2018-01-01");
    assert_err(canon_day_parse(BYTES_LIT("1969-12-31"), &day), ERR_PROTO);
    assert_err(canon_day_parse(BYTES_LIT("2018-01-01T00"), &day), ERR_PROTO);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    (void)state;
    EACH_FAILURE (i) {
        AUTO(json_freep) json_t *doc = NULL;
        err e = canon_read(BYTES_LIT(vector), &doc);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_has_its_220_octets_and_both_hashes),
        cmocka_unit_test(canonical_octets_are_read),
        cmocka_unit_test(another_spelling_of_a_document_is_refused),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(depth_16_is_read_and_17_is_refused),
        cmocka_unit_test(over_one_mebibyte_is_refused),
        cmocka_unit_test(a_missing_and_an_unknown_field_are_named),
        cmocka_unit_test(fields_of_documents_are_strict),
        cmocka_unit_test(days_are_counted_from_1970),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("canon", tests, NULL, NULL);
}
