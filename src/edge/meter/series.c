/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define FIELDS_MAX 64
#define DECIMALS_MAX 6
#define MICRO_MAX INT64_C(1000000000000) /* a million kW: no customer has it */
/* Energies are kept in quarters of a milliwatt hour: a mean of 1e-6 kW over a quarter hour is one,
 * an energy of 1e-6 kWh is four. */
#define UNITS_PER_WH 4000

enum column { COL_START, COL_KWH, COL_LAG, COL_LEAD, COL_KW, COL_KVAR, COL_COUNT };

static const char *const column_names[COL_COUNT] = { "start",      "kwh", "kvarh_lag",
                                                     "kvarh_lead", "kw",  "kvar" };

/* --- columns --- */

static char *column_slot(struct series_columns *c, size_t i)
{
    char *slots[COL_COUNT] = { c->start, c->kwh, c->kvarh_lag, c->kvarh_lead, c->kw, c->kvar };

    return slots[i];
}

static err set_column(struct series_columns *c, struct bytes role, struct bytes name)
{
    for (size_t i = 0; i < COL_COUNT; i++) {
        if (!bytes_equal(role, bytes_of_string(column_names[i]))) {
            continue;
        }
        if (name.len == 0 || name.len >= sizeof c->start) {
            FAIL(ERR_PROTO, "--columns: the name for %s has 1 to 63 characters", column_names[i]);
        }
        char *slot = column_slot(c, i);
        memcpy(slot, name.ptr, name.len);
        slot[name.len] = '\0';
        return OK;
    }
    FAIL(ERR_PROTO, "--columns: \"%.*s\" is none of start, kwh, kvarh_lag, kvarh_lead, kw, kvar",
         (int)(role.len < 32 ? role.len : 32), (const char *)role.ptr);
}

err series_columns_parse(const char *text, struct series_columns *out)
{
    struct series_columns c = { 0 };
    struct bytes in = text != NULL ? bytes_of_string(text) : (struct bytes){ 0 };

    for (size_t i = 0; i < COL_COUNT; i++) {
        snprintf(column_slot(&c, i), sizeof c.start, "%s", column_names[i]);
    }
    while (in.len > 0) {
        struct bytes pair = bytes_cut(&in, ',');
        struct bytes role = bytes_cut(&pair, '=');
        TRY(set_column(&c, role, pair));
    }
    *out = c;
    return OK;
}

/* --- zones --- */

err series_zone_parse(const char *text, struct series_zone *out)
{
    bool negative = text[0] == '-';
    uint64_t v = 0;

    if (strcmp(text, "los_angeles") == 0) {
        *out = (struct series_zone){ .kind = ZONE_LOS_ANGELES };
        return OK;
    }
    if (decimal_parse(bytes_of_string(text + (negative || text[0] == '+')), 50400, &v).code ||
        v % 900 != 0) {
        FAIL(ERR_PROTO, "zone \"%s\": seconds from UTC, a multiple of 900 from -50400 to 50400, "
             "or los_angeles", text);
    }
    *out = (struct series_zone){ .offset_s = negative ? -(int32_t)v : (int32_t)v };
    return OK;
}

/* 02:00 local of the n-th Sunday of a month. */
static int64_t nth_sunday_2h(int32_t year, uint32_t month, uint32_t n)
{
    int64_t first = civil_to_days(year, month, 1) * S_PER_DAY;
    uint32_t weekday = civil_weekday(first); /* 1 = Sunday */

    return first + (int64_t)((8 - weekday) % 7 + 7 * (n - 1)) * S_PER_DAY + 7200;
}

static err los_angeles_utc(int64_t local_s, bool again, int64_t *out)
{
    int32_t year = civil_from_s(local_s).year;
    int64_t spring = nth_sunday_2h(year, 3, 2); /* 02:00 becomes 03:00 */
    int64_t autumn = nth_sunday_2h(year, 11, 1); /* 02:00 becomes 01:00 */
    bool daylight = local_s >= spring && local_s < autumn;

    if (local_s >= spring && local_s < spring + 3600) {
        FAIL(ERR_PROTO, "the clock change in March left this time out");
    }
    if (local_s >= autumn - 3600 && local_s < autumn) {
        daylight = again;
    }
    *out = local_s + (daylight ? 7 : 8) * 3600;
    return OK;
}

err series_zone_utc(const struct series_zone *z, int64_t local_s, bool again, int64_t *out)
{
    if (z->kind == ZONE_LOS_ANGELES) {
        return los_angeles_utc(local_s, again, out);
    }
    *out = local_s - z->offset_s;
    return OK;
}

/* --- rows --- */

struct line {
    size_t number; /* from 1 */
    struct bytes fields[FIELDS_MAX];
    size_t count;
};

struct parse {
    const struct series_columns *columns;
    size_t at[COL_COUNT]; /* field of each column; FIELDS_MAX = absent */
    size_t field_count;
    bool energies; /* kwh form; else kw form */
};

struct raw_row { /* before zones and carries */
    int64_t local_s;
    size_t line;
    int64_t units[3]; /* active, inductive, capacitive, in 1/4000 Wh */
};

struct raw {
    struct raw_row *rows; /* owned */
    size_t count, cap;
};

static void raw_done(struct raw *r)
{
    mem_give(r->rows);
}

/* The next line that is not empty; false at the end. */
static bool take_line(struct bytes *in, size_t *number, struct bytes *out)
{
    while (in->len > 0) {
        struct bytes part = bytes_cut(in, '\n');
        ++*number;
        if (part.len > 0 && part.ptr[part.len - 1] == '\r') {
            part.len--;
        }
        if (part.len > 0) {
            *out = part;
            return true;
        }
    }
    return false;
}

static err split(struct bytes text, size_t number, struct line *out)
{
    struct line l = { .number = number };
    bool more = true;

    if (text.len > SERIES_LINE_BYTES_MAX) {
        FAIL(ERR_LIMIT, "line %zu: longer than %d octets", number, SERIES_LINE_BYTES_MAX);
    }
    while (more) {
        if (l.count == FIELDS_MAX) {
            FAIL(ERR_LIMIT, "line %zu: more than %d columns", number, FIELDS_MAX);
        }
        size_t before = text.len;
        l.fields[l.count] = bytes_cut(&text, ',');
        more = l.fields[l.count].len < before;
        l.count++;
    }
    *out = l;
    return OK;
}

static size_t find_field(const struct line *header, const char *name)
{
    for (size_t i = 0; i < header->count; i++) {
        if (bytes_equal(header->fields[i], bytes_of_string(name))) {
            return i;
        }
    }
    return FIELDS_MAX;
}

static bool has(const struct parse *p, enum column c)
{
    return p->at[c] < FIELDS_MAX;
}

static err read_header(struct parse *p, const struct line *header)
{
    struct series_columns names = *p->columns;

    for (size_t i = 0; i < COL_COUNT; i++) {
        p->at[i] = find_field(header, column_slot(&names, i));
    }
    p->field_count = header->count;
    p->energies = has(p, COL_KWH);
    if (!has(p, COL_START)) {
        FAIL(ERR_PROTO, "line %zu: no column \"%s\"; columns: start,kwh,kvarh_lag,kvarh_lead or "
             "start,kw,kvar, or say --columns start=NAME,...", header->number, names.start);
    }
    if (has(p, COL_KWH) == has(p, COL_KW)) {
        FAIL(ERR_PROTO, "line %zu: exactly one of the columns \"%s\" and \"%s\" is wanted",
             header->number, names.kwh, names.kw);
    }
    if (p->energies && (!has(p, COL_LAG) || !has(p, COL_LEAD))) {
        FAIL(ERR_PROTO, "line %zu: no column \"%s\"", header->number,
             has(p, COL_LAG) ? names.kvarh_lead : names.kvarh_lag);
    }
    if (!p->energies && !has(p, COL_KVAR)) {
        FAIL(ERR_PROTO, "line %zu: no column \"%s\"", header->number, names.kvar);
    }
    return OK;
}

/* A decimal with an optional sign, in millionths. */
static err parse_micro(struct bytes text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    size_t i = negative;
    size_t digits = 0;
    size_t decimals = 0;
    bool point = false;
    int64_t v = 0;

    for (; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.' && !point && digits > 0) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || decimals == DECIMALS_MAX) {
            FAIL(ERR_PROTO, "not a decimal number of at most %d decimals", DECIMALS_MAX);
        }
        v = v * 10 + (c - '0');
        digits++;
        decimals += point;
        if (v > MICRO_MAX) {
            FAIL(ERR_PROTO, "too large for an electricity customer");
        }
    }
    if (digits == 0 || (point && decimals == 0)) {
        FAIL(ERR_PROTO, text.len == 0 ? "the cell is empty" : "not a decimal number");
    }
    for (; decimals < DECIMALS_MAX; decimals++) {
        v *= 10;
        if (v > MICRO_MAX) {
            FAIL(ERR_PROTO, "too large for an electricity customer");
        }
    }
    *out = negative ? -v : v;
    return OK;
}

static err name_cell(err e, const struct line *l, const struct parse *p, enum column c)
{
    struct series_columns names = *p->columns;

    return err_context(e, "line %zu, column \"%s\"", l->number, column_slot(&names, c));
}

static err read_cell(const struct parse *p, const struct line *l, enum column c,
                     bool may_be_negative, int64_t *out)
{
    int64_t v = 0;
    err e = parse_micro(l->fields[p->at[c]], &v);

    if (!e.code && v < 0 && !may_be_negative) {
        err_set(__FILE__, __LINE__, "below zero: the registers count import only");
        e = (err){ ERR_PROTO };
    }
    if (e.code) {
        return name_cell(e, l, p, c);
    }
    *out = v;
    return OK;
}

static err read_start(const struct parse *p, const struct line *l, int64_t *out)
{
    struct bytes text = l->fields[p->at[COL_START]];
    char copy[TIME_TEXT_BYTES];
    int64_t s = 0;
    err e = { ERR_PROTO };

    if (text.len < sizeof copy) {
        memcpy(copy, text.ptr, text.len);
        if (text.len > 10 && copy[10] == ' ') {
            copy[10] = 'T';
        }
        e = time_parse((struct bytes){ (uint8_t *)copy, text.len }, &s);
    } else {
        err_set(__FILE__, __LINE__, "not a time");
    }
    if (!e.code && (s < S_PER_DAY || s % RECORD_INTERVAL_S != 0)) {
        err_set(__FILE__, __LINE__, "no start of a quarter hour");
        e = (err){ ERR_PROTO };
    }
    if (e.code) {
        return name_cell(e, l, p, COL_START);
    }
    *out = s;
    return OK;
}

static err read_row(const struct parse *p, const struct line *l, struct raw_row *out)
{
    struct raw_row r = { .line = l->number };
    int64_t kvar = 0;

    if (l->count != p->field_count) {
        FAIL(ERR_PROTO, "line %zu: %zu columns, the header has %zu", l->number, l->count,
             p->field_count);
    }
    TRY(read_start(p, l, &r.local_s));
    if (p->energies) {
        TRY(read_cell(p, l, COL_KWH, false, &r.units[0]));
        TRY(read_cell(p, l, COL_LAG, false, &r.units[1]));
        TRY(read_cell(p, l, COL_LEAD, false, &r.units[2]));
        for (size_t i = 0; i < 3; i++) {
            r.units[i] *= 4;
        }
    } else {
        TRY(read_cell(p, l, COL_KW, false, &r.units[0]));
        TRY(read_cell(p, l, COL_KVAR, true, &kvar));
        r.units[kvar >= 0 ? 1 : 2] = kvar >= 0 ? kvar : -kvar;
    }
    *out = r;
    return OK;
}

static err raw_add(struct raw *raw, const struct raw_row *row)
{
    if (raw->count == SERIES_ROWS_MAX) {
        FAIL(ERR_LIMIT, "line %zu: more than %d rows", row->line, SERIES_ROWS_MAX);
    }
    if (raw->count == raw->cap) {
        size_t cap = raw->cap == 0 ? 4096 : raw->cap * 2;
        struct raw_row *rows = mem_resize(raw->rows, cap * sizeof *rows);
        if (rows == NULL) {
            FAIL(ERR_LIMIT, "no memory for %zu rows", cap);
        }
        raw->rows = rows;
        raw->cap = cap;
    }
    raw->rows[raw->count++] = *row;
    return OK;
}

static err read_rows(struct bytes text, const struct series_columns *columns, struct raw *out)
{
    struct parse p = { .columns = columns };
    struct bytes line_text;
    struct line line;
    size_t number = 0;

    if (!take_line(&text, &number, &line_text)) {
        FAIL(ERR_PROTO, "line 1: the file is empty; a header line is wanted");
    }
    TRY(split(line_text, number, &line));
    TRY(read_header(&p, &line));
    while (take_line(&text, &number, &line_text)) {
        struct raw_row row;
        TRY(split(line_text, number, &line));
        TRY(read_row(&p, &line, &row));
        TRY(raw_add(out, &row));
    }
    if (out->count == 0) {
        FAIL(ERR_PROTO, "line %zu: no row behind the header", number);
    }
    return OK;
}

/* --- to intervals --- */

/* A stamp of the doubled hour may come again up to four rows later. */
static bool comes_again(const struct raw *raw, size_t i)
{
    for (size_t j = i + 1; j < raw->count && j <= i + 4; j++) {
        if (raw->rows[j].local_s == raw->rows[i].local_s) {
            return true;
        }
    }
    return false;
}

struct dated { /* a row with its true time */
    int64_t utc_s;
    const struct raw_row *row;
};

static int by_time(const void *a, const void *b)
{
    const struct dated *x = a;
    const struct dated *y = b;

    if (x->utc_s != y->utc_s) {
        return x->utc_s < y->utc_s ? -1 : 1;
    }
    return (x->row->line > y->row->line) - (x->row->line < y->row->line);
}

/* Stamps do not fall, but for the hour that an autumn change repeats. */
static err check_order(const struct series_zone *zone, const struct raw *raw, size_t i,
                       int64_t utc_s, int64_t previous_utc_s)
{
    int64_t fall = i > 0 ? raw->rows[i - 1].local_s - raw->rows[i].local_s : 0;
    bool repeated_hour = zone->kind == ZONE_LOS_ANGELES && fall <= 3600 && utc_s >= previous_utc_s;

    if (fall > 0 && !repeated_hour) {
        FAIL(ERR_PROTO, "line %zu, column \"start\": earlier than the line before; oldest first is "
             "wanted", raw->rows[i].line);
    }
    return OK;
}

static err date_rows(const struct series_zone *zone, const struct raw *raw, struct dated *out)
{
    for (size_t i = 0; i < raw->count; i++) {
        const struct raw_row *r = &raw->rows[i];
        err e = series_zone_utc(zone, r->local_s, comes_again(raw, i), &out[i].utc_s);
        if (e.code) {
            return err_context(e, "line %zu, column \"start\"", r->line);
        }
        out[i].row = r;
        TRY(check_order(zone, raw, i, out[i].utc_s, i > 0 ? out[i - 1].utc_s : 0));
        if (out[i].utc_s < RECORD_INTERVAL_S || out[i].utc_s > UINT32_MAX - S_PER_DAY) {
            FAIL(ERR_PROTO, "line %zu, column \"start\": outside 1970 to 2106", r->line);
        }
    }
    qsort(out, raw->count, sizeof *out, by_time);
    return OK;
}

/* Whole pulses; the rest is carried to the next row, so that totals are exact. */
static uint32_t pulses(int64_t units, int64_t *carry)
{
    int64_t sum = units + *carry;

    *carry = sum % UNITS_PER_WH;
    return (uint32_t)(sum / UNITS_PER_WH);
}

static void fill_rows(const struct dated *dated, size_t count, struct series *s)
{
    int64_t carry[3] = { 0 };

    for (size_t i = 0; i < count; i++) {
        struct series_row *r = &s->rows[i];
        const int64_t *units = dated[i].row->units;
        bool again = i > 0 && dated[i].utc_s == dated[i - 1].utc_s;
        int64_t spare[3];
        memcpy(spare, carry, sizeof spare);
        int64_t *from = again ? spare : carry; /* a double is in no register */
        r->end_s = (uint32_t)dated[i].utc_s + RECORD_INTERVAL_S;
        r->again = again;
        r->energy.wh = pulses(units[0], &from[0]);
        r->energy.varh_ind = pulses(units[1], &from[1]);
        r->energy.varh_cap = pulses(units[2], &from[2]);
        if (again && memcmp(units, dated[i - 1].row->units, sizeof spare) == 0) {
            r->energy = s->rows[i - 1].energy; /* octet for octet the same report */
        } else if (!again) {
            s->wh += r->energy.wh;
            s->varh_ind += r->energy.varh_ind;
            s->varh_cap += r->energy.varh_cap;
        }
    }
    s->count = count;
}

err series_parse(struct bytes text, const struct series_columns *columns,
                 const struct series_zone *zone, struct series *out)
{
    AUTO(raw_done) struct raw raw = { 0 };
    AUTO(mem_givep) struct dated *dated = NULL;
    struct series s = { 0 };

    TRY(read_rows(text, columns, &raw));
    dated = mem_take(raw.count * sizeof *dated);
    if (dated == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu rows", raw.count);
    }
    TRY(date_rows(zone, &raw, dated));
    s.rows = mem_take(raw.count * sizeof *s.rows);
    if (s.rows == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu rows", raw.count);
    }
    fill_rows(dated, raw.count, &s);
    *out = s;
    return OK;
}

void series_done(struct series *s)
{
    mem_give(s->rows);
    *s = (struct series){ 0 };
}
