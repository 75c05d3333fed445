/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the bill document. It checks form and ranges; sums are the audit's business. */
#include <string.h>

#include "lib/wire/bill.h"
#include "lib/wire/meter_id.h"

#define SCHEMA "meterseal.bill/1"
#define TIME_MAX_S UINT32_MAX

static err count_parse(const json_t *object, const char *key, uint32_t *out)
{
    int64_t v = 0;

    TRY(json_field_int(object, key, 0, UINT32_MAX, &v));
    *out = (uint32_t)v;
    return OK;
}

static err register_parse(const json_t *object, const char *key, uint64_t *out)
{
    int64_t v = 0;

    TRY(json_field_int(object, key, 0, CANON_INT_MAX, &v));
    *out = (uint64_t)v;
    return OK;
}

static err money_parse(const json_t *object, const char *key, int64_t *out)
{
    return canon_field_fixed(object, key, 2, 2, -BILL_MONEY_MAX, BILL_MONEY_MAX, out);
}

/* The field has exactly this text. */
static err constant_check(const json_t *object, const char *key, const char *want)
{
    struct bytes text;

    TRY(json_field_text(object, key, &text));
    if (!bytes_equal(text, bytes_of_string(want))) {
        FAIL(ERR_PROTO, "field %s is not %s", key, want);
    }
    return OK;
}

static err digest_or_null(const json_t *object, const char *key, bool *out_has, struct digest *out)
{
    *out_has = !json_is_null(json_object_get(object, key));
    return *out_has ? canon_field_digest(object, key, out) : OK;
}

static err section(const json_t *doc, const char *key, const char *const *fields, json_t **out)
{
    TRY(json_field_object(doc, key, out));
    return err_context(canon_fields(*out, fields), "field %s", key);
}

static err app_parse(const json_t *doc, struct bill *b)
{
    static const char *const app_fields[] = { "evidence", "measurement", "version", NULL };
    static const char *const calendar_fields[] = { "hash", NULL };
    static const char *const tariff_fields[] = { "act", "hash", NULL };
    json_t *o;

    TRY(section(doc, "app", app_fields, &o));
    TRY(canon_field_digest(o, "evidence", &b->app.evidence));
    TRY(canon_field_digest(o, "measurement", &b->app.measurement));
    TRY(canon_field_string(o, "version", b->app.version, sizeof b->app.version));
    TRY(section(doc, "calendar", calendar_fields, &o));
    TRY(canon_field_digest(o, "hash", &b->calendar));
    TRY(section(doc, "tariff", tariff_fields, &o));
    TRY(canon_field_string(o, "act", b->act, sizeof b->act));
    return canon_field_digest(o, "hash", &b->tariff);
}

static err determinants_parse(const json_t *doc, struct bill *b)
{
    const char *fields[DET_COUNT + 1] = { NULL };
    json_t *o;

    for (enum bill_determinant i = 0; i < DET_COUNT; i++) {
        fields[i] = bill_determinant_name(i);
    }
    TRY(section(doc, "determinants", fields, &o));
    for (enum bill_determinant i = 0; i < DET_COUNT; i++) {
        TRY(json_field_int(o, fields[i], 0, CANON_INT_MAX, &b->determinants[i]));
    }
    return OK;
}

static err estimates_parse(const json_t *doc, struct bill *b)
{
    static const char *const fields[] = { "list", "root", NULL };
    static const char *const entry_fields[] = { "rule", "sequence", "value_Wh", NULL };
    json_t *o;
    json_t *list;

    TRY(section(doc, "estimates", fields, &o));
    TRY(canon_field_digest(o, "root", &b->estimates_root));
    TRY(json_field_array(o, "list", &list));
    b->estimate_count = json_array_size(list);
    if (b->estimate_count > BILL_ESTIMATES_MAX) {
        FAIL(ERR_PROTO, "%zu estimates, at most %d", b->estimate_count, BILL_ESTIMATES_MAX);
    }
    for (size_t i = 0; i < b->estimate_count; i++) {
        const json_t *entry = json_array_get(list, i);
        struct bill_estimate *e = &b->estimates[i];
        TRY(canon_fields(entry, entry_fields));
        TRY(canon_field_string(entry, "rule", e->rule, sizeof e->rule));
        TRY(count_parse(entry, "sequence", &e->sequence));
        TRY(json_field_int(entry, "value_Wh", 0, CANON_INT_MAX, &e->value_wh));
    }
    return OK;
}

static err line_id_parse(const json_t *line, enum bill_line_id *out)
{
    struct bytes text;

    TRY(json_field_text(line, "id", &text));
    for (enum bill_line_id i = 0; i < LINE_COUNT; i++) {
        if (bytes_equal(text, bytes_of_string(bill_line_name(i)))) {
            *out = i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "a line has an unknown id");
}

static err line_parse(const json_t *o, struct bill_line *l)
{
    static const char *const fields[] = { "gross", "icms",     "id",   "net", "pis_cofins",
                                          "price", "quantity", "unit", NULL };

    TRY(canon_fields(o, fields));
    TRY(line_id_parse(o, &l->id));
    TRY(money_parse(o, "gross", &l->gross_c));
    TRY(money_parse(o, "icms", &l->icms_c));
    TRY(money_parse(o, "net", &l->net_c));
    TRY(money_parse(o, "pis_cofins", &l->pis_cofins_c));
    TRY(canon_field_fixed(o, "price", 5, 5, 0, TARIFF_PRICE_MAX * 10, &l->price_e8));
    TRY(canon_field_fixed(o, "quantity", 6, 3, 0, CANON_INT_MAX, &l->quantity_milli));
    return constant_check(o, "unit", bill_line_is_demand(l->id) ? "kW" : "kWh");
}

static err lines_parse(const json_t *doc, struct bill *b)
{
    json_t *list;

    TRY(json_field_array(doc, "lines", &list));
    b->line_count = json_array_size(list);
    if (b->line_count > LINE_COUNT) {
        FAIL(ERR_PROTO, "%zu lines, at most %d", b->line_count, LINE_COUNT);
    }
    for (size_t i = 0; i < b->line_count; i++) {
        TRY(line_parse(json_array_get(list, i), &b->lines[i]));
        if (i > 0 && b->lines[i].id <= b->lines[i - 1].id) {
            FAIL(ERR_PROTO, "line %s is out of order or doubled", bill_line_name(b->lines[i].id));
        }
    }
    return OK;
}

static err end_parse(const json_t *meter, const char *key, struct bill_end *e)
{
    static const char *const fields[] = { "e_act", "e_cap", "e_ind", "seal", NULL };
    json_t *o;

    TRY(section(meter, key, fields, &o));
    TRY(register_parse(o, "e_act", &e->e_act));
    TRY(register_parse(o, "e_cap", &e->e_cap));
    TRY(register_parse(o, "e_ind", &e->e_ind));
    return digest_or_null(o, "seal", &e->sealed, &e->seal);
}

static err gaps_parse(const json_t *meter, struct bill_meter *m)
{
    static const char *const fields[] = { "from", "to", NULL };
    json_t *list;

    TRY(json_field_array(meter, "gaps", &list));
    m->gap_count = json_array_size(list);
    if (m->gap_count > BILL_GAPS_MAX) {
        FAIL(ERR_PROTO, "%zu gaps, at most %d", m->gap_count, BILL_GAPS_MAX);
    }
    for (size_t i = 0; i < m->gap_count; i++) {
        const json_t *gap = json_array_get(list, i);
        TRY(canon_fields(gap, fields));
        TRY(json_field_int(gap, "from", 0, TIME_MAX_S, &m->gaps[i].from_s));
        TRY(json_field_int(gap, "to", m->gaps[i].from_s + 1, TIME_MAX_S, &m->gaps[i].to_s));
        if (i > 0 && m->gaps[i].from_s <= m->gaps[i - 1].to_s) {
            FAIL(ERR_PROTO, "gaps are out of order, or touch");
        }
    }
    return OK;
}

static err meters_parse(const json_t *doc, struct bill_meter *m)
{
    static const char *const fields[] = { "certificate",   "closing",  "estimated", "expected",
                                          "gaps",          "id",       "measured",  "opening",
                                          "readings_root", "received", NULL };
    struct bytes id;
    json_t *list;

    TRY(json_field_array(doc, "meters", &list));
    if (json_array_size(list) != 1) {
        FAIL(ERR_PROTO, "%zu meters, a bill has one", json_array_size(list));
    }
    const json_t *o = json_array_get(list, 0);
    TRY(canon_fields(o, fields));
    TRY(canon_field_digest(o, "certificate", &m->certificate));
    TRY(end_parse(o, "closing", &m->closing));
    TRY(end_parse(o, "opening", &m->opening));
    TRY(count_parse(o, "estimated", &m->estimated));
    TRY(count_parse(o, "expected", &m->expected));
    TRY(count_parse(o, "measured", &m->measured));
    TRY(count_parse(o, "received", &m->received));
    TRY(gaps_parse(o, m));
    TRY(json_field_text(o, "id", &id));
    TRY(err_context(meter_id_parse(id, &m->id), "field id"));
    if (!m->closing.sealed) {
        FAIL(ERR_PROTO, "the closing seal is missing");
    }
    return canon_field_digest(o, "readings_root", &m->readings_root);
}

static err parameters_parse(const json_t *doc, struct bill *b)
{
    static const char *const fields[] = { "class",       "contracted_W", "interval_s", "modality",
                                          "public_body", "simulated",    "subgroup",   NULL };
    static const char *const period_fields[] = { "end", "start", NULL };
    struct bill_parameters *p = &b->parameters;
    int64_t interval = 0;
    json_t *o;

    TRY(section(doc, "parameters", fields, &o));
    TRY(canon_field_string(o, "class", p->class, sizeof p->class));
    TRY(canon_field_string(o, "modality", p->modality, sizeof p->modality));
    TRY(canon_field_string(o, "subgroup", p->subgroup, sizeof p->subgroup));
    TRY(json_field_int(o, "contracted_W", 0, CANON_INT_MAX / 1000, &p->contracted_w));
    TRY(json_field_int(o, "interval_s", 60, 3600, &interval));
    p->interval_s = (uint16_t)interval;
    TRY(canon_field_bool(o, "public_body", &p->public_body));
    TRY(canon_field_bool(o, "simulated", &p->simulated));
    TRY(section(doc, "period", period_fields, &o));
    TRY(json_field_int(o, "start", 0, TIME_MAX_S, &b->start_s));
    return json_field_int(o, "end", b->start_s + 1, TIME_MAX_S, &b->end_s);
}

static err taxes_parse(const json_t *doc, struct tariff_taxes *t)
{
    static const char *const fields[] = { "icms_ppm", "pis_cofins_ppm", "withheld_demand_ppm",
                                          "withheld_energy_ppm", NULL };
    int32_t *const out[] = { &t->icms_ppm, &t->pis_cofins_ppm, &t->withheld_demand_ppm,
                             &t->withheld_energy_ppm };
    json_t *o;

    TRY(section(doc, "taxes", fields, &o));
    for (size_t i = 0; fields[i] != NULL; i++) {
        int64_t v = 0;
        TRY(json_field_int(o, fields[i], 0, 1000000, &v));
        *out[i] = (int32_t)v;
    }
    return OK;
}

static err doc_parse(const json_t *doc, struct bill *b)
{
    static const char *const fields[] = { "app",        "calendar", "contract", "determinants",
                                          "estimates",  "issued",   "lines",    "meters",
                                          "parameters", "period",   "previous", "rounding",
                                          "schema",     "tariff",   "taxes",    "total",
                                          "utility",    "withheld", NULL };

    TRY(canon_fields(doc, fields));
    TRY(constant_check(doc, "schema", SCHEMA));
    TRY(constant_check(doc, "rounding", BILL_ROUNDING));
    TRY(canon_field_string(doc, "utility", b->utility, sizeof b->utility));
    TRY(canon_field_digest(doc, "contract", &b->contract));
    TRY(app_parse(doc, b));
    TRY(determinants_parse(doc, b));
    TRY(estimates_parse(doc, b));
    TRY(lines_parse(doc, b));
    TRY(meters_parse(doc, &b->meter));
    TRY(parameters_parse(doc, b));
    TRY(taxes_parse(doc, &b->taxes));
    TRY(money_parse(doc, "total", &b->total_c));
    TRY(money_parse(doc, "withheld", &b->withheld_c));
    TRY(digest_or_null(doc, "previous", &b->has_previous, &b->previous));
    return json_field_int(doc, "issued", 0, TIME_MAX_S, &b->issued_s);
}

err bill_parse(struct bytes text, struct bill *out)
{
    AUTO(json_freep) json_t *doc = NULL;
    struct bill b = { .line_count = 0 };

    TRY(canon_read(text, &doc));
    err e = doc_parse(doc, &b);
    if (e.code) {
        (void)err_context(e, "bill");
        return (err){ ERR_PROTO };
    }
    *out = b;
    return OK;
}
