/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/tuple.h"

#include <math.h>
#include <string.h>

#include "lib/base/rand.h"
#include "lib/base/test.h"

#define KEY_MAX 4096

static struct tuple_value value_int(int64_t i)
{
    return (struct tuple_value){ .type = TUPLE_INT, .i = i };
}

static struct tuple_value value_float(double f)
{
    return (struct tuple_value){ .type = TUPLE_FLOAT8, .f = f };
}

static struct tuple_value value_text(const char *s)
{
    return (struct tuple_value){ .type = TUPLE_TEXT, .octets = bytes_of_string(s) };
}

static void assert_put(struct tuple_value v, const char *hex)
{
    AUTO(buf_done) struct buf b = { .max = KEY_MAX };

    assert_ok(tuple_put(&b, &v));
    assert_hex(buf_bytes(&b), hex);
}

/* What was put is taken again, and written again to the same octets. */
static void assert_round(struct tuple_value v)
{
    AUTO(buf_done) struct buf b = { .max = KEY_MAX };
    AUTO(buf_done) struct buf again = { .max = KEY_MAX };
    AUTO(buf_done) struct buf scratch = { .max = KEY_MAX };
    struct tuple_value got;

    assert_ok(tuple_put(&b, &v));
    struct bytes in = buf_bytes(&b);
    assert_ok(tuple_take(&in, &scratch, &got));
    assert_int_equal(in.len, 0);
    assert_int_equal(got.type, v.type);
    assert_ok(tuple_put(&again, &got));
    assert_true(bytes_equal(buf_bytes(&b), buf_bytes(&again)));
}

static void the_published_vectors_of_integers_hold(void **state)
{
    static const struct {
        int64_t v;
        const char *hex;
    } vectors[] = {
        { 0, "14" }, { 1, "1501" }, { 255, "15ff" }, { 256, "160100" }, { 12345, "163039" },
        { -1, "13fe" }, { -255, "1300" }, { -256, "12feff" }, { -5551212, "11ab4b93" },
        { 1700000900, "186553f484" }, { INT64_MAX, "1c7fffffffffffffff" },
        { INT64_MIN, "0c7fffffffffffffff" }, { -INT64_MAX, "0c8000000000000000" },
        { 753316100000000, "1b02ad23128b4900" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_put(value_int(vectors[i].v), vectors[i].hex);
        assert_round(value_int(vectors[i].v));
    }
}

static void the_published_vectors_of_other_types_hold(void **state)
{
    static const uint8_t unicode[] = "F\xc3\x94O\0bar";
    struct tuple_value text = { .type = TUPLE_TEXT, .octets = BYTES_LIT(unicode) };
    struct tuple_value octets = { .type = TUPLE_BYTES, .octets = BYTES_LIT("foo\0bar") };
    struct tuple_value four = { .type = TUPLE_FLOAT4, .f = -42.0 };
    struct tuple_value no = { .type = TUPLE_BOOL, .b = false };
    struct tuple_value yes = { .type = TUPLE_BOOL, .b = true };

    (void)state;
    assert_put((struct tuple_value){ .type = TUPLE_NULL }, "00");
    assert_put(value_text(""), "0200");
    assert_put(value_text("reading"), "0272656164696e6700");
    assert_put(text, "0246c3944f00ff62617200");
    assert_put(octets, "01666f6f00ff62617200");
    assert_put(no, "26");
    assert_put(yes, "27");
    assert_put(four, "203dd7ffff");
    assert_round(text);
    assert_round(octets);
    assert_round(no);
    assert_round(yes);
    assert_round(four);
    assert_round((struct tuple_value){ .type = TUPLE_NULL });
}

static void the_published_vectors_of_floats_hold(void **state)
{
    (void)state;
    assert_put(value_float(0.0), "218000000000000000");
    assert_put(value_float(-0.0), "218000000000000000");
    assert_put(value_float(1.5), "21bff8000000000000");
    assert_put(value_float(-1.5), "214007ffffffffffff");
    assert_put(value_float((double)INFINITY), "21fff0000000000000");
    assert_put(value_float((double)-INFINITY), "21000fffffffffffff");
    assert_put(value_float((double)NAN), "21fff8000000000000");
    assert_put(value_float((double)-NAN), "21fff8000000000000");
    assert_round(value_float(-1.5));
    assert_round(value_float((double)NAN));
}

static void put_ints(struct buf *b, const int64_t *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_ok(tuple_put_int(b, v[i]));
    }
}

static void the_published_keys_hold(void **state)
{
    AUTO(buf_done) struct buf b = { .max = KEY_MAX };

    (void)state;
    put_ints(&b, (int64_t[]){ 52, 1, 12345, 1700000900 }, 4);
    assert_hex(buf_bytes(&b), "15341501163039186553f484");
    tuple_descend(&b, 7);
    assert_hex(buf_bytes(&b), "15341501163039e79aac0b7b");

    buf_clear(&b);
    put_ints(&b, (int64_t[]){ 300, 1, 12345, 1700000900 }, 4);
    assert_hex(buf_bytes(&b), "16012c1501163039186553f484");

    buf_clear(&b);
    put_ints(&b, (int64_t[]){ 0, 1, 52 }, 3);
    assert_hex(buf_bytes(&b), "1415011534");

    buf_clear(&b);
    put_ints(&b, (int64_t[]){ 52, 16 }, 2);
    assert_ok(tuple_put_text(&b, BYTES_LIT("SP")));
    put_ints(&b, (int64_t[]){ 12345 }, 1);
    assert_hex(buf_bytes(&b), "1534151002535000163039");

    buf_clear(&b);
    put_ints(&b, (int64_t[]){ 52, 2, 12345, 1699920000 }, 4);
    assert_hex(buf_bytes(&b), "15341502163039186552b880");
}

static void a_key_of_many_elements_is_taken_one_by_one(void **state)
{
    AUTO(buf_done) struct buf b = { .max = KEY_MAX };
    AUTO(buf_done) struct buf scratch = { .max = KEY_MAX };
    struct tuple_value first, second, third;
    struct bytes long_text = { (const uint8_t[600]){ 0 }, 600 };
    struct tuple_value zeros = { .type = TUPLE_BYTES, .octets = long_text };

    (void)state;
    assert_ok(tuple_put_text(&b, BYTES_LIT("meter")));
    assert_ok(tuple_put(&b, &zeros));
    assert_ok(tuple_put_int(&b, -7));
    struct bytes in = buf_bytes(&b);
    assert_ok(tuple_take(&in, &scratch, &first));
    assert_ok(tuple_take(&in, &scratch, &second));
    assert_ok(tuple_take(&in, &scratch, &third));
    assert_int_equal(in.len, 0);
    assert_true(bytes_equal(first.octets, BYTES_LIT("meter")));
    assert_true(bytes_equal(second.octets, long_text));
    assert_int_equal(third.i, -7);
}

static void assert_refused(const char *hex)
{
    AUTO(buf_done) struct buf scratch = { .max = KEY_MAX };
    uint8_t octets[32];
    size_t size = strlen(hex) / 2;
    struct tuple_value v = { .type = TUPLE_BOOL };

    assert_ok(hex_decode(bytes_of_string(hex), octets, size));
    struct bytes in = { octets, size };
    assert_err(tuple_take(&in, &scratch, &v), ERR_PROTO);
    assert_ptr_equal(in.ptr, octets);
    assert_int_equal(in.len, size);
    assert_int_equal(scratch.len, 0);
    assert_int_equal(v.type, TUPLE_BOOL);
}

static void any_second_spelling_is_refused(void **state)
{
    static const char *const bad[] = {
        "",                   /* nothing */
        "1500",               /* zero in one octet */
        "160001",             /* one in two octets */
        "13ff",               /* minus zero */
        "12fffe",             /* minus one in two octets */
        "1c8000000000000000", /* 2^63 */
        "0c7ffffffffffffffe", /* -2^63 - 1 */
        "1601",               /* cut */
        "0272",               /* text without end */
        "0272ff",             /* the same, an ff that escapes nothing */
        "0200ff",             /* text without end behind an escape */
        "217fffffffffffffff", /* -0.0 */
        "21fff8000000000001", /* another NaN */
        "2100000000000000",   /* cut float */
        "207fffffff",         /* -0.0 of four octets */
        "20ffc00001",         /* another NaN of four octets */
        "0b0101", "1d0101", "05", "30", "40", "28", "ff", "03",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(bad[i]);
    }
}

static void an_integer_is_not_taken_from_another_element(void **state)
{
    struct bytes in = BYTES_LIT("\x02r\0");
    int64_t v = 5;

    (void)state;
    assert_err(tuple_take_int(&in, &v), ERR_PROTO);
    assert_int_equal(in.len, 3);
    assert_int_equal(v, 5);
}

static int64_t any_int(struct rand64 *r)
{
    return (int64_t)(rand64_next(r) >> rand64_below(r, 64)) * (rand64_below(r, 2) ? 1 : -1);
}

static int compare_puts(const struct tuple_value *a, const struct tuple_value *b)
{
    AUTO(buf_done) struct buf left = { .max = KEY_MAX };
    AUTO(buf_done) struct buf right = { .max = KEY_MAX };

    assert_ok(tuple_put(&left, a));
    assert_ok(tuple_put(&right, b));
    int order = bytes_compare(buf_bytes(&left), buf_bytes(&right));
    return (order > 0) - (order < 0);
}

static void octets_sort_as_integers_do(void **state)
{
    struct rand64 r = { 7 };

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct tuple_value a = value_int(any_int(&r));
        struct tuple_value b = value_int(i % 3 == 0 ? a.i + (i % 2 ? 1 : -1) : any_int(&r));
        assert_round(a);
        assert_int_equal(compare_puts(&a, &b), (a.i > b.i) - (a.i < b.i));
    }
}

static void octets_sort_as_floats_do(void **state)
{
    struct rand64 r = { 8 };

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct tuple_value a = value_float(rand64_range(&r, -10, 10));
        struct tuple_value b = value_float(rand64_normal(&r) * 1e-3);
        assert_int_equal(compare_puts(&a, &b), (a.f > b.f) - (a.f < b.f));
    }
}

static void texts_sort_as_their_octets_with_the_shorter_first(void **state)
{
    static const char *const sorted[] = { "", "\x01", "a", "a\x01", "aa", "ab", "b" };

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            struct tuple_value a = value_text(sorted[i]);
            struct tuple_value b = value_text(sorted[j]);
            assert_int_equal(compare_puts(&a, &b), (i > j) - (i < j));
        }
    }
}

static void the_end_of_a_prefix_is_behind_all_its_keys(void **state)
{
    AUTO(buf_done) struct buf end = { .max = KEY_MAX };

    (void)state;
    assert_ok(tuple_prefix_end(BYTES_LIT("\x15\x34\x15\x01"), &end));
    assert_hex(buf_bytes(&end), "15341502");
    assert_ok(tuple_prefix_end(BYTES_LIT("\x15\xff\xff"), &end));
    assert_hex(buf_bytes(&end), "16");
    assert_ok(tuple_prefix_end(BYTES_LIT("\xff\xff"), &end));
    assert_int_equal(end.len, 0);
    assert_ok(tuple_prefix_end(BYTES_LIT(""), &end));
    assert_int_equal(end.len, 0);
}

static void an_element_beyond_the_bound_leaves_the_key_alone(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 12 };

    (void)state;
    assert_ok(tuple_put_int(&b, 12345));
    assert_err(tuple_put_text(&b, BYTES_LIT("0123456789")), ERR_LIMIT);
    assert_err(tuple_put(&b, &(struct tuple_value){ .type = TUPLE_FLOAT8 }), ERR_NONE);
    assert_err(tuple_put_int(&b, 1), ERR_LIMIT);
    assert_int_equal(b.len, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_of_integers_hold),
        cmocka_unit_test(the_published_vectors_of_other_types_hold),
        cmocka_unit_test(the_published_vectors_of_floats_hold),
        cmocka_unit_test(the_published_keys_hold),
        cmocka_unit_test(a_key_of_many_elements_is_taken_one_by_one),
        cmocka_unit_test(any_second_spelling_is_refused),
        cmocka_unit_test(an_integer_is_not_taken_from_another_element),
        cmocka_unit_test(octets_sort_as_integers_do),
        cmocka_unit_test(octets_sort_as_floats_do),
        cmocka_unit_test(texts_sort_as_their_octets_with_the_shorter_first),
        cmocka_unit_test(the_end_of_a_prefix_is_behind_all_its_keys),
        cmocka_unit_test(an_element_beyond_the_bound_leaves_the_key_alone),
    };
    return cmocka_run_group_tests_name("tuple", tests, NULL, NULL);
}
