/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/folder.h"

#include "lib/base/test_dir.h"

static struct test_dir dir;

static int begin(void **state)
{
    (void)state;
    test_dir_begin(&dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_dir_end(&dir);
    return 0;
}

static void put(const char *name)
{
    assert_ok(file_write(test_dir_path(&dir, name), BYTES_LIT("x"), 0600));
}

static void names_come_sorted_without_the_directory_itself(void **state)
{
    AUTO(folder_done) struct folder f = { 0 };

    (void)state;
    put("b");
    put(".hidden");
    put("a");
    assert_ok(file_make_dirs(test_dir_path(&dir, "c/inside"), 0700));
    assert_ok(folder_read(dir.path, &f));
    assert_int_equal(f.count, 4);
    assert_string_equal(f.names[0], ".hidden");
    assert_string_equal(f.names[1], "a");
    assert_string_equal(f.names[2], "b");
    assert_string_equal(f.names[3], "c");
    assert_true(folder_has(&f, "c"));
    assert_false(folder_has(&f, "inside"));
}

static void an_empty_folder_has_no_names(void **state)
{
    AUTO(folder_done) struct folder f = { 0 };

    (void)state;
    assert_ok(folder_read(dir.path, &f));
    assert_int_equal(f.count, 0);
}

static void what_is_no_folder_is_told_from_what_is_absent(void **state)
{
    AUTO(folder_done) struct folder f = { 0 };

    (void)state;
    put("file");
    assert_err(folder_read(test_dir_path(&dir, "file"), &f), ERR_PROTO);
    assert_err(folder_read(test_dir_path(&dir, "absent"), &f), ERR_MISSING);
    assert_int_equal(f.count, 0);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 65; i++) {
        snprintf(name, sizeof name, "%03u", i);
        put(name);
    }
    EACH_FAILURE (n) {
        AUTO(folder_done) struct folder f = { 0 };
        err e = folder_read(dir.path, &f);
        if (!e.code) {
            assert_true(n > 1);
            assert_int_equal(f.count, 65);
            break;
        }
        assert_err(e, ERR_LIMIT);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_come_sorted_without_the_directory_itself, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_folder_has_no_names, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_folder_is_told_from_what_is_absent, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_allocation_is_an_error_not_a_crash, begin, end),
    };

    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
