/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "edge/meter/enrol.h"
#include "edge/meter/past.h"
#include "edge/meter/report.h"
#include "edge/meter/simulate.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

/* --- thieves --- */

void fleet_choose_thieves(uint64_t seed, uint32_t first_serial, size_t meters, uint32_t from_day,
                          struct thief *out, size_t count)
{
    struct rand64 r = { rand64_mix(seed, first_serial, meters) };
    size_t chosen = 0;

    /* Each meter in turn with the chance that is left: exactly `count`, in order of their ids. */
    for (size_t i = 0; i < meters && chosen < count; i++) {
        if (rand64_below(&r, meters - i) < count - chosen) {
            out[chosen] = (struct thief){
                .meter = meter_id_of_serial(first_serial + (uint32_t)i),
                .attack = (enum theft)(THEFT_FDI1 + chosen % (THEFT_COUNT - 1)),
                .from_day = from_day,
            };
            chosen++;
        }
    }
}

static struct bytes take_until(struct bytes *in, char mark)
{
    const uint8_t *at = in->len > 0 ? memchr(in->ptr, mark, in->len) : NULL;
    size_t n = at != NULL ? (size_t)(at - in->ptr) : in->len;
    struct bytes part = { in->ptr, n };

    n += at != NULL;
    in->ptr += n;
    in->len -= n;
    return part;
}

static err parse_thief(struct bytes text, struct thief *out)
{
    uint64_t serial;
    uint64_t day = 1;
    struct thief t;

    TRY(decimal_parse(take_until(&text, ':'), 99999999, &serial));
    TRY(theft_parse(take_until(&text, ':'), &t.attack));
    if (text.len > 0) {
        TRY(decimal_parse(text, FLEET_DAYS_MAX, &day));
    }
    t.meter = meter_id_of_serial((uint32_t)serial);
    t.from_day = day > 0 ? (uint32_t)day : 1;
    *out = t;
    return OK;
}

err fleet_parse_thieves(const char *list, struct thief *out, size_t max, size_t *out_count)
{
    struct bytes in = bytes_of_string(list);
    size_t n = 0;

    while (in.len > 0) {
        if (n == max) {
            FAIL(ERR_LIMIT, "--thief: more than %zu thieves", max);
        }
        err e = parse_thief(take_until(&in, ','), &out[n]);
        if (e.code) {
            return err_context(e, "--thief, entry %zu (SERIAL:ATTACK:FROM_DAY)", n + 1);
        }
        n++;
    }
    *out_count = n;
    return OK;
}

/* --- one customer --- */

static void load_day(struct customer *c, uint32_t day_s)
{
    uint32_t theft_from_s = c->first_day_s + (c->theft.from_day - 1) * S_PER_DAY;

    profile_day(&c->site, day_s, c->zone_offset_s, c->slots);
    if (c->theft.attack != THEFT_NONE && day_s >= theft_from_s) {
        uint64_t seed = rand64_mix(c->site.seed, c->site.meter, (uint64_t)c->theft.attack);
        theft_apply(c->theft.attack, seed, (day_s - theft_from_s) / S_PER_DAY, c->slots);
    }
    c->day_s = day_s;
}

enum drive_take customer_next(struct customer *c, uint32_t limit_s, struct drive_feed *out)
{
    uint32_t end_s = c->next_end_s;

    if (c->end_s != 0 && end_s > c->end_s) {
        return DRIVE_ENDED;
    }
    if (end_s > limit_s) {
        return DRIVE_NOT_YET;
    }
    int64_t local = (int64_t)end_s - RECORD_INTERVAL_S + c->zone_offset_s;
    uint32_t day_s = (uint32_t)(local - local % S_PER_DAY - c->zone_offset_s);
    if (day_s != c->day_s) {
        load_day(c, day_s);
    }
    *out = (struct drive_feed){ .end_s = end_s };
    profile_sample(&c->site, end_s,
                   &c->slots[(end_s - RECORD_INTERVAL_S - day_s) / RECORD_INTERVAL_S],
                   &out->sample);
    c->next_end_s += RECORD_INTERVAL_S;
    return DRIVE_TAKEN;
}

/* --- the fleet --- */

struct fleet {
    const struct fleet_options *o;
    struct place place;
    struct profile_site *sites;
    struct customer *customers;
    struct keyring *keys;
    struct drive_unit *units;
    struct past_table past;
    struct public_key *collector;
    uint64_t expected;
    uint64_t skipped; /* intervals that an earlier run has sent */
};

static void fleet_done(struct fleet *f)
{
    for (size_t i = 0; f->keys != NULL && i < f->o->count; i++) {
        keyring_done(&f->keys[i]);
    }
    mem_give(f->keys);
    mem_give(f->sites);
    mem_give(f->customers);
    mem_give(f->units);
    past_done(&f->past);
    public_key_freep(&f->collector);
}

static err take_memory(struct fleet *f)
{
    size_t n = f->o->count;

    f->sites = mem_take(n * sizeof *f->sites);
    f->customers = mem_take(n * sizeof *f->customers);
    f->keys = mem_take(n * sizeof *f->keys);
    f->units = mem_take(n * sizeof *f->units);
    if (f->sites == NULL || f->customers == NULL || f->keys == NULL || f->units == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu meters", n);
    }
    return OK;
}

static uint32_t fleet_end_s(const struct fleet_options *o)
{
    return o->start_s + o->days * S_PER_DAY;
}

/* Where a customer begins: at the start asked for, or where an earlier run ended. */
static err place_customer(struct fleet *f, size_t i)
{
    const struct fleet_options *o = f->o;
    struct customer *c = &f->customers[i];
    struct drive_unit *u = &f->units[i];
    const struct past_entry *past = past_find(&f->past, f->sites[i].meter);
    uint32_t from_s = o->start_s;

    if (past != NULL && past->seed != o->seed) {
        FAIL(ERR_CONFLICT, "meter %08u has a history under --seed %" PRIu64 ": give that one, or "
             "other meters by --first", meter_serial_of_id(past->meter), past->seed);
    }
    if (past != NULL) {
        u->past = past->past;
        from_s = past->past.end_s > from_s ? past->past.end_s : from_s;
    }
    *c = (struct customer){
        .site = f->sites[i],
        .first_day_s = o->start_s,
        .end_s = o->pace == DRIVE_REALTIME ? 0 : fleet_end_s(o),
        .zone_offset_s = METER_ZONE_OFFSET_S,
        .next_end_s = from_s + RECORD_INTERVAL_S,
    };
    u->id = f->sites[i].meter;
    u->keys = &f->keys[i];
    uint32_t end_s = fleet_end_s(o);
    f->expected += end_s > from_s ? (end_s - from_s) / RECORD_INTERVAL_S : 0;
    uint32_t seen_s = from_s < end_s ? from_s : end_s;
    f->skipped += (seen_s - o->start_s) / RECORD_INTERVAL_S;
    return keyring_load(&f->place, u->id, &f->keys[i]);
}

static err place_thieves(struct fleet *f)
{
    for (size_t k = 0; k < f->o->thief_count; k++) {
        const struct thief *t = &f->o->thieves[k];
        size_t i = 0;
        while (i < f->o->count && f->sites[i].meter != t->meter) {
            i++;
        }
        if (i == f->o->count) {
            FAIL(ERR_MISSING, "--thief: meter %08u is not in this fleet of %08u to %08u",
                 meter_serial_of_id(t->meter), f->o->first_serial,
                 f->o->first_serial + (unsigned)f->o->count - 1);
        }
        f->customers[i].theft = *t;
    }
    return OK;
}

static err prepare(struct fleet *f)
{
    const struct fleet_options *o = f->o;
    struct enrolled enrolled = { 0 };

    TRY(place_open(o->dir, &f->place));
    TRY(take_memory(f));
    for (size_t i = 0; i < o->count; i++) {
        uint64_t id = meter_id_of_serial(o->first_serial + (uint32_t)i);
        f->sites[i] = profile_site(o->seed, id, o->class);
    }
    TRY(enrol(&f->place, f->sites, o->count, o->threads, &enrolled));
    TRY(past_load(&f->place, &f->past));
    for (size_t i = 0; i < o->count; i++) {
        TRY(place_customer(f, i));
    }
    TRY(place_thieves(f));
    return collector_key_load(&f->place, &f->collector);
}

static enum drive_take next_of(void *arg, size_t unit, uint32_t limit_s, struct drive_feed *out)
{
    struct fleet *f = arg;

    return customer_next(&f->customers[unit], limit_s, out);
}

/* Only what is acknowledged to the end is past: after anything else the same is sent again, and is
 * the same, since it is a function of the seed. */
static err keep_past(struct fleet *f)
{
    for (size_t i = 0; i < f->o->count; i++) {
        const struct past_entry e = { .meter = f->units[i].id, .seed = f->o->seed,
                                      .past = f->units[i].past };
        if (e.past.end_s != 0) {
            TRY(past_set(&f->past, &e));
        }
    }
    return past_save(&f->place, &f->past);
}

static bool is_whole(const struct fleet_options *o, const struct drive_result *r)
{
    return r->totals.acknowledged == r->totals.produced &&
           (!r->stopped || o->pace == DRIVE_REALTIME);
}

err fleet_run(const struct fleet_options *o)
{
    AUTO(fleet_done) struct fleet f = { .o = o };
    struct drive_result result = { .seconds = 0 };

    TRY(prepare(&f));
    struct place_path address = place_address(&f.place, PLACE_AGGREGATOR);
    const struct drive_options d = {
        .address = address.text,
        .collector = f.collector,
        .pace = o->pace,
        .speed = o->speed,
        .start_s = o->start_s,
        .end_s = fleet_end_s(o),
        .expected = f.expected,
        .give_up_us = o->give_up_us,
        .zone_offset_s = METER_ZONE_OFFSET_S,
        .simulated = true,
        .source = { .arg = &f, .next = next_of },
    };
    err e = drive(&d, f.units, o->count, &result);
    if (!e.code && is_whole(o, &result)) {
        e = keep_past(&f);
    }
    const struct run_report report = { .verb = "fleet", .meters = o->count, .days = o->days,
                                       .start_s = o->start_s, .end_s = fleet_end_s(o),
                                       .skipped = f.skipped, .result = &result,
                                       .thieves = o->thieves, .thief_count = o->thief_count };
    TRY(run_report_print(&report, o->json));
    TRY(e);
    if (!is_whole(o, &result)) {
        FAIL(ERR_CLOSED, "stopped before all was acknowledged; the same command goes on");
    }
    return OK;
}
