/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "edge/meter/enrol.h"
#include "edge/meter/past.h"
#include "edge/meter/report.h"
#include "edge/meter/simulate.h"
#include "lib/base/file.h"

#define REPLAY_SEED 1 /* of voltages and distortion, which a series does not tell */

struct replay {
    struct place place;
    struct series series;
    struct profile_site site;
    struct keyring keys;
    struct public_key *collector;
    struct past_table past;
    size_t next;
};

static void replay_done(struct replay *r)
{
    series_done(&r->series);
    keyring_done(&r->keys);
    public_key_freep(&r->collector);
    past_done(&r->past);
}

static err load_series(const struct replay_options *o, struct series *out)
{
    AUTO(buf_done) struct buf text = { .max = SERIES_FILE_BYTES_MAX };

    TRY(file_read(o->csv, &text));
    return err_context(series_parse(buf_bytes(&text), &o->columns, &o->zone, out), "%s", o->csv);
}

/* A site that fits the series: its largest mean power is the peak. */
static struct profile_site site_of(const struct series *s, uint64_t meter)
{
    struct profile_site site = profile_site(REPLAY_SEED, meter, PROFILE_STEADY);
    uint32_t largest = 0;

    for (size_t i = 0; i < s->count; i++) {
        largest = s->rows[i].energy.wh > largest ? s->rows[i].energy.wh : largest;
    }
    site.peak_w = largest * 4.0 > 1000 ? largest * 4.0 : 1000;
    site.contracted_w = site.peak_w > 30e3 ? (uint32_t)(ceil(site.peak_w / 10e3) * 10e3) : 30000;
    site.imax_ma = (int32_t)(site.peak_w / (3 * site.un_cv / 100.0) * 2000);
    return site;
}

static enum drive_take next_row(void *arg, size_t unit, uint32_t limit_s, struct drive_feed *out)
{
    struct replay *r = arg;

    (void)unit;
    if (r->next == r->series.count) {
        return DRIVE_ENDED;
    }
    const struct series_row *row = &r->series.rows[r->next];
    if (row->end_s > limit_s) {
        return DRIVE_NOT_YET;
    }
    *out = (struct drive_feed){ .end_s = row->end_s, .again = row->again };
    profile_sample(&r->site, row->end_s, &row->energy, &out->sample);
    r->next++;
    return DRIVE_TAKEN;
}

/* Rows that an earlier run has sent are left out. */
static size_t skip_past(struct replay *r, uint32_t end_s)
{
    while (r->next < r->series.count && r->series.rows[r->next].end_s <= end_s) {
        r->next++;
    }
    return r->next;
}

static err prepare(const struct replay_options *o, struct replay *r)
{
    struct enrolled enrolled = { 0 };

    TRY(load_series(o, &r->series));
    TRY(place_open(o->dir, &r->place));
    r->site = site_of(&r->series, meter_id_of_serial(o->serial));
    TRY(enrol(&r->place, &r->site, 1, 1, &enrolled));
    TRY(keyring_load(&r->place, r->site.meter, &r->keys));
    TRY(past_load(&r->place, &r->past));
    return collector_key_load(&r->place, &r->collector);
}

static err keep_past(struct replay *r, const struct drive_unit *unit)
{
    const struct past_entry e = { .meter = unit->id, .seed = REPLAY_SEED, .past = unit->past };

    if (e.past.end_s == 0) {
        return OK;
    }
    TRY(past_set(&r->past, &e));
    return past_save(&r->place, &r->past);
}

static err drive_series(const struct replay_options *o, struct replay *r, struct drive_unit *unit,
                        struct drive_result *out)
{
    const struct series_row *last = &r->series.rows[r->series.count - 1];
    struct place_path address = place_address(&r->place, PLACE_AGGREGATOR);
    const struct drive_options d = {
        .address = address.text,
        .collector = r->collector,
        .pace = DRIVE_FAST,
        .start_s = r->series.rows[0].end_s - RECORD_INTERVAL_S,
        .end_s = last->end_s,
        .expected = r->series.count - r->next,
        .give_up_us = o->give_up_us,
        .zone_offset_s = METER_ZONE_OFFSET_S,
        .simulated = true,
        .source = { .arg = r, .next = next_row },
    };

    return drive(&d, unit, 1, out);
}

err replay_run(const struct replay_options *o)
{
    AUTO(replay_done) struct replay r = { .next = 0 };
    struct drive_result result = { .seconds = 0 };

    TRY(prepare(o, &r));
    struct drive_unit unit = { .id = r.site.meter, .keys = &r.keys };
    const struct past_entry *past = past_find(&r.past, unit.id);
    if (past != NULL) {
        unit.past = past->past;
    }
    size_t skipped = skip_past(&r, unit.past.end_s);
    err e = drive_series(o, &r, &unit, &result);
    bool whole = !result.stopped && result.totals.acknowledged == result.totals.produced;
    if (!e.code && whole) {
        e = keep_past(&r, &unit);
    }
    const struct run_report report = {
        .verb = "replay", .meters = 1, .skipped = skipped, .result = &result, .series = &r.series,
        .start_s = r.series.rows[0].end_s - RECORD_INTERVAL_S,
        .end_s = r.series.rows[r.series.count - 1].end_s,
    };
    TRY(run_report_print(&report, o->json));
    TRY(e);
    if (!whole) {
        FAIL(ERR_CLOSED, "stopped before all was acknowledged; the same command goes on");
    }
    return OK;
}
