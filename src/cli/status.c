/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/health.h"
#include "cli/supervisor.h"
#include "lib/wire/json_write.h"

#define STATUS_BYTES_MAX (64u << 10)

static const char usage[] =
    "usage: meterseal status [--dir DIR] [--json]\n\n"
    "Exit status 0 when every service is ready, 1 otherwise.\n";

struct status {
    struct place place;
    int supervisor; /* pid, 0 = not up */
    struct service_health health[INSTALLED_COUNT];
    bool ready;
};

static err status_take(const char *dir, struct status *out)
{
    struct status s = { .ready = true };

    TRY(place_open(dir, &s.place));
    if (supervisor_pid(&s.place, &s.supervisor).code) {
        s.supervisor = 0;
    }
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        s.health[i] = health_of(&s.place, &installed_services[i]);
        s.ready = s.ready && s.health[i].ready;
    }
    *out = s;
    return OK;
}

static const char *state_word(const struct service_health *h)
{
    if (h->ready) {
        return "ready";
    }
    return h->alive ? "starting" : "down";
}

static void print_table(const struct status *s)
{
    printf("%s: %s", s->place.dir, s->supervisor > 0 ? "up" : "down");
    if (s->supervisor > 0) {
        printf(", supervisor pid %d", s->supervisor);
    }
    printf("\n%-14s %-9s %-7s %-22s %s\n", "service", "state", "pid", "address", "");
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        const struct service_health *h = &s->health[i];
        const struct installed_service *service = &installed_services[i];
        printf("%-14s %-9s %-7d %-22s %s\n", service->name, state_word(h), h->pid,
               place_address(&s->place, service->port).text, h->ready ? service->help : h->reason);
    }
    printf("INSECURE: attestation is simulated (tee: sim); for development only\n");
}

static void write_service(struct json_writer *w, const struct status *s, size_t i)
{
    const struct service_health *h = &s->health[i];

    json_write_object(w);
    json_write_key(w, "name");
    json_write_string(w, installed_services[i].name);
    json_write_key(w, "state");
    json_write_string(w, state_word(h));
    json_write_key(w, "pid");
    json_write_int(w, h->pid);
    json_write_key(w, "address");
    json_write_string(w, place_address(&s->place, installed_services[i].port).text);
    json_write_key(w, "health");
    json_write_string(w, place_address(&s->place, PLACE_HEALTH + installed_services[i].port).text);
    json_write_key(w, "reason");
    json_write_string(w, h->reason);
    json_write_object_end(w);
}

static err print_json(const struct status *s)
{
    AUTO(buf_done) struct buf out = { .max = STATUS_BYTES_MAX };
    struct json_writer w;

    json_write_begin(&w, &out);
    json_write_object(&w);
    json_write_key(&w, "dir");
    json_write_string(&w, s->place.dir);
    json_write_key(&w, "up");
    json_write_bool(&w, s->supervisor > 0);
    json_write_key(&w, "supervisor");
    json_write_int(&w, s->supervisor);
    json_write_key(&w, "ready");
    json_write_bool(&w, s->ready);
    json_write_key(&w, "tee");
    json_write_string(&w, "sim");
    json_write_key(&w, "secure");
    json_write_bool(&w, false);
    json_write_key(&w, "services");
    json_write_array(&w);
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        write_service(&w, s, i);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    printf("%.*s\n", (int)out.len, (const char *)out.ptr);
    return OK;
}

int verb_status(int argc, char **argv)
{
    struct options o;
    struct status s;
    int count;

    err e = cli_options(argc, argv, NULL, 0, &o, &count);
    if (e.code || count > 0) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(usage);
    }
    if (o.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    e = status_take(o.dir, &s);
    if (!e.code && o.json) {
        e = print_json(&s);
    } else if (!e.code) {
        print_table(&s);
    }
    if (e.code) {
        return cli_fail(e);
    }
    return s.ready ? EXIT_DONE : EXIT_FAILED;
}
