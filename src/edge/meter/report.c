/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "edge/meter/keyring.h"
#include "lib/base/clock.h"
#include "lib/wire/json_write.h"
#include "lib/wire/meter_id.h"

#define REPORT_BYTES_MAX (4u << 20)

static double rate(const struct run_report *r)
{
    double s = r->result->seconds;

    return s > 0 ? (double)r->result->totals.acknowledged / s : 0;
}

static void put_uint(struct json_writer *w, const char *key, uint64_t v)
{
    json_write_key(w, key);
    json_write_uint(w, v);
}

static void put_time(struct json_writer *w, const char *key, uint32_t s)
{
    char text[TIME_TEXT_BYTES];

    time_format_s(s, text);
    json_write_key(w, key);
    json_write_string(w, text);
}

static void put_thieves(struct json_writer *w, const struct run_report *r)
{
    json_write_key(w, "thieves");
    json_write_array(w);
    for (size_t i = 0; i < r->thief_count; i++) {
        const struct thief *t = &r->thieves[i];
        char id[METER_ID_CHARS + 1];
        meter_id_text(t->meter, id);
        json_write_object(w);
        json_write_key(w, "meter");
        json_write_string(w, id);
        put_uint(w, "serial", meter_serial_of_id(t->meter));
        json_write_key(w, "attack");
        json_write_string(w, theft_name(t->attack));
        put_uint(w, "from_day", t->from_day);
        put_time(w, "from", r->start_s + (t->from_day - 1) * S_PER_DAY);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void put_series(struct json_writer *w, const struct run_report *r)
{
    put_uint(w, "rows", r->series->count);
    put_uint(w, "doubles", r->result->doubles);
    put_uint(w, "wh", r->series->wh);
    put_uint(w, "varh_ind", r->series->varh_ind);
    put_uint(w, "varh_cap", r->series->varh_cap);
}

static err write_json(const struct run_report *r, struct buf *out)
{
    const struct meter_stats *t = &r->result->totals;
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "verb");
    json_write_string(&w, r->verb);
    put_uint(&w, "meters", r->meters);
    if (r->days > 0) {
        put_uint(&w, "days", r->days);
    }
    put_time(&w, "start", r->start_s);
    put_time(&w, "end", r->end_s);
    put_uint(&w, "sent", t->produced);
    put_uint(&w, "acknowledged", t->acknowledged);
    put_uint(&w, "seals", t->seals);
    put_uint(&w, "frames", t->pushed);
    put_uint(&w, "resent", t->resent);
    put_uint(&w, "sessions", t->sessions);
    put_uint(&w, "refused", t->refused);
    put_uint(&w, "reconnects", r->result->reconnects);
    put_uint(&w, "skipped", r->skipped);
    json_write_key(&w, "seconds");
    json_write_number(&w, r->result->seconds);
    json_write_key(&w, "readings_per_s");
    json_write_number(&w, rate(r));
    if (r->series != NULL) {
        put_series(&w, r);
    } else {
        put_thieves(&w, r);
    }
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    return buf_u8(out, '\n');
}

static err write_text(const struct run_report *r, struct buf *out)
{
    const struct meter_stats *t = &r->result->totals;
    char start[TIME_TEXT_BYTES];
    char end[TIME_TEXT_BYTES];

    time_format_s(r->start_s, start);
    time_format_s(r->end_s, end);
    TRY(buf_printf(out, "%zu meter%s, %s to %s\n", r->meters, r->meters == 1 ? "" : "s", start,
                   end));
    TRY(buf_printf(out, "%" PRIu64 " readings sent, %" PRIu64 " acknowledged, %" PRIu64
                   " daily seals, %.1f s, %.0f readings/s\n", t->produced, t->acknowledged,
                   t->seals, r->result->seconds, rate(r)));
    if (r->skipped > 0) {
        TRY(buf_printf(out, "%" PRIu64 " readings of this time had been sent before\n",
                       r->skipped));
    }
    if (r->series != NULL) {
        TRY(buf_printf(out, "%zu rows, %" PRIu64 " doubled; %" PRIu64 " Wh, %" PRIu64
                       " varh inductive, %" PRIu64 " varh capacitive\n", r->series->count,
                       r->result->doubles, r->series->wh, r->series->varh_ind,
                       r->series->varh_cap));
    }
    for (size_t i = 0; i < r->thief_count; i++) {
        TRY(buf_printf(out, "thief %08u %s from day %u\n", meter_serial_of_id(r->thieves[i].meter),
                       theft_name(r->thieves[i].attack), r->thieves[i].from_day));
    }
    return OK;
}

err run_report_print(const struct run_report *r, bool json)
{
    AUTO(buf_done) struct buf text = { .max = REPORT_BYTES_MAX };

    TRY(json ? write_json(r, &text) : write_text(r, &text));
    if (fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0) {
        FAIL(ERR_IO, "cannot write to stdout");
    }
    return OK;
}
