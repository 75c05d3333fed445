/* SPDX-License-Identifier: Apache-2.0 */
/* meter enrol | fleet | replay: simulated meters for an installation. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/meter/enrol.h"
#include "edge/meter/simulate.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/options.h"
#include "lib/service/place.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

#define GIVE_UP_DEFAULT_S 300

static const char usage_all[] =
    "usage: meterseal meter enrol|fleet|replay [--dir DIR] ...\n"
    "  enrol   makes keys and registers of simulated meters\n"
    "  fleet   runs made-up customers, honest and thieves\n"
    "  replay  runs one meter of a real series from a CSV file\n"
    "meter VERB --help tells the options of a verb\n";

static const char usage_enrol[] =
    "usage: meterseal meter enrol --count N [options]\n"
    "  --dir DIR       installation made by meterseal init\n"
    "  --count N       meters, 1 to 1000000\n"
    "  --first SERIAL  serial number of the first, default 10000001\n"
    "  --class CLASS   mixed (default), home, shop, office, night_shift, steady, farm, school\n"
    "  --seed S        of the customers' character, default 1\n"
    "  --threads T     that make keys, default one a processor\n"
    "Meters that exist are left alone.\n";

static const char usage_fleet[] =
    "usage: meterseal meter fleet --count N --days D [options]\n"
    "  --dir DIR         installation made by meterseal init, with its services up\n"
    "  --count N         meters, 1 to 1000000; missing ones are enrolled\n"
    "  --days D          days to simulate, 1 to 3660\n"
    "  --end TIME        end of the last day, default the last midnight of the metering zone\n"
    "  --start TIME      or begin of the first; a date alone is midnight of the metering zone,\n"
    "                    a time YYYY-MM-DDTHH:MM[Z] is UTC\n"
    "  --first SERIAL, --class CLASS, --seed S, --threads T   as for enrol\n"
    "  --thieves K       K customers steal, attacks FDI1..FDI6, PHASE, NIGHT, PEAK in turn\n"
    "  --thief LIST      or these: SERIAL:ATTACK:FROM_DAY,... days count from 1\n"
    "  --theft-days T    the last T days are stolen (with --thieves), default half of D\n"
    "  --speed X         X times real time; default as fast as acknowledgements allow\n"
    "  --realtime        the days, then each interval as it ends, until stopped\n"
    "  --give-up S       fail after S seconds without any acknowledgement, default 300, 0 never\n"
    "  --json            one JSON object on stdout\n";

static const char usage_replay[] =
    "usage: meterseal meter replay --csv FILE [options]\n"
    "  --dir DIR         installation made by meterseal init, with its services up\n"
    "  --csv FILE        start,kwh,kvarh_lag,kvarh_lead or start,kw,kvar, every 15 minutes\n"
    "  --id SERIAL       serial number of the meter, default 20000001\n"
    "  --zone Z          of the stamps: seconds east of UTC, default -10800, or los_angeles\n"
    "  --columns LIST    names in the file: start=NAME,kwh=NAME,...\n"
    "  --give-up S       fail after S seconds without any acknowledgement, default 300, 0 never\n"
    "  --json            one JSON object on stdout\n";

/* --- options --- */

struct arguments { /* as given; NULL = not given */
    const char *dir, *count, *first, *class, *seed, *threads, *days, *start, *end, *thieves, *thief,
        *theft_days, *speed, *csv, *id, *zone, *columns, *give_up;
    bool realtime, json, help;
};

/* The option's value, or what holds without it. */
static err number(const char *name, const char *text, uint64_t fallback, uint64_t min, uint64_t max,
                  uint64_t *out)
{
    if (text == NULL) {
        *out = fallback;
        return OK;
    }
    return option_number(name, text, min, max, out);
}

static err needed(const char *name, const char *text)
{
    if (text == NULL) {
        FAIL(ERR_PROTO, "--%s is missing", name);
    }
    return OK;
}

/* A date alone is local midnight. */
static err moment(const char *name, const char *text, uint32_t *out)
{
    int64_t s;
    err e = time_parse(bytes_of_string(text), &s);

    if (e.code) {
        return err_context(e, "--%s %s", name, text);
    }
    s -= strlen(text) == strlen("YYYY-MM-DD") ? METER_ZONE_OFFSET_S : 0;
    s -= s % RECORD_INTERVAL_S;
    if (s < S_PER_DAY || s > UINT32_MAX - S_PER_DAY) {
        FAIL(ERR_PROTO, "--%s %s: outside 1970 to 2106", name, text);
    }
    *out = (uint32_t)s;
    return OK;
}

static uint32_t last_midnight(void)
{
    int64_t local = (int64_t)(time_utc_us() / US_PER_S) + METER_ZONE_OFFSET_S;

    return (uint32_t)(local - local % S_PER_DAY - METER_ZONE_OFFSET_S);
}

/* --- enrol --- */

struct customers { /* what enrol and fleet share */
    uint64_t count, first, seed, threads;
    enum profile_class class;
};

static err read_customers(const struct arguments *a, struct customers *out)
{
    struct customers c;

    TRY(needed("count", a->count));
    TRY(number("count", a->count, 0, 1, ENROL_COUNT_MAX, &c.count));
    TRY(number("first", a->first, FLEET_FIRST_SERIAL, 1, 99999999 - c.count, &c.first));
    TRY(number("seed", a->seed, 1, 0, UINT64_MAX, &c.seed));
    TRY(number("threads", a->threads, 0, 1, ENROL_THREADS_MAX, &c.threads));
    TRY(profile_class_parse(a->class != NULL ? a->class : "mixed", &c.class));
    *out = c;
    return OK;
}

static err enrol_run(const struct arguments *a, const struct customers *c)
{
    AUTO(mem_givep) struct profile_site *sites = mem_take(c->count * sizeof *sites);
    struct enrolled done = { 0 };
    struct place p;

    if (sites == NULL) {
        FAIL(ERR_LIMIT, "no memory for %llu meters", (unsigned long long)c->count);
    }
    for (size_t i = 0; i < c->count; i++) {
        sites[i] = profile_site(c->seed, meter_id_of_serial((uint32_t)(c->first + i)), c->class);
    }
    TRY(place_open(a->dir, &p));
    TRY(enrol(&p, sites, c->count, (unsigned)c->threads, &done));
    if (a->json) {
        printf("{\"verb\":\"enrol\",\"meters\":%llu,\"keys_made\":%zu,\"registered\":%zu}\n",
               (unsigned long long)c->count, done.keys_made, done.registered);
    } else {
        printf("%llu meters: keys made for %zu, %zu registered\n", (unsigned long long)c->count,
               done.keys_made, done.registered);
    }
    return OK;
}

/* --- verbs --- */

static int complain(err e)
{
    fprintf(stderr, "meterseal meter: %s\n", err_text());
    return e.code ? EXIT_FAILED : EXIT_DONE;
}

static int misuse(const char *usage)
{
    fprintf(stderr, "meterseal meter: %s\n%s", err_text(), usage);
    return EXIT_WRONG_USE;
}

static int verb_enrol(struct arguments *a, const char *usage)
{
    struct customers c;

    if (read_customers(a, &c).code) {
        return misuse(usage);
    }
    err e = enrol_run(a, &c);
    return e.code ? complain(e) : EXIT_DONE;
}

static err read_time(const struct arguments *a, struct fleet_options *o)
{
    uint32_t end_s = last_midnight();

    if (a->start != NULL && a->end != NULL) {
        FAIL(ERR_PROTO, "--start and --end together: --days says the rest");
    }
    if (a->realtime) {
        end_s = (uint32_t)(time_utc_us() / US_PER_S) / RECORD_INTERVAL_S * RECORD_INTERVAL_S;
    }
    if (a->end != NULL) {
        TRY(moment("end", a->end, &end_s));
    }
    if (end_s / S_PER_DAY <= o->days) {
        FAIL(ERR_PROTO, "--days %u: that many days before the end is before 1970", o->days);
    }
    o->start_s = end_s - o->days * S_PER_DAY;
    if (a->start != NULL) {
        TRY(moment("start", a->start, &o->start_s));
    }
    return OK;
}

static err read_pace(const struct arguments *a, struct fleet_options *o)
{
    uint64_t speed;

    TRY(number("speed", a->speed, 1, 1, 1000000, &speed));
    if (a->realtime && a->speed != NULL) {
        FAIL(ERR_PROTO, "--realtime and --speed do not go together");
    }
    if (a->realtime && (a->start != NULL || a->end != NULL)) {
        FAIL(ERR_PROTO, "--realtime ends now: no --start, no --end");
    }
    o->pace = a->realtime ? DRIVE_REALTIME : a->speed != NULL ? DRIVE_SPEED : DRIVE_FAST;
    o->speed = (double)speed;
    return OK;
}

static err read_thieves(const struct arguments *a, struct fleet_options *o)
{
    uint64_t count;
    uint64_t days;

    TRY(number("thieves", a->thieves, 0, 0, o->count < THIEVES_MAX ? o->count : THIEVES_MAX,
               &count));
    TRY(number("theft-days", a->theft_days, (o->days + 1) / 2, 1, o->days, &days));
    if (a->thieves != NULL && a->thief != NULL) {
        FAIL(ERR_PROTO, "--thieves and --thief do not go together");
    }
    o->thieves = mem_take(THIEVES_MAX * sizeof *o->thieves);
    if (o->thieves == NULL) {
        FAIL(ERR_LIMIT, "no memory for thieves");
    }
    if (a->thief != NULL) {
        return fleet_parse_thieves(a->thief, o->thieves, THIEVES_MAX, &o->thief_count);
    }
    o->thief_count = count;
    fleet_choose_thieves(o->seed, o->first_serial, o->count, o->days - (uint32_t)days + 1,
                         o->thieves, count);
    return OK;
}

static err read_fleet(const struct arguments *a, struct fleet_options *o)
{
    struct customers c;
    uint64_t days;
    uint64_t give_up;

    TRY(read_customers(a, &c));
    TRY(needed("days", a->days));
    TRY(number("days", a->days, 0, 1, FLEET_DAYS_MAX, &days));
    TRY(number("give-up", a->give_up, GIVE_UP_DEFAULT_S, 0, 1000000, &give_up));
    *o = (struct fleet_options){
        .dir = a->dir, .count = c.count, .first_serial = (uint32_t)c.first, .days = (uint32_t)days,
        .seed = c.seed, .class = c.class, .threads = (unsigned)c.threads,
        .give_up_us = give_up * US_PER_S, .json = a->json,
    };
    TRY(read_time(a, o));
    TRY(read_pace(a, o));
    return read_thieves(a, o);
}

static int verb_fleet(struct arguments *a, const char *usage)
{
    struct fleet_options o = { .dir = NULL };
    err e = read_fleet(a, &o);

    if (e.code) {
        mem_give(o.thieves);
        return misuse(usage);
    }
    e = fleet_run(&o);
    mem_give(o.thieves);
    return e.code ? complain(e) : EXIT_DONE;
}

static err read_replay(const struct arguments *a, struct replay_options *o)
{
    uint64_t serial;
    uint64_t give_up;

    TRY(needed("csv", a->csv));
    TRY(number("id", a->id, REPLAY_SERIAL, 1, 99999999, &serial));
    TRY(number("give-up", a->give_up, GIVE_UP_DEFAULT_S, 0, 1000000, &give_up));
    *o = (struct replay_options){ .dir = a->dir, .csv = a->csv, .serial = (uint32_t)serial,
                                  .give_up_us = give_up * US_PER_S, .json = a->json };
    o->zone = (struct series_zone){ .offset_s = METER_ZONE_OFFSET_S };
    if (a->zone != NULL) {
        TRY(series_zone_parse(a->zone, &o->zone));
    }
    return series_columns_parse(a->columns, &o->columns);
}

static int verb_replay(struct arguments *a, const char *usage)
{
    struct replay_options o;

    if (read_replay(a, &o).code) {
        return misuse(usage);
    }
    err e = replay_run(&o);
    return e.code ? complain(e) : EXIT_DONE;
}

struct verb {
    const char *name;
    const char *usage;
    int (*run)(struct arguments *a, const char *usage);
};

static const struct verb verbs[] = {
    { "enrol", usage_enrol, verb_enrol },
    { "fleet", usage_fleet, verb_fleet },
    { "replay", usage_replay, verb_replay },
};

static int run_verb(const struct verb *v, int argc, char **argv)
{
    struct arguments a = { .dir = place_default_dir() };
    int plain;
    const struct option_spec specs[] = {
        { "dir", NULL, &a.dir },           { "count", NULL, &a.count },
        { "first", NULL, &a.first },       { "class", NULL, &a.class },
        { "seed", NULL, &a.seed },         { "threads", NULL, &a.threads },
        { "days", NULL, &a.days },         { "start", NULL, &a.start },
        { "end", NULL, &a.end },           { "thieves", NULL, &a.thieves },
        { "thief", NULL, &a.thief },       { "theft-days", NULL, &a.theft_days },
        { "speed", NULL, &a.speed },       { "csv", NULL, &a.csv },
        { "id", NULL, &a.id },             { "zone", NULL, &a.zone },
        { "columns", NULL, &a.columns },   { "give-up", NULL, &a.give_up },
        { "realtime", &a.realtime, NULL }, { "json", &a.json, NULL },
        { "help", &a.help, NULL },
    };

    err e = options_parse(argc - 2, argv + 2, specs, OPTION_COUNT(specs), &plain);
    if (!e.code && plain > 0) {
        err_set(__FILE__, __LINE__, "no argument %s is known", argv[2]);
        e = (err){ ERR_PROTO };
    }
    if (e.code) {
        return misuse(v->usage);
    }
    if (a.help) {
        fputs(v->usage, stdout);
        return EXIT_DONE;
    }
    return v->run(&a, v->usage);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_all, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return run_verb(&verbs[i], argc, argv);
        }
    }
    fputs(usage_all, stderr);
    return EXIT_WRONG_USE;
}
