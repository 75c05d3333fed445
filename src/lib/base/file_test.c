/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/test.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s/meterseal_file_test_XXXXXX", P_tmpdir);
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* fails when a test has left something behind */
}

/* A path in the test's directory; up to four live at a time. */
static const char *in_dir(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *at = paths[next++ % 4];

    snprintf(at, PATH_MAX, "%s/%s", dir, name);
    return at;
}

static void what_is_written_is_read(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };
    const char *path = in_dir("a");

    (void)state;
    assert_ok(file_write(path, BYTES_LIT("hello"), 0644));
    assert_ok(buf_string(&b, "> "));
    assert_ok(file_read(path, &b));
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("> hello")));
    unlink(path);
}

static void writing_again_replaces_the_whole_file(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };
    const char *path = in_dir("a");

    (void)state;
    assert_ok(file_write(path, BYTES_LIT("a long text"), 0644));
    assert_ok(file_write(path, BYTES_LIT("short"), 0644));
    assert_ok(file_read(path, &b));
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("short")));
    assert_ok(file_write(path, (struct bytes){ 0 }, 0644));
    buf_clear(&b);
    assert_ok(file_read(path, &b));
    assert_int_equal(b.len, 0);
    unlink(path);
}

static void a_secret_file_is_only_for_its_owner(void **state)
{
    const char *path = in_dir("key");
    char left_behind[PATH_MAX];
    struct stat st;

    (void)state;
    /* Even when a crash of a process of the same number left an open one beside it. */
    snprintf(left_behind, sizeof left_behind, "%s.new.%ld", in_dir("key"), (long)getpid());
    FILE *f = fopen(left_behind, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(left_behind, 0666), 0);
    assert_ok(file_write(path, BYTES_LIT("secret"), 0600));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(path);
}

static void an_absent_file_is_missing(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };

    (void)state;
    assert_err(file_read(in_dir("nothing"), &b), ERR_MISSING);
    assert_non_null(strstr(err_text(), "nothing"));
}

static void a_file_past_the_bound_is_refused_and_leaves_nothing(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 10000 };
    const char *path = in_dir("a");
    static uint8_t large[10001];

    (void)state;
    assert_ok(file_write(path, BYTES_OF(large), 0644));
    assert_err(file_read(path, &b), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    assert_non_null(strstr(err_text(), path));
    assert_ok(file_write(path, (struct bytes){ large, 10000 }, 0644));
    assert_ok(file_read(path, &b));
    assert_int_equal(b.len, 10000);
    unlink(path);
}

static void a_directory_is_no_file(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };

    (void)state;
    assert_err(file_read(dir, &b), ERR_IO);
    assert_err(file_write(dir, BYTES_LIT("x"), 0644), ERR_IO); /* and nothing stays beside it */
}

static void writing_where_no_directory_is_fails(void **state)
{
    (void)state;
    assert_err(file_write(in_dir("no/such/file"), BYTES_LIT("x"), 0644), ERR_IO);
}

static void a_path_too_long_is_refused(void **state)
{
    static char path[PATH_MAX + 10];

    (void)state;
    memset(path, 'a', sizeof path - 1);
    assert_err(file_write(path, BYTES_LIT("x"), 0644), ERR_LIMIT);
    assert_err(file_make_dirs(path, 0755), ERR_LIMIT);
}

static void directories_are_made_with_those_above(void **state)
{
    struct stat st;

    (void)state;
    assert_ok(file_make_dirs(in_dir("a/b/c"), 0700));
    assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_ok(file_make_dirs(in_dir("a/b/c"), 0700)); /* again */
    assert_ok(file_make_dirs(in_dir("a//b/c/"), 0700));
    assert_ok(file_make_dirs("/", 0700));
    rmdir(in_dir("a/b/c"));
    rmdir(in_dir("a/b"));
    rmdir(in_dir("a"));
}

static void a_file_in_the_place_of_a_directory_is_refused(void **state)
{
    const char *path = in_dir("a");

    (void)state;
    assert_ok(file_write(path, BYTES_LIT("x"), 0644));
    assert_err(file_make_dirs(path, 0755), ERR_IO);
    assert_err(file_make_dirs(in_dir("a/b"), 0755), ERR_IO);
    assert_err(file_make_dirs("", 0755), ERR_IO);
    unlink(path);
}

static void a_secret_that_others_may_use_is_not_read(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 100 };
    const char *path = in_dir("a");

    (void)state;
    assert_ok(file_write(path, BYTES_LIT("x"), 0600));
    assert_ok(file_read_private(path, &b));
    assert_int_equal(chmod(path, 0640), 0);
    assert_err(file_read_private(path, &b), ERR_AUTH);
    assert_non_null(strstr(err_text(), "chmod 600"));
    assert_int_equal(chmod(path, 0601), 0);
    assert_err(file_check_private(path), ERR_AUTH);
    assert_int_equal(b.len, 1);
    unlink(path);
    assert_err(file_check_private(path), ERR_MISSING);
    assert_err(file_check_private(in_dir("a/b")), ERR_MISSING);
}

static void a_joined_path_fits_or_is_refused(void **state)
{
    static char name[PATH_MAX];
    char path[PATH_MAX];

    (void)state;
    assert_ok(file_join("a", "b/c", path));
    assert_string_equal(path, "a/b/c");
    memset(name, 'n', PATH_MAX - 3);
    assert_ok(file_join("a", name, path));
    assert_int_equal(strlen(path), PATH_MAX - 1);
    name[PATH_MAX - 3] = 'n';
    assert_err(file_join("a", name, path), ERR_LIMIT);
}

static void a_tree_is_removed_and_what_its_links_lead_to_stays(void **state)
{
    (void)state;
    assert_ok(file_make_dirs(in_dir("tree/b/c"), 0700));
    assert_ok(file_write(in_dir("tree/b/file"), BYTES_LIT("x"), 0600));
    assert_ok(file_write(in_dir("stays"), BYTES_LIT("x"), 0600));
    assert_int_equal(symlink(dir, in_dir("tree/link")), 0);
    file_remove_all(in_dir("tree"));
    assert_int_equal(access(in_dir("tree"), F_OK), -1);
    assert_int_equal(access(in_dir("stays"), F_OK), 0);
    file_remove_all(in_dir("stays"));
    assert_int_equal(access(in_dir("stays"), F_OK), -1);
    file_remove_all(in_dir("stays")); /* nothing there is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(writing_again_replaces_the_whole_file),
        cmocka_unit_test(a_secret_file_is_only_for_its_owner),
        cmocka_unit_test(an_absent_file_is_missing),
        cmocka_unit_test(a_file_past_the_bound_is_refused_and_leaves_nothing),
        cmocka_unit_test(a_directory_is_no_file),
        cmocka_unit_test(writing_where_no_directory_is_fails),
        cmocka_unit_test(a_path_too_long_is_refused),
        cmocka_unit_test(directories_are_made_with_those_above),
        cmocka_unit_test(a_file_in_the_place_of_a_directory_is_refused),
        cmocka_unit_test(a_secret_that_others_may_use_is_not_read),
        cmocka_unit_test(a_joined_path_fits_or_is_refused),
        cmocka_unit_test(a_tree_is_removed_and_what_its_links_lead_to_stays),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
