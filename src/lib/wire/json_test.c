/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "lib/wire/json_read.h"
#include "lib/wire/json_write.h"

#define TEXT_MAX 4096
#define DEPTH_MAX 16

static json_t *read_ok(struct bytes text)
{
    json_t *doc = NULL;

    assert_ok(json_read(text, TEXT_MAX, DEPTH_MAX, &doc));
    return doc;
}

static void assert_refused(const char *text, enum err_code want)
{
    json_t *doc = NULL;

    assert_err(json_read(bytes_of_string(text), TEXT_MAX, DEPTH_MAX, &doc), want);
    assert_null(doc);
}

static void assert_text(const struct buf *b, const char *want)
{
    assert_int_equal(b->len, strlen(want));
    assert_memory_equal(b->ptr, want, b->len);
}

static void values_keys_and_commas_stand_where_they_belong(void **state)
{
    AUTO(buf_done) struct buf b = { .max = TEXT_MAX };
    struct json_writer w;

    (void)state;
    json_write_begin(&w, &b);
    json_write_object(&w);
    json_write_key(&w, "a");
    json_write_array(&w);
    json_write_int(&w, -1);
    json_write_uint(&w, UINT64_MAX);
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_object(&w);
    json_write_object_end(&w);
    json_write_array_end(&w);
    json_write_key(&w, "b");
    json_write_null(&w);
    json_write_key(&w, "c");
    json_write_bool(&w, false);
    json_write_object_end(&w);
    assert_ok(json_write_finish(&w));
    assert_text(&b, "{\"a\":[-1,18446744073709551615,[],{}],\"b\":null,\"c\":false}");
}

static void texts_are_escaped_as_the_canonical_form_says(void **state)
{
    AUTO(buf_done) struct buf b = { .max = TEXT_MAX };
    struct json_writer w;

    (void)state;
    json_write_begin(&w, &b);
    json_write_array(&w);
    json_write_string(&w, "a\"b\\c\n\t\x01/\x1f\b\f\r\x7f");
    json_write_string(&w, "S\xc3\xa3o \xe2\x82\xac \xf0\x9f\x94\x8c");
    json_write_array_end(&w);
    assert_ok(json_write_finish(&w));
    assert_text(&b, "[\"a\\\"b\\\\c\\n\\t\\u0001/\\u001f\\b\\f\\r\x7f\","
                    "\"S\xc3\xa3o \xe2\x82\xac \xf0\x9f\x94\x8c\"]");
}

static void a_text_that_is_not_utf8_is_the_first_error(void **state)
{
    static const char *const bad[] = { "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80", "\xff", "ok\xe2\x82", "\xc3(" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        AUTO(buf_done) struct buf b = { .max = TEXT_MAX };
        struct json_writer w;
        json_write_begin(&w, &b);
        json_write_string(&w, bad[i]);
        assert_err(json_write_finish(&w), ERR_PROTO);
    }
}

static void a_crossed_bound_is_told_at_the_end(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 8 };
    struct json_writer w;

    (void)state;
    json_write_begin(&w, &b);
    json_write_array(&w);
    for (int i = 0; i < 100; i++) {
        json_write_int(&w, i);
    }
    json_write_array_end(&w);
    assert_err(json_write_finish(&w), ERR_LIMIT);
    assert_true(b.len <= 8);
}

static void numbers_read_back_to_the_same_bits(void **state)
{
    static const double fixed[] = { 0, -0.0, 0.1, 1.0 / 3, 1e300, -2.5e-300, DBL_MIN, DBL_MAX,
                                    5e-324, 123456789.125 };
    struct rand64 r = { 7 };

    (void)state;
    for (int i = 0; i < 2000; i++) {
        AUTO(buf_done) struct buf b = { .max = TEXT_MAX };
        AUTO(json_freep) json_t *doc = NULL;
        struct json_writer w;
        double v = i < 10 ? fixed[i] : rand64_normal(&r) * pow(10, (double)(i % 600) / 2 - 150);
        json_write_begin(&w, &b);
        json_write_array(&w);
        json_write_number(&w, v);
        json_write_array_end(&w);
        assert_ok(json_write_finish(&w));
        doc = read_ok(buf_bytes(&b));
        assert_true(json_number_value(json_array_get(doc, 0)) == v);
    }
}

static void what_is_no_number_becomes_null(void **state)
{
    AUTO(buf_done) struct buf b = { .max = TEXT_MAX };
    struct json_writer w;

    (void)state;
    json_write_begin(&w, &b);
    json_write_array(&w);
    json_write_number(&w, NAN);
    json_write_number(&w, INFINITY);
    json_write_number(&w, 0.1);
    json_write_number(&w, 60);
    json_write_number(&w, 5e-324);
    json_write_array_end(&w);
    assert_ok(json_write_finish(&w));
    assert_text(&b, "[null,null,0.1,60,5e-324]");
}

/* Writes a jansson document with our writer: an oracle in the other direction. */
static void write_value(struct json_writer *w, const json_t *v)
{
    size_t i;
    json_t *item;
    const char *key;

    if (json_is_object(v)) {
        void *at = json_object_iter((json_t *)(uintptr_t)v);
        json_write_object(w);
        for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)v, at)) {
            key = json_object_iter_key(at);
            json_write_key(w, key);
            write_value(w, json_object_iter_value(at));
        }
        json_write_object_end(w);
    } else if (json_is_array(v)) {
        json_write_array(w);
        json_array_foreach((json_t *)(uintptr_t)v, i, item) {
            write_value(w, item);
        }
        json_write_array_end(w);
    } else if (json_is_string(v)) {
        json_write_text(
            w, (struct bytes){ (const uint8_t *)json_string_value(v), json_string_length(v) });
    } else if (json_is_integer(v)) {
        json_write_int(w, json_integer_value(v));
    } else if (json_is_boolean(v)) {
        json_write_bool(w, json_is_true(v));
    } else {
        json_write_null(w);
    }
}

static json_t *random_value(struct rand64 *r, unsigned depth)
{
    char text[12];
    json_t *v;

    switch (rand64_below(r, depth > 0 ? 6 : 4)) {
    case 0:
        return json_integer((json_int_t)rand64_next(r));
    case 1:
        for (size_t i = 0; i < sizeof text - 1; i++) {
            text[i] = (char)(1 + rand64_below(r, 127));
        }
        text[sizeof text - 1] = '\0';
        return json_string(text);
    case 2:
        return json_boolean(rand64_below(r, 2));
    case 3:
        return json_null();
    case 4:
        v = json_array();
        for (uint64_t i = rand64_below(r, 5); i > 0; i--) {
            json_array_append_new(v, random_value(r, depth - 1));
        }
        return v;
    default:
        v = json_object();
        for (uint64_t i = rand64_below(r, 5); i > 0; i--) {
            char key[2] = { (char)('a' + rand64_below(r, 26)), '\0' };
            json_object_set_new(v, key, random_value(r, depth - 1));
        }
        return v;
    }
}

static void what_is_written_is_read_back_equal(void **state)
{
    struct rand64 r = { 42 };

    (void)state;
    for (int i = 0; i < 500; i++) {
        AUTO(buf_done) struct buf b = { .max = 1 << 20 };
        AUTO(json_freep) json_t *made = json_array();
        AUTO(json_freep) json_t *back = NULL;
        struct json_writer w;
        json_array_append_new(made, random_value(&r, 6));
        json_write_begin(&w, &b);
        write_value(&w, made);
        assert_ok(json_write_finish(&w));
        assert_ok(json_read(buf_bytes(&b), b.max, JSON_DEPTH_MAX, &back));
        assert_true(json_equal(made, back));
    }
}

static void size_and_depth_are_bounded_before_parsing(void **state)
{
    json_t *doc = NULL;

    (void)state;
    assert_err(json_read(BYTES_LIT("[1,2]"), 4, DEPTH_MAX, &doc), ERR_LIMIT);
    assert_ok(json_read(BYTES_LIT("[1,2]"), 5, DEPTH_MAX, &doc));
    json_freep(&doc);
    assert_ok(json_read(BYTES_LIT("[[{}]]"), 64, 3, &doc));
    json_freep(&doc);
    assert_err(json_read(BYTES_LIT("[[{}]]"), 64, 2, &doc), ERR_LIMIT);
    assert_ok(json_read(BYTES_LIT("[\"[[[[\\\"[[\\\\\"]"), 64, 1, &doc));
    json_freep(&doc);
}

static void broken_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    assert_refused("", ERR_PROTO);
    assert_refused("{", ERR_PROTO);
    assert_refused("[1,]", ERR_PROTO);
    assert_refused("[1] x", ERR_PROTO);
    assert_refused("[01]", ERR_PROTO);
    assert_refused("[\"\xff\"]", ERR_PROTO);
    assert_refused("[\"", ERR_PROTO);
    assert_refused("[\"\\", ERR_PROTO);
    assert_refused("[99999999999999999999]", ERR_PROTO);
    assert_refused("{\"a\":1,\"a\":2}", ERR_PROTO);
    assert_non_null(strstr(err_text(), "line 1"));
}

static void fields_are_of_their_type_or_named_in_the_error(void **state)
{
    AUTO(json_freep) json_t *doc = read_ok(BYTES_LIT("{\"n\":5,\"t\":\"x\",\"a\":[],\"o\":{}}"));
    struct bytes text;
    json_t *part;
    int64_t n = 0;

    (void)state;
    assert_ok(json_field_int(doc, "n", 5, 5, &n));
    assert_int_equal(n, 5);
    assert_err(json_field_int(doc, "n", 6, 9, &n), ERR_LIMIT);
    assert_err(json_field_int(doc, "n", 0, 4, &n), ERR_LIMIT);
    assert_err(json_field_int(doc, "t", 0, 9, &n), ERR_PROTO);
    assert_err(json_field_int(doc, "zz", 0, 9, &n), ERR_MISSING);
    assert_non_null(strstr(err_text(), "\"zz\""));
    assert_ok(json_field_text(doc, "t", &text));
    assert_true(bytes_equal(text, BYTES_LIT("x")));
    assert_err(json_field_text(doc, "n", &text), ERR_PROTO);
    assert_err(json_field_text(doc, "zz", &text), ERR_MISSING);
    assert_ok(json_field_array(doc, "a", &part));
    assert_err(json_field_array(doc, "o", &part), ERR_PROTO);
    assert_ok(json_field_object(doc, "o", &part));
    assert_err(json_field_object(doc, "a", &part), ERR_PROTO);
    assert_err(json_field_int(json_object_get(doc, "a"), "n", 0, 9, &n), ERR_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keys_and_commas_stand_where_they_belong),
        cmocka_unit_test(texts_are_escaped_as_the_canonical_form_says),
        cmocka_unit_test(a_text_that_is_not_utf8_is_the_first_error),
        cmocka_unit_test(a_crossed_bound_is_told_at_the_end),
        cmocka_unit_test(numbers_read_back_to_the_same_bits),
        cmocka_unit_test(what_is_no_number_becomes_null),
        cmocka_unit_test(what_is_written_is_read_back_equal),
        cmocka_unit_test(size_and_depth_are_bounded_before_parsing),
        cmocka_unit_test(broken_documents_are_refused_with_their_place),
        cmocka_unit_test(fields_are_of_their_type_or_named_in_the_error),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
