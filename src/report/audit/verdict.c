/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/wire/fixed.h"
#include "lib/wire/json_write.h"
#include "lib/wire/meter_id.h"

#define OUT_BYTES_MAX (256u << 20)
#define LINES_PER_BUNDLE_MAX 20 /* for people; JSON has all */
#define BILLS_SHOWN_MAX 20
#define UNFINISHED_BYTES_MAX 16384

void verdict_init(struct verdict *v, bool json)
{
    *v = (struct verdict){ .json = json,
                           .out = { .max = OUT_BYTES_MAX },
                           .bills = { .max = OUT_BYTES_MAX } };
}

void verdict_done(struct verdict *v)
{
    findings_done(&v->totals);
    buf_done(&v->out);
    buf_done(&v->bills);
}

/* Texts of a bundle come from strangers: their control characters must not write lines of their
 * own, nor hide ours. C1 controls are two octets in UTF-8, C2 80 to C2 9F. */
static err text_put(struct buf *out, const char *text)
{
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0'; at++) {
        bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        TRY(buf_u8(out, *at < ' ' || *at == 0x7f || c1 ? '?' : *at));
        at += c1;
    }
    return OK;
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
    char meter[METER_ID_CHARS + 1];
    char day[TIME_TEXT_BYTES] = "";

    finding_code_text(f->code, code);
    meter_id_text(f->meter, meter);
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
    TRY(buf_string(out, ": "));
    TRY(text_put(out, f->text));
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
    TRY(text_put(&v->out, bundle));
    TRY(buf_string(&v->out, ":\n"));
    for (size_t i = 0; i < f->count && i < LINES_PER_BUNDLE_MAX; i++) {
        TRY(finding_line(&v->out, &f->list[i]));
    }
    if (f->count > LINES_PER_BUNDLE_MAX) {
        TRY(buf_printf(&v->out, "  and %zu more findings (--json has all)\n",
                       f->count - LINES_PER_BUNDLE_MAX));
    }
    return OK;
}

/* --- which bill --- */

struct shown { /* a bill in words */
    char start[TIME_TEXT_BYTES], end[TIME_TEXT_BYTES];
    char total[FIXED_TEXT_BYTES];
    char hash[2 * DIGEST_BYTES + 1];
};

static void show(const struct bill *b, struct bytes text, struct shown *out)
{
    struct digest hash = bill_hash(text);

    time_format_s(b->start_s, out->start);
    time_format_s(b->end_s, out->end);
    fixed_format(b->total_c, 2, 2, out->total);
    hex_encode(DIGEST_VIEW(&hash), out->hash);
}

static err bill_json(struct buf *out, const char *bundle, const struct bill *b,
                     const struct shown *s, int exit)
{
    struct json_writer w;
    char meter[METER_ID_CHARS + 1];

    meter_id_text(b->meter.id, meter);
    json_write_begin(&w, out);
    json_write_object(&w);
    field(&w, "bundle", bundle);
    field(&w, "meter", meter);
    field(&w, "start", s->start);
    field(&w, "end", s->end);
    field(&w, "total", s->total);
    field(&w, "hash", s->hash);
    json_write_key(&w, "clean");
    json_write_bool(&w, exit == 0);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err bill_line(struct buf *out, const struct bill *b, const struct shown *s, int exit)
{
    return buf_printf(out, "%s: meter %" PRI_METER ", %s to %s, total %s, bill hash %s\n",
                      exit == 0 ? "clean" : "not clean", b->meter.id, s->start, s->end, s->total,
                      s->hash);
}

static err add_bill(struct verdict *v, const char *bundle, struct bytes text, int exit)
{
    AUTO(mem_givep) struct bill *b = mem_take(sizeof *b);
    struct shown s;

    if (b == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    if (bill_parse(text, b).code) {
        return OK;
    }
    show(b, text, &s);
    if (!v->json) {
        return v->bundles <= BILLS_SHOWN_MAX ? bill_line(&v->bills, b, &s, exit) : OK;
    }
    if (v->bills.len > 0) {
        TRY(buf_string(&v->bills, ","));
    }
    return bill_json(&v->bills, bundle, b, &s, exit);
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

err verdict_add(struct verdict *v, const char *bundle, struct bytes text, const struct findings *f)
{
    v->bundles++;
    v->clean += findings_exit(f) == 0;
    count_totals(v, f);
    TRY(add_bill(v, bundle, text, findings_exit(f)));
    return v->json ? add_json(v, bundle, f) : add_lines(v, bundle, f);
}

err verdict_unfinished(struct verdict *v, const char *bundle)
{
    v->bundles++;
    v->unfinished++;
    AUTO(buf_done) struct buf line = { .max = UNFINISHED_BYTES_MAX };
    TRY(text_put(&line, bundle));
    TRY(buf_string(&line, ": "));
    TRY(text_put(&line, err_text()));
    fprintf(stderr, "meterseal audit: %.*s\n", (int)line.len, (const char *)line.ptr);
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

static err from_bundles_put(const struct verdict *v, const char *quote, struct buf *out)
{
    for (size_t i = 0; v->from_bundles[i] != NULL; i++) {
        TRY(buf_printf(out, "%s%s%s%s", i > 0 ? "," : "", quote, v->from_bundles[i], quote));
    }
    return OK;
}

static err finish_json(const struct verdict *v, struct buf *out)
{
    TRY(buf_printf(out,
                   "{\"bundles\":%" PRIu64 ",\"clean\":%" PRIu64 ",\"unfinished\":%" PRIu64
                   ",\"from_bundles\":[",
                   v->bundles, v->clean, v->unfinished));
    TRY(from_bundles_put(v, "\"", out));
    TRY(buf_string(out, "],\"bills\":["));
    TRY(buf_append(out, buf_bytes(&v->bills)));
    TRY(buf_string(out, "],\"findings\":["));
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
    TRY(buf_append(out, buf_bytes(&v->bills)));
    TRY(buf_printf(out, "%" PRIu64 " of %" PRIu64 " bundles clean", v->clean, v->bundles));
    for (size_t i = 0; i < v->totals.code_count; i++) {
        char code[8];
        finding_code_text(v->totals.counts[i].code, code);
        TRY(buf_printf(out, "%s %s x %u", i > 0 ? "," : ";", code, v->totals.counts[i].count));
    }
    if (v->unfinished > 0) {
        TRY(buf_printf(out, "; %" PRIu64 " could not be read", v->unfinished));
    }
    if (v->from_bundles[0] != NULL) {
        TRY(buf_string(out, "\ntaken from the bundles, whose maker chose it (see --help): "));
        TRY(from_bundles_put(v, "", out));
    }
    return buf_string(out, "\n");
}
