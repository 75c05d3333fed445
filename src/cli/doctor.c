/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal doctor: looks for what commonly goes wrong and says the way out. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cli/cli.h"
#include "cli/health.h"
#include "cli/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/crypto/cert.h"
#include "lib/wire/json_write.h"

#define DESCRIPTORS_WANTED 4096
#define DISK_FREE_WANTED (1ull << 30)
#define CERTIFICATE_DAYS_WANTED 30
#define CLOCK_EARLIEST_S 1735689600 /* 2025-01-01: a clock before it was never set */
#define REPORT_BYTES_MAX (64u << 10)

static const char usage[] =
    "usage: meterseal doctor [--dir DIR] [--json]\n\n"
    "Checks clock, limits, disk, certificates, file modes and services of an installation.\n"
    "Exit status 0 when nothing is wrong.\n";

struct finding {
    const char *check;
    bool good;
    char text[256];
};

#define FINDINGS_MAX 64

struct report {
    struct finding findings[FINDINGS_MAX];
    size_t count;
    size_t bad;
};

static void note(struct report *r, const char *check, bool good, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void note(struct report *r, const char *check, bool good, const char *fmt, ...)
{
    va_list args;

    if (r->count == FINDINGS_MAX) {
        return;
    }
    struct finding *f = &r->findings[r->count++];
    f->check = check;
    f->good = good;
    r->bad += !good;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}

static void check_machine(struct report *r)
{
    struct rlimit files = { 0 };
    int64_t now_s = (int64_t)(time_utc_us() / US_PER_S);
    char now[TIME_TEXT_BYTES];

    time_format_s(now_s, now);
    note(r, "clock", now_s > CLOCK_EARLIEST_S, "%s%s", now,
         now_s > CLOCK_EARLIEST_S ? "" : " is in the past: set it (timedatectl set-ntp true)");
    getrlimit(RLIMIT_NOFILE, &files);
    note(r, "descriptors", files.rlim_max >= DESCRIPTORS_WANTED, "%llu allowed%s",
         (unsigned long long)files.rlim_max,
         files.rlim_max >= DESCRIPTORS_WANTED ? "" : ": raise the hard limit (ulimit -Hn 65536)");
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        struct place_path path;
        err e = cli_program(installed_services[i].name, &path);
        note(r, "program", !e.code, "%s", e.code ? err_text() : path.text);
    }
}

static void check_disk(struct report *r, const struct place *p)
{
    struct statvfs fs = { 0 };

    if (statvfs(p->dir, &fs) != 0) {
        note(r, "disk", false, "%s: %s", p->dir, strerror(errno));
        return;
    }
    unsigned long long free_bytes = (unsigned long long)fs.f_bavail * fs.f_frsize;
    note(r, "disk", free_bytes >= DISK_FREE_WANTED, "%llu MiB free%s", free_bytes >> 20,
         free_bytes >= DISK_FREE_WANTED ? "" : ": the store refuses writes when it runs full");
}

static void check_private(struct report *r, const struct place *p, const char *name)
{
    struct place_path path = place_path(p, "%s", name);
    struct stat st;

    if (stat(path.text, &st) != 0) {
        note(r, "secret", false, "%s: %s; make a new directory with meterseal init", name,
             strerror(errno));
        return;
    }
    bool private = (st.st_mode & 077) == 0;
    note(r, "secret", private, "%s%s", name,
         private ? " is readable by its owner only" : " is open to others: chmod 600");
}

static void cert_note(struct report *r, const char *name, const struct cert *c)
{
    int64_t from_s;
    int64_t to_s;
    int64_t now_s = (int64_t)(time_utc_us() / US_PER_S);
    char until[TIME_TEXT_BYTES];

    cert_validity(c, &from_s, &to_s);
    time_format_s(to_s, until);
    bool good = from_s <= now_s && to_s > now_s + CERTIFICATE_DAYS_WANTED * S_PER_DAY;
    note(r, "certificate", good, "%s is valid until %s%s", name, until,
         good ? "" : ": renew it, or check the clock");
}

static void check_certificate(struct report *r, const struct place *p, const char *name)
{
    AUTO(buf_done) struct buf pem = { .max = 65536 };
    AUTO(cert_freep) struct cert *c = NULL;

    err e = file_read(place_path(p, "pki/%s.crt", name).text, &pem);
    if (!e.code) {
        e = cert_from_pem(buf_bytes(&pem), &c);
    }
    if (e.code) {
        note(r, "certificate", false, "%s", err_text());
        return;
    }
    cert_note(r, name, c);
}

static void check_services(struct report *r, const struct place *p)
{
    int pid;

    if (supervisor_pid(p, &pid).code) {
        note(r, "services", true, "not up; start them with: meterseal up --dir %s", p->dir);
        return;
    }
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        struct service_health h = health_of(p, &installed_services[i]);
        note(r, "service", h.ready, "%s %s%s%s", installed_services[i].name,
             h.ready ? "is ready" : "is not ready: ", h.reason,
             h.ready ? "" : "; see its log below log/");
    }
}

static void check_place(struct report *r, const char *dir)
{
    struct place p;
    err e = place_open(dir, &p);

    note(r, "directory", !e.code, "%s", e.code ? err_text() : p.dir);
    if (e.code) {
        return;
    }
    check_disk(r, &p);
    check_private(r, &p, "secrets/root.key");
    check_private(r, &p, "pki/ca.key");
    check_private(r, &p, "pki/collector-session.key");
    check_certificate(r, &p, "ca");
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        check_certificate(r, &p, installed_services[i].name);
    }
    note(r, "attestation", true, "INSECURE: simulated (tee: sim), for development only");
    check_services(r, &p);
}

static err print_json(const struct report *r)
{
    AUTO(buf_done) struct buf out = { .max = REPORT_BYTES_MAX };
    struct json_writer w;

    json_write_begin(&w, &out);
    json_write_object(&w);
    json_write_key(&w, "good");
    json_write_bool(&w, r->bad == 0);
    json_write_key(&w, "findings");
    json_write_array(&w);
    for (size_t i = 0; i < r->count; i++) {
        json_write_object(&w);
        json_write_key(&w, "check");
        json_write_string(&w, r->findings[i].check);
        json_write_key(&w, "good");
        json_write_bool(&w, r->findings[i].good);
        json_write_key(&w, "text");
        json_write_string(&w, r->findings[i].text);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    printf("%.*s\n", (int)out.len, (const char *)out.ptr);
    return OK;
}

int verb_doctor(int argc, char **argv)
{
    static struct report r;
    struct options o;
    int count;

    err e = cli_options(argc, argv, NULL, 0, &o, &count);
    if (e.code || count > 0) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(usage);
    }
    if (o.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    check_machine(&r);
    check_place(&r, o.dir);
    if (o.json) {
        e = print_json(&r);
        return e.code ? cli_fail(e) : r.bad > 0;
    }
    for (size_t i = 0; i < r.count; i++) {
        printf("%-4s %-12s %s\n", r.findings[i].good ? "ok" : "BAD", r.findings[i].check,
               r.findings[i].text);
    }
    return r.bad > 0 ? EXIT_FAILED : EXIT_DONE;
}
