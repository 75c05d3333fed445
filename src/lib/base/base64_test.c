/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include "lib/base/base64.h"

static void check_text(const char *plain, const char *text)
{
    AUTO(buf_done) struct buf b = { .max = 64 };

    assert_ok(base64_encode(bytes_of_string(plain), &b));
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_string(text)));
    buf_clear(&b);
    assert_ok(base64_decode(bytes_of_string(text), &b));
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_string(plain)));
}

/* RFC 4648 section 10, without the padding. */
static void the_vectors_of_the_standard_hold(void **state)
{
    (void)state;
    check_text("", "");
    check_text("f", "Zg");
    check_text("fo", "Zm8");
    check_text("foo", "Zm9v");
    check_text("foob", "Zm9vYg");
    check_text("fooba", "Zm9vYmE");
    check_text("foobar", "Zm9vYmFy");
}

static void every_octet_comes_back(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 1024 };
    AUTO(buf_done) struct buf back = { .max = 1024 };
    uint8_t all[256];

    (void)state;
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    for (size_t n = 0; n <= sizeof all; n++) {
        buf_clear(&text);
        buf_clear(&back);
        assert_ok(base64_encode((struct bytes){ all, n }, &text));
        assert_int_equal(text.len, BASE64_CHARS(n));
        assert_ok(base64_decode(buf_bytes(&text), &back));
        assert_true(bytes_equal(buf_bytes(&back), (struct bytes){ all, n }));
    }
}

static void a_second_spelling_is_refused(void **state)
{
    static const char *const bad[] = { "Zg==", "Zh",   "Zm9", "Z",   "Zm9vY",
                                       "Zm+v", "Zm/v", " Zg", "Zg\n" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(buf_done) struct buf b = { .max = 64 };
        assert_ok(buf_string(&b, "kept"));
        assert_err(base64_decode(bytes_of_string(bad[i]), &b), ERR_PROTO);
        assert_int_equal(b.len, 4);
    }
}

static void the_bound_of_the_buffer_holds(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 3 };

    (void)state;
    assert_err(base64_encode(BYTES_LIT("abc"), &b), ERR_LIMIT);
    assert_ok(base64_encode(BYTES_LIT("ab"), &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_standard_hold),
        cmocka_unit_test(every_octet_comes_back),
        cmocka_unit_test(a_second_spelling_is_refused),
        cmocka_unit_test(the_bound_of_the_buffer_holds),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
