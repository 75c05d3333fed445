/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/options.h"

#include <string.h>

#include "lib/base/test.h"

#define WORDS_MAX 8
#define WORD_BYTES_MAX 16

struct verb {
    bool loud;
    const char *dir;
    const char *count;
};

static err parse(struct verb *v, int argc, const char *const *words, char **argv, int *plain)
{
    const struct option_spec specs[] = {
        { "loud", &v->loud, NULL },
        { "dir", NULL, &v->dir },
        { "count", NULL, &v->count },
    };

    static char copies[WORDS_MAX][WORD_BYTES_MAX];

    for (int i = 0; i < argc; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        argv[i] = copies[i];
    }
    return options_parse(argc, argv, specs, OPTION_COUNT(specs), plain);
}

static void options_and_plain_arguments_may_mix(void **state)
{
    const char *const words[] = {
        "one", "--dir", "d", "two", "--count=7", "--loud", "--", "--dir"
    };
    char *argv[8];
    struct verb v = { 0 };
    int plain;

    (void)state;
    assert_ok(parse(&v, 8, words, argv, &plain));
    assert_int_equal(plain, 3);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "two");
    assert_string_equal(argv[2], "--dir");
    assert_string_equal(v.dir, "d");
    assert_string_equal(v.count, "7");
    assert_true(v.loud);
}

static void what_is_not_in_the_table_is_named_and_refused(void **state)
{
    static const char *const wrong[] = { "--louder", "--loud=1", "--dir", "-x" };
    char *argv[1];
    struct verb v = { 0 };
    int plain;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_err(parse(&v, 1, &wrong[i], argv, &plain), ERR_PROTO);
        assert_non_null(strstr(err_text(), "-"));
    }
}

static void numbers_keep_their_bounds(void **state)
{
    uint64_t u;
    int64_t n;

    (void)state;
    assert_ok(option_number("n", "10", 1, 10, &u));
    assert_int_equal(u, 10);
    assert_err(option_number("n", "11", 1, 10, &u), ERR_PROTO);
    assert_err(option_number("n", "0", 1, 10, &u), ERR_PROTO);
    assert_err(option_number("n", "-1", 0, 10, &u), ERR_PROTO);
    assert_err(option_number("n", "", 0, 10, &u), ERR_PROTO);
    assert_ok(option_signed("z", "-10800", -86400, 86400, &n));
    assert_int_equal(n, -10800);
    assert_err(option_signed("z", "-86401", -86400, 86400, &n), ERR_PROTO);
    assert_err(option_signed("z", "--1", -86400, 86400, &n), ERR_PROTO);
    assert_ok(option_time("from", "2018-01-01T03:00Z", &n));
    assert_int_equal(n, 1514775600);
    assert_err(option_time("from", "yesterday", &n), ERR_PROTO);
    assert_non_null(strstr(err_text(), "--from"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_plain_arguments_may_mix),
        cmocka_unit_test(what_is_not_in_the_table_is_named_and_refused),
        cmocka_unit_test(numbers_keep_their_bounds),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
