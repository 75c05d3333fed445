/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/calendar.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"

#define SCHEMA "meterseal.calendar/1"
#define ZONE_OFFSET_MAX INT64_C(54000)
#define EASTER_DISTANCE_MAX 200
#define FIXED_TEXT_LEN 5        /* "MM-DD" */
#define FIXED_SINCE_TEXT_LEN 10 /* "MM-DD@YYYY" */

static const char *const colour_names[FLAG_COLOURS] = { "green", "red1", "red2", "yellow" };

const char *flag_colour_name(enum flag_colour colour)
{
    return colour_names[colour];
}

static void fixed_write(struct json_writer *w, const struct calendar *c)
{
    char text[16];

    json_write_key(w, "fixed");
    json_write_array(w);
    for (size_t i = 0; i < c->fixed_count; i++) {
        int n = snprintf(text, sizeof text, "%02u-%02u", c->fixed[i].month % 100u,
                         c->fixed[i].day % 100u);
        if (c->fixed[i].since != 0) {
            snprintf(text + n, sizeof text - (size_t)n, "@%04u", c->fixed[i].since % 10000u);
        }
        json_write_string(w, text);
    }
    json_write_array_end(w);
}

static void flags_write(struct json_writer *w, const struct calendar *c)
{
    json_write_key(w, "flags");
    json_write_array(w);
    for (size_t i = 0; i < c->flag_count; i++) {
        json_write_object(w);
        canon_string(w, "colour", colour_names[c->flags[i].colour]);
        canon_day(w, "from", c->flags[i].from_day);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void zone_write(struct json_writer *w, const struct calendar *c)
{
    json_write_key(w, "zone");
    json_write_array(w);
    for (size_t i = 0; i < c->zone_count; i++) {
        json_write_object(w);
        canon_int(w, "from", c->zone[i].from_s);
        canon_int(w, "offset", c->zone[i].offset_s);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

err calendar_write(const struct calendar *c, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "easter");
    json_write_array(&w);
    for (size_t i = 0; i < c->easter_count; i++) {
        json_write_int(&w, c->easter[i]);
    }
    json_write_array_end(&w);
    fixed_write(&w, c);
    flags_write(&w, c);
    canon_string(&w, "name", c->name);
    canon_string(&w, "schema", SCHEMA);
    canon_day(&w, "valid_from", c->valid_from_day);
    canon_day(&w, "valid_to", c->valid_to_day);
    zone_write(&w, c);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err array_take(const json_t *doc, const char *key, size_t min, size_t max, json_t **out,
                      size_t *out_count)
{
    TRY(json_field_array(doc, key, out));
    *out_count = json_array_size(*out);
    if (*out_count < min || *out_count > max) {
        FAIL(ERR_PROTO, "field %s has %zu entries, %zu to %zu are allowed", key, *out_count, min,
             max);
    }
    return OK;
}

static err easter_parse(const json_t *doc, struct calendar *c)
{
    json_t *list;

    TRY(array_take(doc, "easter", 0, CALENDAR_EASTER_MAX, &list, &c->easter_count));
    for (size_t i = 0; i < c->easter_count; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t days = json_integer_value(v);
        if (!json_is_integer(v) || days < -EASTER_DISTANCE_MAX || days > EASTER_DISTANCE_MAX ||
            (i > 0 && days <= c->easter[i - 1])) {
            FAIL(ERR_PROTO, "field easter wants ascending days within %d of Easter",
                 EASTER_DISTANCE_MAX);
        }
        c->easter[i] = (int16_t)days;
    }
    return OK;
}

static err number_take(struct bytes text, size_t at, size_t digits, uint32_t *out)
{
    uint32_t v = 0;

    for (size_t i = at; i < at + digits; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            FAIL(ERR_PROTO, "field fixed wants dates of the form MM-DD or MM-DD@YYYY");
        }
        v = v * 10 + text.ptr[i] - '0';
    }
    *out = v;
    return OK;
}

err calendar_fixed_add(struct calendar *c, struct bytes text)
{
    struct civil date = { .year = 2000 }; /* a leap year: 02-29 is a date */
    uint32_t since = 0;
    bool has_since = text.len == FIXED_SINCE_TEXT_LEN;

    if ((text.len != FIXED_TEXT_LEN && !has_since) || text.ptr[2] != '-' ||
        (has_since && text.ptr[FIXED_TEXT_LEN] != '@')) {
        FAIL(ERR_PROTO, "field fixed wants dates of the form MM-DD or MM-DD@YYYY");
    }
    TRY(number_take(text, 0, 2, &date.month));
    TRY(number_take(text, 3, 2, &date.day));
    if (has_since) {
        TRY(number_take(text, FIXED_TEXT_LEN + 1, 4, &since));
    }
    if (!civil_valid(&date) || (has_since && since == 0)) {
        FAIL(ERR_PROTO, "field fixed has a date that no year has");
    }
    if (c->fixed_count == CALENDAR_FIXED_MAX) {
        FAIL(ERR_PROTO, "field fixed has more than %d dates", CALENDAR_FIXED_MAX);
    }
    c->fixed[c->fixed_count].month = (uint8_t)date.month;
    c->fixed[c->fixed_count].day = (uint8_t)date.day;
    c->fixed[c->fixed_count].since = (uint16_t)since;
    c->fixed_count++;
    return OK;
}

static err fixed_parse_list(const json_t *doc, struct calendar *c)
{
    json_t *list;
    size_t count = 0;
    unsigned before = 0;

    TRY(array_take(doc, "fixed", 0, CALENDAR_FIXED_MAX, &list, &count));
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_string(v)) {
            FAIL(ERR_PROTO, "field fixed wants texts");
        }
        TRY(calendar_fixed_add(
            c, (struct bytes){ (const uint8_t *)json_string_value(v), json_string_length(v) }));
        unsigned now = c->fixed[i].month * 100u + c->fixed[i].day;
        if (now <= before) {
            FAIL(ERR_PROTO, "field fixed is not ascending");
        }
        before = now;
    }
    return OK;
}

static err colour_parse(const json_t *entry, enum flag_colour *out)
{
    struct bytes text;

    TRY(json_field_text(entry, "colour", &text));
    for (enum flag_colour i = 0; i < FLAG_COLOURS; i++) {
        if (bytes_equal(text, bytes_of_string(colour_names[i]))) {
            *out = i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "field colour is none of green, yellow, red1, red2");
}

static err flags_parse(const json_t *doc, struct calendar *c)
{
    static const char *const fields[] = { "colour", "from", NULL };
    json_t *list;

    TRY(array_take(doc, "flags", 1, CALENDAR_FLAGS_MAX, &list, &c->flag_count));
    for (size_t i = 0; i < c->flag_count; i++) {
        const json_t *entry = json_array_get(list, i);
        TRY(canon_fields(entry, fields));
        TRY(colour_parse(entry, &c->flags[i].colour));
        TRY(canon_field_day(entry, "from", &c->flags[i].from_day));
        if (i > 0 && c->flags[i].from_day <= c->flags[i - 1].from_day) {
            FAIL(ERR_PROTO, "field flags is not ascending");
        }
    }
    if (c->flags[0].from_day > c->valid_from_day) {
        FAIL(ERR_PROTO, "field flags begins after valid_from");
    }
    return OK;
}

static err zone_parse(const json_t *doc, struct calendar *c)
{
    static const char *const fields[] = { "from", "offset", NULL };
    json_t *list;

    TRY(array_take(doc, "zone", 1, CALENDAR_ZONE_MAX, &list, &c->zone_count));
    for (size_t i = 0; i < c->zone_count; i++) {
        const json_t *entry = json_array_get(list, i);
        int64_t offset = 0;
        TRY(canon_fields(entry, fields));
        TRY(json_field_int(entry, "from", 0, UINT32_MAX, &c->zone[i].from_s));
        TRY(json_field_int(entry, "offset", -ZONE_OFFSET_MAX, ZONE_OFFSET_MAX, &offset));
        c->zone[i].offset_s = (int32_t)offset;
        if (i > 0 && c->zone[i].from_s <= c->zone[i - 1].from_s) {
            FAIL(ERR_PROTO, "field zone is not ascending");
        }
    }
    if (c->zone[0].from_s + c->zone[0].offset_s > (int64_t)c->valid_from_day * S_PER_DAY) {
        FAIL(ERR_PROTO, "field zone begins after valid_from");
    }
    return OK;
}

static err doc_parse(const json_t *doc, struct calendar *c)
{
    static const char *const fields[] = { "easter",     "fixed",    "flags", "name", "schema",
                                          "valid_from", "valid_to", "zone",  NULL };
    char schema[sizeof SCHEMA + 1];

    TRY(canon_fields(doc, fields));
    TRY(canon_field_string(doc, "schema", schema, sizeof schema));
    if (strcmp(schema, SCHEMA) != 0) {
        FAIL(ERR_PROTO, "field schema is not %s", SCHEMA);
    }
    TRY(canon_field_string(doc, "name", c->name, sizeof c->name));
    TRY(canon_field_day(doc, "valid_from", &c->valid_from_day));
    TRY(canon_field_day(doc, "valid_to", &c->valid_to_day));
    if (c->valid_from_day >= c->valid_to_day || c->valid_to_day > CALENDAR_DAY_MAX) {
        FAIL(ERR_PROTO, "valid_to is not after valid_from, or after 2100-01-01");
    }
    TRY(easter_parse(doc, c));
    TRY(fixed_parse_list(doc, c));
    TRY(flags_parse(doc, c));
    return zone_parse(doc, c);
}

err calendar_parse(struct bytes text, struct calendar *out)
{
    AUTO(json_freep) json_t *doc = NULL;
    struct calendar c = { .zone_count = 0 };

    TRY(canon_read(text, &doc));
    err e = doc_parse(doc, &c);
    if (e.code) {
        (void)err_context(e, "calendar");
        return (err){ ERR_PROTO };
    }
    *out = c;
    return OK;
}

struct digest calendar_hash(struct bytes text)
{
    return sha256_domain("meterseal.calendar.v1", text);
}
