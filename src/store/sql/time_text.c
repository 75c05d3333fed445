/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/time_text.h"

#include <stdio.h>

#include "lib/base/clock.h"

/* Exactly `count` digits off the front. */
static err take_digits(struct bytes *in, size_t count, uint32_t *out)
{
    struct bytes part;
    struct bytes rest = *in;
    uint32_t v = 0;

    TRY(bytes_read(&rest, count, &part));
    for (size_t i = 0; i < count; i++) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9') {
            FAIL(ERR_PROTO, "a digit is wanted in a time");
        }
        v = v * 10 + (uint32_t)(part.ptr[i] - '0');
    }
    *in = rest;
    *out = v;
    return OK;
}

static bool take_char(struct bytes *in, char c)
{
    if (in->len == 0 || in->ptr[0] != (uint8_t)c) {
        return false;
    }
    in->ptr++;
    in->len--;
    return true;
}

static err want_char(struct bytes *in, char c)
{
    if (!take_char(in, c)) {
        FAIL(ERR_PROTO, "'%c' is wanted in a time", c);
    }
    return OK;
}

static err take_date(struct bytes *in, struct civil *out)
{
    uint32_t year;

    TRY(take_digits(in, 4, &year));
    TRY(want_char(in, '-'));
    TRY(take_digits(in, 2, &out->month));
    TRY(want_char(in, '-'));
    TRY(take_digits(in, 2, &out->day));
    out->year = (int32_t)year;
    return OK;
}

/* Up to six decimals of a second. */
static err take_fraction(struct bytes *in, int64_t *out_us)
{
    int64_t us = 0;
    int64_t unit = 100000;
    uint32_t digit;

    do {
        TRY(take_digits(in, 1, &digit));
        us += unit * digit;
        unit /= 10;
    } while (unit > 0 && in->len > 0 && in->ptr[0] >= '0' && in->ptr[0] <= '9');
    *out_us = us;
    return OK;
}

static err take_clock(struct bytes *in, struct civil *c, int64_t *out_us)
{
    TRY(take_digits(in, 2, &c->hour));
    TRY(want_char(in, ':'));
    TRY(take_digits(in, 2, &c->minute));
    if (!take_char(in, ':')) {
        return OK;
    }
    TRY(take_digits(in, 2, &c->second));
    return take_char(in, '.') ? take_fraction(in, out_us) : OK;
}

static err take_zone(struct bytes *in, int64_t *out_s)
{
    uint32_t hours, minutes = 0;

    if (in->len == 0 || take_char(in, 'Z') || take_char(in, 'z')) {
        return OK;
    }
    bool west = take_char(in, '-');
    if (!west) {
        TRY(want_char(in, '+'));
    }
    TRY(take_digits(in, 2, &hours));
    if (in->len > 0) {
        (void)take_char(in, ':');
        TRY(take_digits(in, 2, &minutes));
    }
    if (hours > 15 || minutes > 59) {
        FAIL(ERR_LIMIT, "a time zone of %u:%02u hours", hours, minutes);
    }
    int64_t s = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *out_s = west ? -s : s;
    return OK;
}

static err whole(struct bytes rest)
{
    if (rest.len > 0) {
        FAIL(ERR_PROTO, "%zu characters behind a time", rest.len);
    }
    return OK;
}

static err existing(const struct civil *c)
{
    if (!civil_valid(c)) {
        FAIL(ERR_LIMIT, "a date or time that does not exist");
    }
    return OK;
}

err date_read(struct bytes text, int64_t *out_days)
{
    struct civil c = { 0 };

    TRY(take_date(&text, &c));
    TRY(whole(text));
    TRY(existing(&c));
    *out_days = civil_to_days(c.year, c.month, c.day) - SQL_EPOCH_S / S_PER_DAY;
    return OK;
}

err timestamp_read(struct bytes text, bool zone, int64_t *out_us)
{
    struct civil c = { 0 };
    int64_t us = 0;
    int64_t offset_s = 0;

    TRY(take_date(&text, &c));
    if (take_char(&text, 'T') || take_char(&text, ' ')) {
        TRY(take_clock(&text, &c, &us));
    }
    if (zone) {
        TRY(take_zone(&text, &offset_s));
    }
    TRY(whole(text));
    TRY(existing(&c));
    *out_us = (civil_to_s(&c) - offset_s - SQL_EPOCH_S) * (int64_t)US_PER_S + us;
    return OK;
}

size_t date_write(int64_t days, char out[TIME_SQL_TEXT_BYTES])
{
    struct civil c = civil_from_s((days + SQL_EPOCH_S / S_PER_DAY) * S_PER_DAY);

    return (size_t)snprintf(out, TIME_SQL_TEXT_BYTES, "%04d-%02u-%02u", c.year, c.month, c.day);
}

size_t timestamp_write(int64_t us, bool zone, char out[TIME_SQL_TEXT_BYTES])
{
    int64_t s = us / (int64_t)US_PER_S;
    int64_t rest = us % (int64_t)US_PER_S;
    char fraction[16] = "";

    if (rest < 0) {
        s--;
        rest += (int64_t)US_PER_S;
    }
    struct civil c = civil_from_s(s + SQL_EPOCH_S);
    if (rest != 0) {
        snprintf(fraction, sizeof fraction, ".%06d", (int)rest);
    }
    return (size_t)snprintf(out, TIME_SQL_TEXT_BYTES, "%04d-%02u-%02uT%02u:%02u:%02u%s%s", c.year,
                            c.month, c.day, c.hour, c.minute, c.second, fraction, zone ? "Z" : "");
}
