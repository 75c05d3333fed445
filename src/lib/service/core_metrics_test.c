/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <string.h>

#include "lib/service/core_metrics.h"

static const char *count_text(unsigned i)
{
    static const char *const texts[] = { "read", "written" };

    return texts[i];
}

static bool metrics_contain(const char *line)
{
    AUTO(buf_done) struct buf text = { .max = 1 << 20 };

    assert_ok(metrics_write(&text));
    assert_ok(buf_u8(&text, 0));
    return strstr((const char *)text.ptr, line) != NULL;
}

static void counts_have_names_of_their_own_without_a_label(void **state)
{
    static const uint64_t values[] = { 3, 4 };
    struct core_metrics *m;

    (void)state;
    assert_ok(core_metrics_new("test_plain", NULL, "plain", 2, count_text, &m));
    core_metrics_set(m, values);
    assert_true(metrics_contain("\ntest_plain_read_total 3\n"));
    assert_true(metrics_contain("\ntest_plain_written_total 4\n"));
}

static void counts_share_a_name_with_a_label(void **state)
{
    static const uint64_t values[] = { 5, 6 };
    struct core_metrics *m;

    (void)state;
    assert_ok(core_metrics_new("test_refused", "reason", "refused", 2, count_text, &m));
    core_metrics_set(m, values);
    assert_true(metrics_contain("\ntest_refused_total{reason=\"read\"} 5\n"));
    assert_true(metrics_contain("\ntest_refused_total{reason=\"written\"} 6\n"));
}

static void without_memory_nothing_is_registered(void **state)
{
    struct core_metrics *m = NULL;

    (void)state;
    mem_fail_after(0);
    assert_err(core_metrics_new("test_none", NULL, "none", 2, count_text, &m), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(m);
    assert_false(metrics_contain("test_none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_have_names_of_their_own_without_a_label),
        cmocka_unit_test(counts_share_a_name_with_a_label),
        cmocka_unit_test(without_memory_nothing_is_registered),
    };
    return cmocka_run_group_tests_name("core_metrics", tests, NULL, NULL);
}
