/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "cli/run.h"
#include "lib/base/file.h"
#include "lib/wire/json_read.h"

#define SERVICES 5

static const char *const services[SERVICES] = { "kvs", "sql", "collector", "authenticator",
                                                "aggregator" };

struct path_bench {
    char command[4096];
    char dir[64];
    int pids[SERVICES];
    double cpu_before[SERVICES];
};

/* meterseal VERB ... --dir DIR; what it printed is appended to `out`. */
static err command(const struct path_bench *b, const char *const *args, struct buf *out,
                   struct run_result *result)
{
    const char *all[16] = { b->command };
    size_t n = 1;

    for (; args[n - 1] != NULL && n < 13; n++) {
        all[n] = args[n - 1];
    }
    all[n++] = "--dir";
    all[n] = b->dir;
    TRY(run_capture(all, out, result));
    if (result->status != 0) {
        FAIL(ERR_IO, "meterseal %s ended with status %d", args[0], result->status);
    }
    return OK;
}

static err read_pid(const struct path_bench *b, const char *service, int *out)
{
    AUTO(buf_done) struct buf text = { .max = 64 };
    char path[160];
    uint64_t pid;

    snprintf(path, sizeof path, "%s/run/%s.pid", b->dir, service);
    TRY(file_read(path, &text));
    TRY(decimal_parse((struct bytes){ text.ptr, text.len - 1 }, INT32_MAX, &pid));
    *out = (int)pid;
    return OK;
}

static err start(struct path_bench *b, const char *meters)
{
    AUTO(buf_done) struct buf out = { .max = RUN_OUTPUT_BYTES_MAX };
    struct run_result result;
    const char *init[] = { "init", "--first-port", "auto", NULL };
    const char *up[] = { "up", NULL };
    const char *enrol[] = { "meter", "enrol", "--count", meters, NULL };

    TRY(bench_program("meterseal", b->command, sizeof b->command));
    snprintf(b->dir, sizeof b->dir, "/tmp/meterseal-bench-XXXXXX");
    if (mkdtemp(b->dir) == NULL) {
        FAIL(ERR_IO, "cannot make a directory below /tmp");
    }
    TRY(command(b, init, &out, &result));
    TRY(command(b, up, &out, &result));
    TRY(command(b, enrol, &out, &result));
    for (size_t i = 0; i < SERVICES; i++) {
        TRY(read_pid(b, services[i], &b->pids[i]));
        b->cpu_before[i] = bench_cpu_us(b->pids[i]);
    }
    return OK;
}

static void add_process(struct bench_report *r, const char *name, double cpu_us, double readings,
                        double rss)
{
    struct bench_result result = { .value = cpu_us / readings, .unit = "us/reading",
                                   .cpu_us = cpu_us / readings, .rss_bytes = rss };

    snprintf(result.name, sizeof result.name, "process/%s", name);
    bench_add(r, result);
}

static err measure(struct path_bench *b, const char *meters, const char *days,
                   struct bench_report *r)
{
    AUTO(buf_done) struct buf out = { .max = RUN_OUTPUT_BYTES_MAX };
    AUTO(json_freep) json_t *report = NULL;
    struct run_result fleet;
    int64_t readings;
    const char *args[] = { "meter", "fleet", "--count", meters, "--days", days, "--json", NULL };

    TRY(command(b, args, &out, &fleet));
    TRY(json_read(buf_bytes(&out), RUN_OUTPUT_BYTES_MAX, 8, &report));
    double seconds = json_number_value(json_object_get(report, "seconds"));
    TRY(json_field_int(report, "acknowledged", 1, INT64_MAX, &readings));

    double total = (double)fleet.cpu_us;
    double largest = 0;
    double count = (double)readings;
    for (size_t i = 0; i < SERVICES; i++) {
        double cpu = bench_cpu_us(b->pids[i]) - b->cpu_before[i];
        double rss = bench_rss_peak(b->pids[i]);
        total += cpu;
        largest = rss > largest ? rss : largest;
        add_process(r, services[i], cpu, count, rss);
    }
    add_process(r, "fleet", (double)fleet.cpu_us, count, (double)fleet.rss_bytes);
    bench_add(r, (struct bench_result){ .name = "readings", .value = count / seconds, .unit = "1/s",
                                        .cpu_us = total / count, .rss_bytes = largest });
    return OK;
}

err bench_path(bool quick, struct bench_report *r)
{
    AUTO(buf_done) struct buf out = { .max = RUN_OUTPUT_BYTES_MAX };
    struct path_bench b = { .dir = "" };
    struct run_result result;
    const char *down[] = { "down", NULL };
    const char *meters = quick ? "100" : "500";
    const char *days = quick ? "14" : "35";

    err e = start(&b, meters);
    if (!e.code) {
        e = measure(&b, meters, days, r);
    }
    if (b.dir[0] != '\0') {
        char kept[512];
        snprintf(kept, sizeof kept, "%s", err_text());
        err stopped = command(&b, down, &out, &result);
        (void)stopped;
        file_remove_all(b.dir);
        err_set(__FILE__, __LINE__, "%s", kept);
    }
    return e;
}
