/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal bench NAME [--quick] [--json] */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/base/options.h"
#include "lib/wire/json_write.h"

#define REPORT_BYTES_MAX (256u << 10)

static const char usage[] =
    "usage: meterseal bench NAME [--quick] [--json]\n\n"
    "  path   readings a second from meter to durable row; CPU and memory of each process\n"
    "  idle   memory of an idle TLS connection, CPU time of a small GET\n\n"
    "--quick takes under a minute.\n";

static const struct {
    const char *name;
    err (*run)(bool quick, struct bench_report *r);
} benches[] = {
    { "path", bench_path },
    { "idle", bench_idle },
};

void bench_add(struct bench_report *r, struct bench_result result)
{
    if (r->count < BENCH_RESULTS_MAX) {
        r->results[r->count++] = result;
    }
}

/* .../libexec/meterseal/bench -> .../bin/meterseal or .../libexec/meterseal/NAME */
err bench_program(const char *name, char *out, unsigned long size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    bool command = strcmp(name, "meterseal") == 0;

    if (n <= 0) {
        FAIL(ERR_IO, "cannot find the folder of this program");
    }
    self[n] = '\0';
    const char *folder = dirname(self);
    snprintf(out, size, "%s/%s%s", folder, command ? "../../bin/" : "", name);
    if (access(out, X_OK) != 0) {
        FAIL(ERR_MISSING, "%s: not installed; build it with ./setup build", out);
    }
    return OK;
}

static void line_of(const char *path, const char *key, char *out, size_t size)
{
    char line[256];
    FILE *f = fopen(path, "r");

    snprintf(out, size, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) == 0 && colon != NULL) {
            colon += strspn(colon, ": \t");
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(out, size, "%s", colon);
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

static void write_machine(struct json_writer *w)
{
    char text[256];
    struct utsname u;

    uname(&u);
    json_write_key(w, "machine");
    json_write_object(w);
    line_of("/proc/cpuinfo", "model name", text, sizeof text);
    json_write_key(w, "cpu");
    json_write_string(w, text);
    json_write_key(w, "cores");
    json_write_int(w, sysconf(_SC_NPROCESSORS_ONLN));
    line_of("/proc/meminfo", "MemTotal", text, sizeof text);
    json_write_key(w, "memory");
    json_write_string(w, text);
    json_write_key(w, "system");
    json_write_string(w, u.release);
    json_write_object_end(w);
}

static void write_figure(struct json_writer *w, const char *key, double v)
{
    json_write_key(w, key);
    if (v < 0) {
        json_write_null(w);
    } else {
        json_write_number(w, v);
    }
}

static void write_result(struct json_writer *w, const struct bench_result *result)
{
    json_write_object(w);
    json_write_key(w, "name");
    json_write_string(w, result->name);
    json_write_key(w, "value");
    json_write_number(w, result->value);
    json_write_key(w, "unit");
    json_write_string(w, result->unit);
    write_figure(w, "cpu_us", result->cpu_us);
    write_figure(w, "rss_bytes", result->rss_bytes);
    json_write_key(w, "peers");
    json_write_object(w);
    json_write_object_end(w);
    json_write_object_end(w);
}

static err print_json(const struct bench_report *r)
{
    AUTO(buf_done) struct buf out = { .max = REPORT_BYTES_MAX };
    struct json_writer w;

    json_write_begin(&w, &out);
    json_write_object(&w);
    json_write_key(&w, "bench");
    json_write_string(&w, r->bench);
    write_machine(&w);
    json_write_key(&w, "results");
    json_write_array(&w);
    for (unsigned i = 0; i < r->count; i++) {
        write_result(&w, &r->results[i]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    printf("%.*s\n", (int)out.len, (const char *)out.ptr);
    return OK;
}

static void print_table(const struct bench_report *r)
{
    printf("%-24s %14s %-10s %12s %12s\n", r->bench, "value", "unit", "CPU us", "RSS MiB");
    for (unsigned i = 0; i < r->count; i++) {
        const struct bench_result *b = &r->results[i];
        printf("%-24s %14.1f %-10s", b->name, b->value, b->unit);
        b->cpu_us < 0 ? printf(" %12s", "") : printf(" %12.2f", b->cpu_us);
        b->rss_bytes < 0 ? printf(" %12s", "") : printf(" %12.1f", b->rss_bytes / 1048576);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    bool quick = false, json = false, help = false;
    const struct option_spec specs[] = {
        { "quick", &quick, NULL }, { "json", &json, NULL }, { "help", &help, NULL },
    };
    static struct bench_report report;
    int plain;

    err e = options_parse(argc - 1, argv + 1, specs, OPTION_COUNT(specs), &plain);
    if (e.code) {
        fprintf(stderr, "meterseal bench: %s\n", err_text());
        return 2;
    }
    if (help) {
        printf("%s", usage);
        return 0;
    }
    for (size_t i = 0; plain == 1 && i < sizeof benches / sizeof benches[0]; i++) {
        if (strcmp(argv[1], benches[i].name) != 0) {
            continue;
        }
        report.bench = benches[i].name;
        e = benches[i].run(quick, &report);
        if (!e.code && json) {
            e = print_json(&report);
        } else if (!e.code) {
            print_table(&report);
        }
        if (e.code) {
            fprintf(stderr, "meterseal bench: %s\n", err_text());
        }
        return e.code ? 1 : 0;
    }
    fprintf(stderr, "%s", usage);
    return 2;
}
