/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/file.h"

#define BUCKET_FIRST_US 64

static struct metric *first;

/* Metrics of one name stand together: the format wants their HELP and TYPE once. */
void metric_register(struct metric *m)
{
    struct metric **at = &first;

    for (struct metric **p = &first; *p != NULL; p = &(*p)->next) {
        assert(*p != m);
        if (strcmp((*p)->name, m->name) == 0) {
            assert((*p)->kind == m->kind);
            at = &(*p)->next;
        }
    }
    m->next = *at;
    *at = m;
}

void metric_add(struct metric *m, uint64_t v)
{
    atomic_fetch_add_explicit(&m->value, v, memory_order_relaxed);
}

void metric_set(struct metric *m, uint64_t v)
{
    atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, uint64_t us)
{
    size_t i = 0;

    while (i < METRIC_BUCKETS && us > (uint64_t)BUCKET_FIRST_US << i) {
        i++;
    }
    atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value, us, memory_order_relaxed);
}

/* ---- text ---- */

static uint64_t load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static err write_labels(const struct metric *m, struct buf *out)
{
    return m->label != NULL ? buf_printf(out, "{%s}", m->label) : OK;
}

static err write_seconds(uint64_t us, struct buf *out)
{
    return buf_printf(out, "%llu.%06llu", (unsigned long long)(us / 1000000),
                      (unsigned long long)(us % 1000000));
}

static err write_bucket(const struct metric *m, size_t i, uint64_t count, struct buf *out)
{
    TRY(buf_printf(out, "%s_bucket{%s%sle=\"", m->name, m->label != NULL ? m->label : "",
                   m->label != NULL ? "," : ""));
    if (i == METRIC_BUCKETS) {
        TRY(buf_string(out, "+Inf"));
    } else {
        TRY(write_seconds((uint64_t)BUCKET_FIRST_US << i, out));
    }
    return buf_printf(out, "\"} %llu\n", (unsigned long long)count);
}

static err write_histogram(const struct metric *m, struct buf *out)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
        count += load(&m->buckets[i]);
        TRY(write_bucket(m, i, count, out));
    }
    TRY(buf_printf(out, "%s_sum", m->name));
    TRY(write_labels(m, out));
    TRY(buf_string(out, " "));
    TRY(write_seconds(load(&m->value), out));
    TRY(buf_printf(out, "\n%s_count", m->name));
    TRY(write_labels(m, out));
    return buf_printf(out, " %llu\n", (unsigned long long)count);
}

static err write_head(const char *name, const char *kind, const char *help, struct buf *out)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static err write_metric(const struct metric *m, struct buf *out)
{
    if (m->kind == METRIC_HISTOGRAM) {
        return write_histogram(m, out);
    }
    TRY(buf_string(out, m->name));
    TRY(write_labels(m, out));
    return buf_printf(out, " %llu\n", (unsigned long long)load(&m->value));
}

/* ---- the process ---- */

static uint64_t cpu_us(void)
{
    struct rusage r;

    if (getrusage(RUSAGE_SELF, &r) != 0) {
        return 0;
    }
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* The second number of /proc/self/statm, in pages. */
static bool resident_bytes(uint64_t *out)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };

    if (file_read("/proc/self/statm", &text).code || text.len == 0) {
        return false;
    }
    const uint8_t *blank = memchr(text.ptr, ' ', text.len);
    if (blank == NULL) {
        return false;
    }
    size_t at = (size_t)(blank - text.ptr) + 1;
    const uint8_t *end = memchr(text.ptr + at, ' ', text.len - at);
    uint64_t pages;
    if (end == NULL || decimal_parse((struct bytes){ text.ptr + at, (size_t)(end - text.ptr) - at },
                                     UINT64_MAX / 65536, &pages).code) {
        return false;
    }
    *out = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static uint64_t descriptor_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    return count > 0 ? count - 1 : 0; /* without the directory's own */
}

static err write_process(struct buf *out)
{
    uint64_t resident;

    TRY(write_head("process_cpu_seconds_total", "counter", "CPU time, user and system", out));
    TRY(buf_string(out, "process_cpu_seconds_total "));
    TRY(write_seconds(cpu_us(), out));
    TRY(buf_string(out, "\n"));
    if (resident_bytes(&resident)) {
        TRY(write_head("process_resident_memory_bytes", "gauge", "resident memory", out));
        TRY(buf_printf(out, "process_resident_memory_bytes %llu\n", (unsigned long long)resident));
    }
    TRY(write_head("process_open_fds", "gauge", "open descriptors", out));
    return buf_printf(out, "process_open_fds %llu\n", (unsigned long long)descriptor_count());
}

err metrics_write(struct buf *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    const char *name = "";

    for (const struct metric *m = first; m != NULL; m = m->next) {
        if (strcmp(m->name, name) != 0) {
            name = m->name;
            TRY(write_head(name, kinds[m->kind], m->help, out));
        }
        TRY(write_metric(m, out));
    }
    return write_process(out);
}
