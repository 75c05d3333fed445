/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/bill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/meter_id.h"

#define SCHEMA "meterseal.bill/1"
#define MONEY_DECIMALS 2
#define PRICE_DECIMALS 5
#define QUANTITY_DECIMALS 6 /* milli-units as kW or kWh */
#define QUANTITY_KEEP 3
#define METER_ID_BYTES 17

static const char *const determinant_names[DET_COUNT] = {
    "demand_billed_mW",
    "demand_measured_mW",
    "demand_off_peak_mW",
    "demand_overrun_mW",
    "demand_peak_mW",
    "demand_unused_mW",
    "energy_off_peak_Wh",
    "energy_peak_Wh",
    "flag_green_Wh",
    "flag_red1_Wh",
    "flag_red2_Wh",
    "flag_yellow_Wh",
    "hours",
    "hours_with_excess",
    "reactive_capacitive_varh",
    "reactive_demand_excess_mW",
    "reactive_equivalent_off_peak_mW",
    "reactive_equivalent_peak_mW",
    "reactive_excess_off_peak_mWh",
    "reactive_excess_peak_mWh",
    "reactive_inductive_varh",
};

static const struct {
    const char *name;
    bool demand;
} lines_known[LINE_COUNT] = {
    [LINE_DEMAND] = { "demand", true },
    [LINE_DEMAND_UNUSED] = { "demand_unused", true },
    [LINE_OVERRUN] = { "overrun", true },
    [LINE_TE_OFF_PEAK] = { "te_off_peak", false },
    [LINE_TE_PEAK] = { "te_peak", false },
    [LINE_TUSD_OFF_PEAK] = { "tusd_off_peak", false },
    [LINE_TUSD_PEAK] = { "tusd_peak", false },
    [LINE_FLAG_GREEN] = { "flag_green", false },
    [LINE_FLAG_RED1] = { "flag_red1", false },
    [LINE_FLAG_RED2] = { "flag_red2", false },
    [LINE_FLAG_YELLOW] = { "flag_yellow", false },
    [LINE_REACTIVE_ENERGY] = { "reactive_energy", false },
    [LINE_REACTIVE_DEMAND] = { "reactive_demand", true },
};

const char *bill_determinant_name(enum bill_determinant d)
{
    return determinant_names[d];
}

const char *bill_line_name(enum bill_line_id id)
{
    return lines_known[id].name;
}

bool bill_line_is_demand(enum bill_line_id id)
{
    return lines_known[id].demand;
}

static const char *line_unit(enum bill_line_id id)
{
    return lines_known[id].demand ? "kW" : "kWh";
}

/* --- writing: keys in the order of their octets --- */

static void money(struct json_writer *w, const char *key, int64_t centavos)
{
    canon_fixed(w, key, centavos, MONEY_DECIMALS, MONEY_DECIMALS);
}

static void app_write(struct json_writer *w, const struct bill *b)
{
    json_write_key(w, "app");
    json_write_object(w);
    canon_digest(w, "evidence", &b->app.evidence);
    canon_digest(w, "measurement", &b->app.measurement);
    canon_string(w, "version", b->app.version);
    json_write_object_end(w);
    json_write_key(w, "calendar");
    json_write_object(w);
    canon_digest(w, "hash", &b->calendar);
    json_write_object_end(w);
}

static void determinants_write(struct json_writer *w, const struct bill *b)
{
    json_write_key(w, "determinants");
    json_write_object(w);
    for (size_t i = 0; i < DET_COUNT; i++) {
        canon_int(w, determinant_names[i], b->determinants[i]);
    }
    json_write_object_end(w);
}

static void estimates_write(struct json_writer *w, const struct bill *b)
{
    json_write_key(w, "estimates");
    json_write_object(w);
    json_write_key(w, "list");
    json_write_array(w);
    for (size_t i = 0; i < b->estimate_count; i++) {
        json_write_object(w);
        canon_string(w, "rule", b->estimates[i].rule);
        canon_int(w, "sequence", b->estimates[i].sequence);
        canon_int(w, "value_Wh", b->estimates[i].value_wh);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    canon_digest(w, "root", &b->estimates_root);
    json_write_object_end(w);
}

static void lines_write(struct json_writer *w, const struct bill *b)
{
    json_write_key(w, "lines");
    json_write_array(w);
    for (size_t i = 0; i < b->line_count; i++) {
        const struct bill_line *l = &b->lines[i];
        json_write_object(w);
        money(w, "gross", l->gross_c);
        money(w, "icms", l->icms_c);
        canon_string(w, "id", bill_line_name(l->id));
        money(w, "net", l->net_c);
        money(w, "pis_cofins", l->pis_cofins_c);
        canon_fixed(w, "price", l->price_e8, PRICE_DECIMALS, PRICE_DECIMALS);
        canon_fixed(w, "quantity", l->quantity_milli, QUANTITY_DECIMALS, QUANTITY_KEEP);
        canon_string(w, "unit", line_unit(l->id));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void end_write(struct json_writer *w, const char *key, const struct bill_end *e)
{
    json_write_key(w, key);
    json_write_object(w);
    canon_int(w, "e_act", (int64_t)e->e_act);
    canon_int(w, "e_cap", (int64_t)e->e_cap);
    canon_int(w, "e_ind", (int64_t)e->e_ind);
    if (e->sealed) {
        canon_digest(w, "seal", &e->seal);
    } else {
        json_write_key(w, "seal");
        json_write_null(w);
    }
    json_write_object_end(w);
}

static void meters_write(struct json_writer *w, const struct bill_meter *m)
{
    char id[METER_ID_BYTES];

    json_write_key(w, "meters");
    json_write_array(w);
    json_write_object(w);
    canon_digest(w, "certificate", &m->certificate);
    end_write(w, "closing", &m->closing);
    canon_int(w, "estimated", m->estimated);
    canon_int(w, "expected", m->expected);
    json_write_key(w, "gaps");
    json_write_array(w);
    for (size_t i = 0; i < m->gap_count; i++) {
        json_write_object(w);
        canon_int(w, "from", m->gaps[i].from_s);
        canon_int(w, "to", m->gaps[i].to_s);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    meter_id_text(m->id, id);
    canon_string(w, "id", id);
    canon_int(w, "measured", m->measured);
    end_write(w, "opening", &m->opening);
    canon_digest(w, "readings_root", &m->readings_root);
    canon_int(w, "received", m->received);
    json_write_object_end(w);
    json_write_array_end(w);
}

static void parameters_write(struct json_writer *w, const struct bill *b)
{
    const struct bill_parameters *p = &b->parameters;

    json_write_key(w, "parameters");
    json_write_object(w);
    canon_string(w, "class", p->class);
    canon_int(w, "contracted_W", p->contracted_w);
    canon_int(w, "interval_s", p->interval_s);
    canon_string(w, "modality", p->modality);
    canon_bool(w, "public_body", p->public_body);
    canon_bool(w, "simulated", p->simulated);
    canon_string(w, "subgroup", p->subgroup);
    json_write_object_end(w);
    json_write_key(w, "period");
    json_write_object(w);
    canon_int(w, "end", b->end_s);
    canon_int(w, "start", b->start_s);
    json_write_object_end(w);
}

static void tail_write(struct json_writer *w, const struct bill *b)
{
    if (b->has_previous) {
        canon_digest(w, "previous", &b->previous);
    } else {
        json_write_key(w, "previous");
        json_write_null(w);
    }
    canon_string(w, "rounding", BILL_ROUNDING);
    canon_string(w, "schema", SCHEMA);
    json_write_key(w, "tariff");
    json_write_object(w);
    canon_string(w, "act", b->act);
    canon_digest(w, "hash", &b->tariff);
    json_write_object_end(w);
    json_write_key(w, "taxes");
    json_write_object(w);
    canon_int(w, "icms_ppm", b->taxes.icms_ppm);
    canon_int(w, "pis_cofins_ppm", b->taxes.pis_cofins_ppm);
    canon_int(w, "withheld_demand_ppm", b->taxes.withheld_demand_ppm);
    canon_int(w, "withheld_energy_ppm", b->taxes.withheld_energy_ppm);
    json_write_object_end(w);
    money(w, "total", b->total_c);
    canon_string(w, "utility", b->utility);
    money(w, "withheld", b->withheld_c);
}

err bill_write(const struct bill *b, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    app_write(&w, b);
    canon_digest(&w, "contract", &b->contract);
    determinants_write(&w, b);
    estimates_write(&w, b);
    canon_int(&w, "issued", b->issued_s);
    lines_write(&w, b);
    meters_write(&w, &b->meter);
    parameters_write(&w, b);
    tail_write(&w, b);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

struct digest bill_hash(struct bytes text)
{
    return sha256_domain("meterseal.bill.v1", text);
}
