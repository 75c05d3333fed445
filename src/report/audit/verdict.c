/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/wire/json_write.h"

#define OUT_BYTES_MAX (256u << 20)
#define LINES_PER_BUNDLE_MAX 20 /* for people; JSON has all */

void verdict_init(struct verdict *v, bool json)
{
    *v = (struct verdict){ .json = json, .out = { .max = OUT_BYTES_MAX } };
}

void verdict_done(struct verdict *v)
{
    findings_done(&v->totals);
    buf_done(&v->out);
}

static void day_text(const struct finding *f, char out[TIME_TEXT_BYTES])
{
    time_format_s(f->day_s, out);
    out[10] = '\0'; /* the date alone */
}

static void field(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    if (text[0] != '\0') {
        json_write_string(w, text);
    } else {
        json_write_null(w);
    }
}

static err finding_json(struct buf *out, const char *bundle, const struct finding *f)
{
    struct json_writer w;
    char code[8];
    char meter[17];
    char day[TIME_TEXT_BYTES] = "";

    finding_code_text(f->code, code);
    snprintf(meter, sizeof meter, "%016" PRIx64, f->meter);
    if (f->day_s != FINDING_NO_PLACE) {
        day_text(f, day);
    }
    json_write_begin(&w, out);
    json_write_object(&w);
    field(&w, "bundle", bundle);
    field(&w, "meter", meter);
    field(&w, "code", code);
    json_write_key(&w, "sequence");
    if (f->sequence != FINDING_NO_PLACE) {
        json_write_int(&w, f->sequence);
    } else {
        json_write_null(&w);
    }
    field(&w, "day", day);
    field(&w, "expected", f->expected);
    field(&w, "found", f->found);
    field(&w, "text", f->text);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err finding_line(struct buf *out, const struct finding *f)
{
    char code[8];
    char day[TIME_TEXT_BYTES];

    finding_code_text(f->code, code);
    TRY(buf_printf(out, "  %s", code));
    if (f->day_s != FINDING_NO_PLACE) {
        day_text(f, day);
        TRY(buf_printf(out, " day %s", day));
    }
    if (f->sequence != FINDING_NO_PLACE) {
        TRY(buf_printf(out, " reading %" PRId64, f->sequence));
    }
    TRY(buf_printf(out, ": %s", f->text));
    if (f->expected[0] != '\0' || f->found[0] != '\0') {
        TRY(buf_printf(out, " (expected %s, found %s)", f->expected, f->found));
    }
    return buf_string(out, "\n");
}

static err add_json(struct verdict *v, const char *bundle, const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (v->out.len > 0) {
            TRY(buf_string(&v->out, ","));
        }
        TRY(finding_json(&v->out, bundle, &f->list[i]));
    }
    return OK;
}

static err add_lines(struct verdict *v, const char *bundle, const struct findings *f)
{
    if (f->count == 0) {
        return OK;
    }
    TRY(buf_printf(&v->out, "%s:\n", bundle));
    for (size_t i = 0; i < f->count && i < LINES_PER_BUNDLE_MAX; i++) {
        TRY(finding_line(&v->out, &f->list[i]));
    }
    if (f->count > LINES_PER_BUNDLE_MAX) {
        TRY(buf_printf(&v->out, "  and %zu more findings (--json has all)\n",
                       f->count - LINES_PER_BUNDLE_MAX));
    }
    return OK;
}

static void count_totals(struct verdict *v, const struct findings *f)
{
    for (size_t i = 0; i < f->code_count; i++) {
        size_t j = 0;
        while (j < v->totals.code_count && v->totals.counts[j].code != f->counts[i].code) {
            j++;
        }
        if (j == v->totals.code_count) {
            v->totals.counts[v->totals.code_count++] = (struct finding_count){ .count = 0 };
        }
        v->totals.counts[j].code = f->counts[i].code;
        v->totals.counts[j].count += f->counts[i].count;
    }
}

err verdict_add(struct verdict *v, const char *bundle, const struct findings *f)
{
    v->bundles++;
    v->clean += findings_exit(f) == 0;
    count_totals(v, f);
    return v->json ? add_json(v, bundle, f) : add_lines(v, bundle, f);
}

err verdict_unfinished(struct verdict *v, const char *bundle)
{
    v->bundles++;
    v->unfinished++;
    fprintf(stderr, "meterseal audit: %s: %s\n", bundle, err_text());
    return OK;
}

int verdict_exit(const struct verdict *v)
{
    int worst = findings_exit(&v->totals);

    return worst == 0 && v->unfinished > 0 ? 1 : worst;
}

static err counts_json(const struct verdict *v, struct buf *out)
{
    TRY(buf_string(out, "{"));
    for (size_t i = 0; i < v->totals.code_count; i++) {
        char code[8];
        finding_code_text(v->totals.counts[i].code, code);
        TRY(buf_printf(out, "%s\"%s\":%u", i > 0 ? "," : "", code, v->totals.counts[i].count));
    }
    return buf_string(out, "}");
}

static err finish_json(const struct verdict *v, struct buf *out)
{
    TRY(buf_printf(out,
                   "{\"bundles\":%" PRIu64 ",\"clean\":%" PRIu64 ",\"unfinished\":%" PRIu64
                   ",\"findings\":[",
                   v->bundles, v->clean, v->unfinished));
    TRY(buf_append(out, buf_bytes(&v->out)));
    TRY(buf_string(out, "],\"counts\":"));
    TRY(counts_json(v, out));
    return buf_string(out, "}\n");
}

err verdict_finish(struct verdict *v, struct buf *out)
{
    if (v->json) {
        return finish_json(v, out);
    }
    TRY(buf_append(out, buf_bytes(&v->out)));
    TRY(buf_printf(out, "%" PRIu64 " of %" PRIu64 " bundles clean", v->clean, v->bundles));
    for (size_t i = 0; i < v->totals.code_count; i++) {
        char code[8];
        finding_code_text(v->totals.counts[i].code, code);
        TRY(buf_printf(out, "%s %s x %u", i > 0 ? "," : ";", code, v->totals.counts[i].count));
    }
    if (v->unfinished > 0) {
        TRY(buf_printf(out, "; %" PRIu64 " could not be read", v->unfinished));
    }
    return buf_string(out, "\n");
}
