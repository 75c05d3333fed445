/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/test.h"

/* stderr goes to a file between these two. */
static FILE *caught;
static int kept_fd;
static char text[4096];

static void catch_start(void)
{
    caught = tmpfile();
    assert_non_null(caught);
    fflush(stderr);
    kept_fd = dup(STDERR_FILENO);
    assert_true(kept_fd >= 0);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static const char *catch_end(void)
{
    assert_true(dup2(kept_fd, STDERR_FILENO) >= 0);
    close(kept_fd);
    rewind(caught);
    size_t len = fread(text, 1, sizeof text - 1, caught);
    text[len] = '\0';
    fclose(caught);
    return text;
}

static int start(void **state)
{
    (void)state;
    log_start("test", LOG_INFO);
    return 0;
}

/* What stands behind the time: "ts=2025-11-22T15:00:00.000Z " has 28 octets. */
static const char *after_time(const char *line)
{
    assert_true(strlen(line) > 28);
    assert_int_equal(strncmp(line, "ts=", 3), 0);
    assert_int_equal(line[13], 'T');
    assert_int_equal(line[22], '.');
    assert_int_equal(line[26], 'Z');
    return line + 28;
}

static void a_line_has_time_level_service_and_event(void **state)
{
    (void)state;
    catch_start();
    LOG(LOG_WARN, "conn_refused", "reason", "limit", "count", log_num(-5), NULL);
    assert_string_equal(after_time(catch_end()),
                        "level=warn svc=test event=conn_refused reason=limit count=-5\n");
}

static void lines_below_the_lowest_level_are_not_written(void **state)
{
    (void)state;
    catch_start();
    LOG(LOG_DEBUG, "detail", NULL);
    LOG(LOG_INFO, "kept", NULL);
    assert_string_equal(after_time(catch_end()), "level=info svc=test event=kept\n");
}

static void outside_text_cannot_forge_a_line(void **state)
{
    (void)state;
    catch_start();
    LOG(LOG_INFO, "e", "a", "x\nts=1 level=error", "b", "say \"hi\" \\", "c", "", "d", NULL, "e",
        "a=b", "f", "\xc3\xa9\x7f", NULL);
    assert_string_equal(
        after_time(catch_end()),
        "level=info svc=test event=e a=\"x\\x0ats=1 level=error\" "
        "b=\"say \\\"hi\\\" \\\\\" c=\"\" d=\"\" e=\"a=b\" f=\"\\xc3\\xa9\\x7f\"\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    char large[3000];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    catch_start();
    LOG(LOG_INFO, "e", "a", large, "b", large, NULL);
    const char *line = catch_end();
    assert_int_equal(strlen(line), 1024);
    assert_int_equal(line[1023], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + 1023);
}

static err fail_once(void)
{
    FAIL(ERR_LIMIT, "queue is full");
}

static void an_error_is_logged_with_code_text_and_place(void **state)
{
    (void)state;
    err e = fail_once();
    catch_start();
    log_error(LOG_ERROR, "push_failed", e);
    const char *rest = after_time(catch_end());
    assert_non_null(strstr(rest, "level=error svc=test event=push_failed code=limit "
                                 "error=\"queue is full\" at=log_test.c:"));
}

static void sixteen_numbers_live_side_by_side(void **state)
{
    const char *texts[16];

    (void)state;
    for (int i = 0; i < 16; i++) {
        texts[i] = log_num(INT64_MIN + i);
    }
    assert_string_equal(texts[0], "-9223372036854775808");
    assert_string_equal(texts[15], "-9223372036854775793");
}

static void one_line_a_period_and_the_rest_is_counted(void **state)
{
    struct log_limit l = { 0 };

    (void)state;
    assert_true(log_allowed(&l, 100, 60));
    assert_false(log_allowed(&l, 100, 60));
    assert_false(log_allowed(&l, 159, 60));
    assert_int_equal(l.suppressed, 2);
    assert_true(log_allowed(&l, 160, 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_service_and_event),
        cmocka_unit_test(lines_below_the_lowest_level_are_not_written),
        cmocka_unit_test(outside_text_cannot_forge_a_line),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(an_error_is_logged_with_code_text_and_place),
        cmocka_unit_test(sixteen_numbers_live_side_by_side),
        cmocka_unit_test(one_line_a_period_and_the_rest_is_counted),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
