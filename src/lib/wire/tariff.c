/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/tariff.h"

#include <string.h>

#define SCHEMA "meterseal.tariff/1"
#define PRICE_DECIMALS 5
#define PPM 1000000

static const char *const price_names[PRICE_COUNT] = {
    "demand",  "reactive_demand", "reactive_energy", "te_off_peak",
    "te_peak", "tusd_off_peak",   "tusd_peak",
};

const char *tariff_price_name(enum tariff_price p)
{
    return price_names[p];
}

static void posts_write(struct json_writer *w, const char *key,
                        const uint8_t table[12][TARIFF_STEPS_MAX], uint8_t steps)
{
    char row[TARIFF_STEPS_MAX + 1];

    json_write_key(w, key);
    json_write_array(w);
    for (size_t month = 0; month < 12; month++) {
        for (size_t i = 0; i < steps; i++) {
            row[i] = (char)('0' + table[month][i]);
        }
        row[steps] = '\0';
        json_write_string(w, row);
    }
    json_write_array_end(w);
}

static void prices_write(struct json_writer *w, const struct tariff *t)
{
    json_write_key(w, "flags");
    json_write_object(w);
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        canon_fixed(w, flag_colour_name(i), t->flags_e8[i], PRICE_DECIMALS, PRICE_DECIMALS);
    }
    json_write_object_end(w);
    canon_string(w, "modality", t->modality);
    json_write_key(w, "overrun");
    json_write_object(w);
    canon_int(w, "factor", t->overrun_factor);
    canon_int(w, "percent", t->overrun_percent);
    json_write_object_end(w);
    json_write_key(w, "prices");
    json_write_object(w);
    for (enum tariff_price i = 0; i < PRICE_COUNT; i++) {
        canon_fixed(w, price_names[i], t->prices_e8[i], PRICE_DECIMALS, PRICE_DECIMALS);
    }
    json_write_object_end(w);
}

static void taxes_write(struct json_writer *w, const struct tariff_taxes *t)
{
    json_write_key(w, "taxes");
    json_write_object(w);
    canon_int(w, "icms_ppm", t->icms_ppm);
    canon_int(w, "pis_cofins_ppm", t->pis_cofins_ppm);
    canon_int(w, "withheld_demand_ppm", t->withheld_demand_ppm);
    canon_int(w, "withheld_energy_ppm", t->withheld_energy_ppm);
    json_write_object_end(w);
}

err tariff_write(const struct tariff *t, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    canon_string(&w, "act", t->act);
    canon_string(&w, "distributor", t->distributor);
    prices_write(&w, t);
    canon_bool(&w, "production", t->production);
    canon_string(&w, "schema", SCHEMA);
    canon_string(&w, "subgroup", t->subgroup);
    taxes_write(&w, &t->taxes);
    canon_string(&w, "utility", t->utility);
    canon_day(&w, "valid_from", t->valid_from_day);
    canon_day(&w, "valid_to", t->valid_to_day);
    posts_write(&w, "weekday", t->weekday, t->steps);
    posts_write(&w, "weekend", t->weekend, t->steps);
    canon_int(&w, "window_start_min", t->window_start_min);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err price_parse(const json_t *object, const char *name, int64_t *out)
{
    return canon_field_fixed(object, name, PRICE_DECIMALS, PRICE_DECIMALS, 0, TARIFF_PRICE_MAX,
                             out);
}

static err prices_parse(const json_t *doc, struct tariff *t)
{
    const char *fields[PRICE_COUNT + 1] = { NULL };
    const char *colours[FLAG_COLOURS + 1] = { NULL };
    json_t *prices;
    json_t *flags;

    TRY(json_field_object(doc, "prices", &prices));
    TRY(json_field_object(doc, "flags", &flags));
    for (enum tariff_price i = 0; i < PRICE_COUNT; i++) {
        fields[i] = price_names[i];
    }
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        colours[i] = flag_colour_name(i);
    }
    TRY(canon_fields(prices, fields));
    TRY(canon_fields(flags, colours));
    for (enum tariff_price i = 0; i < PRICE_COUNT; i++) {
        TRY(price_parse(prices, price_names[i], &t->prices_e8[i]));
    }
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        TRY(price_parse(flags, flag_colour_name(i), &t->flags_e8[i]));
    }
    return OK;
}

static err small_parse(const json_t *object, const char *key, int64_t min, int64_t max,
                       int32_t *out)
{
    int64_t v = 0;

    TRY(json_field_int(object, key, min, max, &v));
    *out = (int32_t)v;
    return OK;
}

static err rules_parse(const json_t *doc, struct tariff *t)
{
    static const char *const tax_fields[] = { "icms_ppm", "pis_cofins_ppm", "withheld_demand_ppm",
                                              "withheld_energy_ppm", NULL };
    static const char *const overrun_fields[] = { "factor", "percent", NULL };
    json_t *taxes;
    json_t *overrun;

    TRY(json_field_object(doc, "taxes", &taxes));
    TRY(canon_fields(taxes, tax_fields));
    TRY(small_parse(taxes, "icms_ppm", 0, TARIFF_ICMS_PPM_MAX, &t->taxes.icms_ppm));
    TRY(small_parse(taxes, "pis_cofins_ppm", 0, TARIFF_PIS_COFINS_PPM_MAX,
                    &t->taxes.pis_cofins_ppm));
    TRY(small_parse(taxes, "withheld_demand_ppm", 0, PPM, &t->taxes.withheld_demand_ppm));
    TRY(small_parse(taxes, "withheld_energy_ppm", 0, PPM, &t->taxes.withheld_energy_ppm));
    TRY(json_field_object(doc, "overrun", &overrun));
    TRY(canon_fields(overrun, overrun_fields));
    TRY(small_parse(overrun, "factor", 1, 10, &t->overrun_factor));
    TRY(small_parse(overrun, "percent", 100, 200, &t->overrun_percent));
    return small_parse(doc, "window_start_min", 0, 24 * 60 - 1, &t->window_start_min);
}

static err row_parse(const json_t *row, uint8_t steps, uint8_t out[TARIFF_STEPS_MAX])
{
    const char *text = json_string_value(row);

    if (text == NULL || json_string_length(row) != steps) {
        FAIL(ERR_PROTO, "a post table wants 12 rows of one length, 24 or 96 digits");
    }
    for (size_t i = 0; i < steps; i++) {
        uint8_t post = (uint8_t)(text[i] - '0');
        if (post >= POST_COUNT) {
            FAIL(ERR_PROTO, "a post table has a digit other than 0 (off-peak) and 1 (peak)");
        }
        out[i] = post;
    }
    return OK;
}

static err posts_parse(const json_t *doc, const char *key, uint8_t *steps,
                       uint8_t table[12][TARIFF_STEPS_MAX])
{
    json_t *rows;

    TRY(json_field_array(doc, key, &rows));
    if (json_array_size(rows) != 12) {
        FAIL(ERR_PROTO, "field %s has %zu rows, 12 are wanted", key, json_array_size(rows));
    }
    if (*steps == 0) {
        *steps = json_string_length(json_array_get(rows, 0)) == TARIFF_STEPS_MAX ? 96 : 24;
    }
    for (size_t month = 0; month < 12; month++) {
        TRY(row_parse(json_array_get(rows, month), *steps, table[month]));
    }
    return OK;
}

static err texts_parse(const json_t *doc, struct tariff *t)
{
    TRY(canon_field_string(doc, "act", t->act, sizeof t->act));
    TRY(canon_field_string(doc, "distributor", t->distributor, sizeof t->distributor));
    TRY(canon_field_string(doc, "utility", t->utility, sizeof t->utility));
    TRY(canon_field_string(doc, "subgroup", t->subgroup, sizeof t->subgroup));
    TRY(canon_field_string(doc, "modality", t->modality, sizeof t->modality));
    if (strspn(t->utility, "0123456789") != TARIFF_UTILITY_DIGITS) {
        FAIL(ERR_PROTO, "field utility is not a registration number of %d digits",
             TARIFF_UTILITY_DIGITS);
    }
    if (t->subgroup[0] != 'A' || strcmp(t->modality, "green") != 0) {
        FAIL(ERR_PROTO, "subgroup %s, modality %s: only the green modality of group A is known",
             t->subgroup, t->modality);
    }
    return OK;
}

static err doc_parse(const json_t *doc, struct tariff *t)
{
    static const char *const fields[] = {
        "act",     "distributor",      "flags", "modality", "overrun",    "prices",   "production",
        "schema",  "subgroup",         "taxes", "utility",  "valid_from", "valid_to", "weekday",
        "weekend", "window_start_min", NULL
    };
    char schema[sizeof SCHEMA + 1];

    TRY(canon_fields(doc, fields));
    TRY(canon_field_string(doc, "schema", schema, sizeof schema));
    if (strcmp(schema, SCHEMA) != 0) {
        FAIL(ERR_PROTO, "field schema is not %s", SCHEMA);
    }
    TRY(texts_parse(doc, t));
    TRY(canon_field_bool(doc, "production", &t->production));
    TRY(canon_field_day(doc, "valid_from", &t->valid_from_day));
    TRY(canon_field_day(doc, "valid_to", &t->valid_to_day));
    if (t->valid_from_day >= t->valid_to_day || t->valid_to_day > CALENDAR_DAY_MAX) {
        FAIL(ERR_PROTO, "valid_to is not after valid_from, or after 2100-01-01");
    }
    TRY(prices_parse(doc, t));
    TRY(rules_parse(doc, t));
    TRY(posts_parse(doc, "weekday", &t->steps, t->weekday));
    return posts_parse(doc, "weekend", &t->steps, t->weekend);
}

err tariff_parse(struct bytes text, struct tariff *out)
{
    AUTO(json_freep) json_t *doc = NULL;
    struct tariff t = { .steps = 0 };

    TRY(canon_read(text, &doc));
    err e = doc_parse(doc, &t);
    if (e.code) {
        (void)err_context(e, "tariff");
        return (err){ ERR_PROTO };
    }
    *out = t;
    return OK;
}

struct digest tariff_hash(struct bytes text)
{
    return sha256_domain("meterseal.tariff.v1", text);
}
