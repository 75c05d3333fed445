/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/service/metrics.h"

static struct metric replayed = { .kind = METRIC_COUNTER, .name = "test_refused_total",
                                  .label = "reason=\"replay\"", .help = "refused" };
static struct metric late = { .kind = METRIC_COUNTER, .name = "test_refused_total",
                              .label = "reason=\"late\"", .help = "refused" };
static struct metric meters = { .kind = METRIC_GAUGE, .name = "test_meters", .help = "meters" };
static struct metric took = { .kind = METRIC_HISTOGRAM, .name = "test_ack_seconds", .help = "ack" };

static const char *written(void)
{
    static struct buf b = { .max = 1u << 20 };

    buf_clear(&b);
    assert_ok(metrics_write(&b));
    assert_ok(buf_u8(&b, 0));
    return (const char *)b.ptr;
}

static void metrics_of_one_name_stand_together(void **state)
{
    (void)state;
    metric_register(&replayed);
    metric_register(&meters);
    metric_register(&late);
    metric_register(&took);
    metric_add(&replayed, 2);
    metric_add(&replayed, 1);
    metric_set(&meters, 65000);
    assert_non_null(strstr(written(), "# HELP test_refused_total refused\n"
                                      "# TYPE test_refused_total counter\n"
                                      "test_refused_total{reason=\"replay\"} 3\n"
                                      "test_refused_total{reason=\"late\"} 0\n"));
    assert_non_null(strstr(written(), "# TYPE test_meters gauge\ntest_meters 65000\n"));
}

static void a_histogram_counts_upwards_in_seconds(void **state)
{
    (void)state;
    metric_observe_us(&took, 0);
    metric_observe_us(&took, 64);
    metric_observe_us(&took, 65);
    metric_observe_us(&took, 10000000);
    const char *text = written();
    assert_non_null(strstr(text, "# TYPE test_ack_seconds histogram\n"
                                 "test_ack_seconds_bucket{le=\"0.000064\"} 2\n"
                                 "test_ack_seconds_bucket{le=\"0.000128\"} 3\n"));
    assert_non_null(strstr(text, "test_ack_seconds_bucket{le=\"2.097152\"} 3\n"
                                 "test_ack_seconds_bucket{le=\"+Inf\"} 4\n"
                                 "test_ack_seconds_sum 10.000129\n"
                                 "test_ack_seconds_count 4\n"));
}

static void the_process_is_told_too(void **state)
{
    const char *text = written();

    (void)state;
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(text, "\nprocess_open_fds "));
}

static void *count_up(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        metric_add(arg, 1);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    pthread_t threads[4];

    (void)state;
    metric_set(&late, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &late), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&late.value), 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_one_name_stand_together),
        cmocka_unit_test(a_histogram_counts_upwards_in_seconds),
        cmocka_unit_test(the_process_is_told_too),
        cmocka_unit_test(threads_count_together),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
