/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/documents.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/wire/fixed.h"

#define MONTHS 12
#define WHY_BYTES 256

struct yaml_prices {
    char *of[PRICE_COUNT];
};

struct yaml_flag_prices {
    char *of[FLAG_COLOURS];
};

/* Numbers are read as texts and parsed by us: the library takes "17.5" for 17 and any word for
 * true. */
struct yaml_taxes {
    char *icms_ppm, *pis_cofins_ppm, *withheld_demand_ppm, *withheld_energy_ppm;
};

struct yaml_overrun {
    char *percent, *factor;
};

struct yaml_tariff {
    char *act, *distributor, *utility, *subgroup, *modality, *valid_from, *valid_to;
    char *window_from, *production;
    struct yaml_prices prices;
    struct yaml_flag_prices flags;
    struct yaml_taxes taxes;
    struct yaml_overrun overrun;
    char **weekday;
    unsigned weekday_count;
    char **weekend;
    unsigned weekend_count;
};

#define PRICE_FIELD(name, index) \
    CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER, struct yaml_prices, of[index], 1, 24)
static const cyaml_schema_field_t price_fields[] = {
    PRICE_FIELD("demand", PRICE_DEMAND),
    PRICE_FIELD("reactive_demand", PRICE_REACTIVE_DEMAND),
    PRICE_FIELD("reactive_energy", PRICE_REACTIVE_ENERGY),
    PRICE_FIELD("te_off_peak", PRICE_TE_OFF_PEAK),
    PRICE_FIELD("te_peak", PRICE_TE_PEAK),
    PRICE_FIELD("tusd_off_peak", PRICE_TUSD_OFF_PEAK),
    PRICE_FIELD("tusd_peak", PRICE_TUSD_PEAK),
    CYAML_FIELD_END,
};

#define FLAG_FIELD(name, index) \
    CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER, struct yaml_flag_prices, of[index], 1, 24)
static const cyaml_schema_field_t flag_price_fields[] = {
    FLAG_FIELD("green", FLAG_GREEN),
    FLAG_FIELD("red1", FLAG_RED1),
    FLAG_FIELD("red2", FLAG_RED2),
    FLAG_FIELD("yellow", FLAG_YELLOW),
    CYAML_FIELD_END,
};

#define NUMBER_BYTES_MAX 12
#define TEXT_FIELD(type, name, max) \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, type, name, 1, max)
#define PPM_FIELD(name) TEXT_FIELD(struct yaml_taxes, name, NUMBER_BYTES_MAX)
static const cyaml_schema_field_t tax_fields[] = {
    PPM_FIELD(icms_ppm),
    PPM_FIELD(pis_cofins_ppm),
    PPM_FIELD(withheld_demand_ppm),
    PPM_FIELD(withheld_energy_ppm),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t overrun_fields[] = {
    TEXT_FIELD(struct yaml_overrun, percent, NUMBER_BYTES_MAX),
    TEXT_FIELD(struct yaml_overrun, factor, NUMBER_BYTES_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t text_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TARIFF_STEPS_MAX),
};

#define TARIFF_TEXT(name) TEXT_FIELD(struct yaml_tariff, name, TARIFF_TEXT_BYTES - 1)
static const cyaml_schema_field_t tariff_fields[] = {
    TARIFF_TEXT(act),
    TARIFF_TEXT(distributor),
    TARIFF_TEXT(utility),
    TARIFF_TEXT(subgroup),
    TARIFF_TEXT(modality),
    TARIFF_TEXT(valid_from),
    TARIFF_TEXT(valid_to),
    CYAML_FIELD_STRING_PTR("capacitive_window_from", CYAML_FLAG_POINTER, struct yaml_tariff,
                           window_from, 1, 8),
    TEXT_FIELD(struct yaml_tariff, production, 5),
    CYAML_FIELD_MAPPING("prices", CYAML_FLAG_DEFAULT, struct yaml_tariff, prices, price_fields),
    CYAML_FIELD_MAPPING("flags", CYAML_FLAG_DEFAULT, struct yaml_tariff, flags, flag_price_fields),
    CYAML_FIELD_MAPPING("taxes", CYAML_FLAG_DEFAULT, struct yaml_tariff, taxes, tax_fields),
    CYAML_FIELD_MAPPING("overrun", CYAML_FLAG_DEFAULT, struct yaml_tariff, overrun, overrun_fields),
    CYAML_FIELD_SEQUENCE("weekday", CYAML_FLAG_POINTER, struct yaml_tariff, weekday, &text_value, 1,
                         MONTHS),
    CYAML_FIELD_SEQUENCE("weekend", CYAML_FLAG_POINTER, struct yaml_tariff, weekend, &text_value, 1,
                         MONTHS),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t tariff_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_tariff, tariff_fields),
};

struct yaml_shift {
    char *from, *offset_s;
};
struct yaml_flag {
    char *from;
    char *colour;
};
struct yaml_calendar {
    char *name, *valid_from, *valid_to;
    struct yaml_shift *zone;
    unsigned zone_count;
    char **fixed;
    unsigned fixed_count;
    char **easter;
    unsigned easter_count;
    struct yaml_flag *flags;
    unsigned flags_count;
};

static const cyaml_schema_field_t shift_fields[] = {
    TEXT_FIELD(struct yaml_shift, from, 24),
    TEXT_FIELD(struct yaml_shift, offset_s, NUMBER_BYTES_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t shift_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_shift, shift_fields),
};
static const cyaml_schema_field_t flag_fields[] = {
    TEXT_FIELD(struct yaml_flag, from, 24),
    TEXT_FIELD(struct yaml_flag, colour, 8),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t flag_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_flag, flag_fields),
};

#define CALENDAR_TEXT(name) TEXT_FIELD(struct yaml_calendar, name, CALENDAR_NAME_BYTES - 1)
static const cyaml_schema_field_t calendar_fields[] = {
    CALENDAR_TEXT(name),
    CALENDAR_TEXT(valid_from),
    CALENDAR_TEXT(valid_to),
    CYAML_FIELD_SEQUENCE("zone", CYAML_FLAG_POINTER, struct yaml_calendar, zone, &shift_value, 1,
                         CALENDAR_ZONE_MAX),
    CYAML_FIELD_SEQUENCE("fixed", CYAML_FLAG_POINTER, struct yaml_calendar, fixed, &text_value, 0,
                         CALENDAR_FIXED_MAX),
    CYAML_FIELD_SEQUENCE("easter", CYAML_FLAG_POINTER, struct yaml_calendar, easter, &text_value, 0,
                         CALENDAR_EASTER_MAX),
    CYAML_FIELD_SEQUENCE("flags", CYAML_FLAG_POINTER, struct yaml_calendar, flags, &flag_value, 1,
                         CALENDAR_FLAGS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t calendar_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_calendar, calendar_fields),
};

/* Keeps the first complaint of the YAML library: it names the key. */
static void yaml_log(cyaml_log_t level, void *context, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void yaml_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    char *why = context;

    if (level >= CYAML_LOG_ERROR && why[0] == '\0' && strstr(format, "Backtrace") == NULL) {
        vsnprintf(why, WHY_BYTES, format, args);
        why[strcspn(why, "\n")] = '\0';
    }
}

static void *yaml_memory(void *context, void *p, size_t size)
{
    (void)context;
    if (size == 0) {
        mem_give(p);
        return NULL;
    }
    return mem_resize(p, size);
}

static void yaml_config(cyaml_config_t *config, char why[WHY_BYTES])
{
    *config = (cyaml_config_t){ .log_fn = yaml_log,
                                .log_ctx = why,
                                .log_level = CYAML_LOG_ERROR,
                                .mem_fn = yaml_memory,
                                .flags = CYAML_CFG_NO_ALIAS };
}

static err yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out)
{
    AUTO(buf_done) struct buf text = { .max = DOCUMENT_BYTES_MAX };
    char why[WHY_BYTES] = "";
    cyaml_config_t config;

    TRY(file_read(path, &text));
    yaml_config(&config, why);
    cyaml_err_t e = cyaml_load_data(text.ptr, text.len, &config, schema, out, NULL);
    if (e != CYAML_OK) {
        FAIL(ERR_PROTO, "%s: %s", path, why[0] != '\0' ? why : cyaml_strerror(e));
    }
    return OK;
}

static void yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    char why[WHY_BYTES] = "";
    cyaml_config_t config;

    yaml_config(&config, why);
    if (cyaml_free(&config, schema, data, 0) != CYAML_OK) {
        return; /* only a NULL config fails */
    }
}

static void yaml_tariff_free(struct yaml_tariff **y)
{
    yaml_free(&tariff_schema, *y);
}

static void yaml_calendar_free(struct yaml_calendar **y)
{
    yaml_free(&calendar_schema, *y);
}

static err price_take(const char *key, const char *text, int64_t *out)
{
    return err_context(fixed_parse_loose(bytes_of_string(text), 5, out), "price %s", key);
}

static err day_take(const char *key, const char *text, int32_t *out)
{
    return err_context(canon_day_parse(bytes_of_string(text), out), "%s", key);
}

static err int_take(const char *key, const char *text, int32_t *out)
{
    bool minus = text[0] == '-';
    uint64_t v = 0;

    err e = decimal_parse(bytes_of_string(text + minus), INT32_MAX, &v);
    if (e.code || (minus && v == 0)) {
        FAIL(ERR_PROTO, "%s: %s is no whole number", key, text);
    }
    *out = minus ? -(int32_t)v : (int32_t)v;
    return OK;
}

static err bool_take(const char *key, const char *text, bool *out)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        FAIL(ERR_PROTO, "%s: %s is neither true nor false", key, text);
    }
    *out = text[0] == 't';
    return OK;
}

/* "HH:MM" */
static err minute_take(const char *text, int32_t *out)
{
    uint64_t hour = 0;
    uint64_t minute = 0;

    if (strlen(text) != 5 || text[2] != ':' || text[0] < '0' || text[0] > '9' || text[1] < '0' ||
        text[1] > '9' || text[3] < '0' || text[3] > '9' || text[4] < '0' || text[4] > '9') {
        FAIL(ERR_PROTO, "capacitive_window_from: not a time of the form HH:MM");
    }
    hour = (uint64_t)(text[0] - '0') * 10 + (uint64_t)(text[1] - '0');
    minute = (uint64_t)(text[3] - '0') * 10 + (uint64_t)(text[4] - '0');
    if (hour > 23 || minute > 59) {
        FAIL(ERR_PROTO, "capacitive_window_from: no such time");
    }
    *out = (int32_t)(hour * 60 + minute);
    return OK;
}

static void text_copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

/* One row for the whole year, or one a month. */
static err posts_take(const char *key, char *const *rows, unsigned count, uint8_t *steps,
                      uint8_t out[12][TARIFF_STEPS_MAX])
{
    if (count != 1 && count != MONTHS) {
        FAIL(ERR_PROTO, "%s: %u rows, 1 or 12 are wanted", key, count);
    }
    if (*steps == 0) {
        *steps = (uint8_t)strlen(rows[0]);
    }
    for (unsigned month = 0; month < MONTHS; month++) {
        const char *row = rows[count == 1 ? 0 : month];
        if ((*steps != 24 && *steps != 96) || strlen(row) != *steps) {
            FAIL(ERR_PROTO, "%s: rows have 24 or 96 digits, all the same", key);
        }
        for (unsigned i = 0; i < *steps; i++) {
            if (row[i] != '0' && row[i] != '1') {
                FAIL(ERR_PROTO, "%s: only 0 (off-peak) and 1 (peak) are posts", key);
            }
            out[month][i] = (uint8_t)(row[i] - '0');
        }
    }
    return OK;
}

static err tariff_take(const struct yaml_tariff *y, struct tariff *t)
{
    text_copy(t->act, sizeof t->act, y->act);
    text_copy(t->distributor, sizeof t->distributor, y->distributor);
    text_copy(t->utility, sizeof t->utility, y->utility);
    text_copy(t->subgroup, sizeof t->subgroup, y->subgroup);
    text_copy(t->modality, sizeof t->modality, y->modality);
    TRY(bool_take("production", y->production, &t->production));
    TRY(int_take("icms_ppm", y->taxes.icms_ppm, &t->taxes.icms_ppm));
    TRY(int_take("pis_cofins_ppm", y->taxes.pis_cofins_ppm, &t->taxes.pis_cofins_ppm));
    TRY(int_take("withheld_demand_ppm", y->taxes.withheld_demand_ppm,
                 &t->taxes.withheld_demand_ppm));
    TRY(int_take("withheld_energy_ppm", y->taxes.withheld_energy_ppm,
                 &t->taxes.withheld_energy_ppm));
    TRY(int_take("percent", y->overrun.percent, &t->overrun_percent));
    TRY(int_take("factor", y->overrun.factor, &t->overrun_factor));
    TRY(day_take("valid_from", y->valid_from, &t->valid_from_day));
    TRY(day_take("valid_to", y->valid_to, &t->valid_to_day));
    TRY(minute_take(y->window_from, &t->window_start_min));
    for (enum tariff_price i = 0; i < PRICE_COUNT; i++) {
        TRY(price_take(tariff_price_name(i), y->prices.of[i], &t->prices_e8[i]));
    }
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        TRY(price_take(flag_colour_name(i), y->flags.of[i], &t->flags_e8[i]));
    }
    TRY(posts_take("weekday", y->weekday, y->weekday_count, &t->steps, t->weekday));
    return posts_take("weekend", y->weekend, y->weekend_count, &t->steps, t->weekend);
}

err document_tariff(const char *path, struct buf *out_json, struct tariff *out)
{
    AUTO(yaml_tariff_free) struct yaml_tariff *y = NULL;
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct tariff t = { .steps = 0 };

    TRY(yaml_load(path, &tariff_schema, (void **)&y));
    TRY(err_context(tariff_take(y, &t), "%s", path));
    /* The reader of the canonical form has all range checks: nothing that it refuses gets in. */
    TRY(tariff_write(&t, &json));
    TRY(err_context(tariff_parse(buf_bytes(&json), &t), "%s", path));
    TRY(buf_append(out_json, buf_bytes(&json)));
    *out = t;
    return OK;
}

static err flag_take(const struct yaml_flag *y, struct calendar *c)
{
    struct calendar_flag *f = &c->flags[c->flag_count];

    TRY(day_take("flags", y->from, &f->from_day));
    for (f->colour = 0; f->colour < FLAG_COLOURS; f->colour++) {
        if (strcmp(flag_colour_name(f->colour), y->colour) == 0) {
            c->flag_count++;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "flags: colour %s is none of green, yellow, red1, red2", y->colour);
}

static err zone_take(const struct yaml_shift *y, struct calendar *c)
{
    struct calendar_shift *z = &c->zone[c->zone_count];

    TRY(err_context(time_parse(bytes_of_string(y->from), &z->from_s), "zone"));
    TRY(int_take("offset_s", y->offset_s, &z->offset_s));
    c->zone_count++;
    return OK;
}

static err calendar_take(const struct yaml_calendar *y, struct calendar *c)
{
    text_copy(c->name, sizeof c->name, y->name);
    TRY(day_take("valid_from", y->valid_from, &c->valid_from_day));
    TRY(day_take("valid_to", y->valid_to, &c->valid_to_day));
    for (unsigned i = 0; i < y->zone_count; i++) {
        TRY(zone_take(&y->zone[i], c));
    }
    for (unsigned i = 0; i < y->fixed_count; i++) {
        TRY(calendar_fixed_add(c, bytes_of_string(y->fixed[i])));
    }
    for (unsigned i = 0; i < y->easter_count; i++) {
        int32_t days = 0;
        TRY(int_take("easter", y->easter[i], &days));
        if (days < INT16_MIN || days > INT16_MAX) {
            FAIL(ERR_PROTO, "easter: %d days are out of range", days);
        }
        c->easter[c->easter_count++] = (int16_t)days;
    }
    for (unsigned i = 0; i < y->flags_count; i++) {
        TRY(flag_take(&y->flags[i], c));
    }
    return OK;
}

err document_calendar(const char *path, struct buf *out_json, struct calendar *out)
{
    AUTO(yaml_calendar_free) struct yaml_calendar *y = NULL;
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct calendar c = { .zone_count = 0 };

    TRY(yaml_load(path, &calendar_schema, (void **)&y));
    TRY(err_context(calendar_take(y, &c), "%s", path));
    TRY(calendar_write(&c, &json));
    TRY(err_context(calendar_parse(buf_bytes(&json), &c), "%s", path));
    TRY(buf_append(out_json, buf_bytes(&json)));
    *out = c;
    return OK;
}
