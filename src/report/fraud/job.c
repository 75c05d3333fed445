/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/job.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/wire/json_write.h"
#include "lib/wire/meter_id.h"
#include "lib/wire/tables.h"

struct scan {
    struct readings *source;
    const struct job *job;
    struct ranker *ranker;
    struct series series; /* of the customer being read */
};

static err each_reading(void *arg, const struct stored_reading *row)
{
    struct scan *s = arg;

    /* What validation refused is no measurement: its quarter stays a gap. */
    if (row->quality == QUALITY_INVALID || row->quality == QUALITY_MISSING) {
        return OK;
    }
    return series_add(&s->series, &row->record);
}

static err each_meter(void *arg, uint64_t meter)
{
    struct scan *s = arg;

    s->series = (struct series){ .zone_offset_s = s->job->zone_offset_s };
    err e = readings_scan(s->source, meter, s->job->from_s, s->job->to_s, each_reading, s);
    if (!e.code) {
        e = ranker_add(s->ranker, meter, &s->series);
    }
    series_done(&s->series);
    return err_context(e, "meter %" PRI_METER, meter);
}

err job_run(struct readings *source, const struct job *j, struct ranking *out)
{
    AUTO(ranker_freep) struct ranker *ranker = NULL;

    TRY(ranker_new(&j->window, &ranker));
    struct scan s = { .source = source, .job = j, .ranker = ranker };
    TRY(readings_meters(source, each_meter, &s));
    return ranker_finish(ranker, out);
}

err labels_parse(struct bytes text, uint64_t **out, size_t *out_count)
{
    AUTO(mem_givep) uint64_t *ids = mem_take(LABELS_MAX * sizeof *ids);
    size_t count = 0;

    if (ids == NULL) {
        FAIL(ERR_LIMIT, "no memory for labels");
    }
    for (size_t number = 1; text.len > 0; number++) {
        struct bytes line = bytes_cut(&text, '\n');
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        if (count == LABELS_MAX) {
            FAIL(ERR_LIMIT, "over %d labels", LABELS_MAX);
        }
        TRY(err_context(meter_id_parse(line, &ids[count]), "labels line %zu", number));
        count++;
    }
    *out = TAKE(ids);
    *out_count = count;
    return OK;
}

static void write_meter(struct json_writer *w, uint64_t meter)
{
    char id[METER_ID_CHARS + 1];

    meter_id_text(meter, id);
    json_write_key(w, "meter");
    json_write_string(w, id);
}

static void day_text(int32_t day, char out[TIME_TEXT_BYTES])
{
    time_format_s((int64_t)day * S_PER_DAY, out);
    out[10] = '\0';
}

static void write_ranked(struct json_writer *w, const struct ranking *r)
{
    char date[TIME_TEXT_BYTES];

    json_write_key(w, "ranking");
    json_write_array(w);
    for (size_t i = 0; i < r->ranked; i++) {
        const struct rank_entry *e = &r->entries[i];
        day_text(e->result.worst_day, date);
        json_write_object(w);
        json_write_key(w, "rank");
        json_write_uint(w, i + 1);
        write_meter(w, e->meter);
        json_write_key(w, "score");
        json_write_number(w, e->result.score);
        json_write_key(w, "new_classes");
        json_write_number(w, e->result.new_classes);
        json_write_key(w, "worst_day");
        json_write_string(w, date);
        json_write_key(w, "worst_correlation");
        json_write_number(w, e->result.worst_correlation);
        json_write_key(w, "marked");
        json_write_bool(w, e->marked);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_not_ranked(struct json_writer *w, const struct ranking *r)
{
    json_write_key(w, "not_ranked");
    json_write_array(w);
    for (size_t i = r->ranked; i < r->count; i++) {
        json_write_object(w);
        write_meter(w, r->entries[i].meter);
        json_write_key(w, "reason");
        json_write_string(w, r->entries[i].reason);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

err ranking_json(const struct ranking *r, double auc, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "mode");
    json_write_string(&w, "paper");
    json_write_key(&w, "history_days");
    json_write_uint(&w, r->window.history_days);
    json_write_key(&w, "test_days");
    json_write_uint(&w, r->window.test_days);
    json_write_key(&w, "customers");
    json_write_uint(&w, r->count);
    if (auc >= 0) {
        json_write_key(&w, "auc");
        json_write_number(&w, auc);
    }
    write_ranked(&w, r);
    write_not_ranked(&w, r);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

err ranking_table(const struct ranking *r, size_t limit, struct buf *out)
{
    char date[TIME_TEXT_BYTES];

    TRY(buf_printf(out, "%-6s %-17s %-9s %-12s %s\n", "rank", "meter", "score", "worst day",
                   "correlation there"));
    for (size_t i = 0; i < r->ranked && i < limit; i++) {
        const struct rank_entry *e = &r->entries[i];
        day_text(e->result.worst_day, date);
        TRY(buf_printf(out, "%-6zu %" PRI_METER "  %-9.6f %-12s %.4f%s\n", i + 1, e->meter,
                       e->result.score, date, e->result.worst_correlation,
                       e->marked ? "  (over 5 % estimated)" : ""));
    }
    TRY(buf_printf(out, "%zu of %zu customers ranked on %u days against %u days of history\n",
                   r->ranked, r->count, r->window.test_days, r->window.history_days));
    for (size_t i = r->ranked; i < r->count; i++) {
        TRY(buf_printf(out, "not ranked: %" PRI_METER ": %s\n", r->entries[i].meter,
                       r->entries[i].reason));
    }
    return OK;
}
