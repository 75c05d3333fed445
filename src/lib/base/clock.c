/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_us(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);

    assert(rc == 0);
    (void)rc;
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t time_monotonic_us(void)
{
    static _Atomic uint64_t newest;
    uint64_t now = clock_us(CLOCK_MONOTONIC);
    uint64_t seen = atomic_load(&newest);

    while (now > seen && !atomic_compare_exchange_weak(&newest, &seen, now)) {
    }
    return now > seen ? now : seen;
}

uint64_t time_utc_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

/* Days from a civil date: years begin in March, so that the leap day ends one (a well-known form).
 */
int64_t civil_to_days(int32_t year, uint32_t month, uint32_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year =
        (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

struct civil civil_from_s(int64_t s)
{
    int64_t days = floor_div(s, S_PER_DAY);
    uint32_t rest = (uint32_t)(s - days * S_PER_DAY);
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    uint32_t month = (uint32_t)(mp < 10 ? mp + 3 : mp - 9);

    return (struct civil){
        .year = (int32_t)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (uint32_t)(doy - (153 * mp + 2) / 5 + 1),
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };
}

int64_t civil_to_s(const struct civil *c)
{
    return civil_to_days(c->year, c->month, c->day) * S_PER_DAY + c->hour * 3600 + c->minute * 60 +
           c->second;
}

bool civil_valid(const struct civil *c)
{
    static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12) {
        return false;
    }
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    uint32_t last = days[c->month - 1] + (uint32_t)(leap && c->month == 2);
    return c->day >= 1 && c->day <= last && c->hour < 24 && c->minute < 60 && c->second < 60;
}

uint32_t civil_weekday(int64_t s)
{
    int64_t days = floor_div(s, S_PER_DAY);

    return (uint32_t)((days % 7 + 7 + 4) % 7) + 1; /* 1970-01-01 was a Thursday */
}

void time_format_s(int64_t s, char out[TIME_TEXT_BYTES])
{
    struct civil c = civil_from_s(s);

    snprintf(out, TIME_TEXT_BYTES, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)c.year, c.month, c.day,
             c.hour, c.minute, c.second);
}

static err read_digits(struct bytes *in, size_t count, uint32_t *out)
{
    struct bytes part;
    uint32_t v = 0;

    TRY(bytes_read(in, count, &part));
    for (size_t i = 0; i < count; i++) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9') {
            FAIL(ERR_PROTO, "a digit is wanted in a time");
        }
        v = v * 10 + (uint32_t)(part.ptr[i] - '0');
    }
    *out = v;
    return OK;
}

static err read_mark(struct bytes *in, char mark)
{
    uint8_t c;

    TRY(bytes_read_u8(in, &c));
    if (c != (uint8_t)mark) {
        FAIL(ERR_PROTO, "a time is written YYYY-MM-DDTHH:MM:SSZ");
    }
    return OK;
}

static err read_clock(struct bytes *in, struct civil *c)
{
    TRY(read_mark(in, 'T'));
    TRY(read_digits(in, 2, &c->hour));
    TRY(read_mark(in, ':'));
    TRY(read_digits(in, 2, &c->minute));
    if (in->len > 0 && in->ptr[0] == ':') {
        TRY(read_mark(in, ':'));
        TRY(read_digits(in, 2, &c->second));
    }
    if (in->len > 0) {
        TRY(read_mark(in, 'Z'));
    }
    return OK;
}

err time_parse(struct bytes text, int64_t *out_s)
{
    struct civil c = { 0 };
    uint32_t year;

    TRY(read_digits(&text, 4, &year));
    TRY(read_mark(&text, '-'));
    TRY(read_digits(&text, 2, &c.month));
    TRY(read_mark(&text, '-'));
    TRY(read_digits(&text, 2, &c.day));
    c.year = (int32_t)year;
    if (text.len > 0) {
        TRY(read_clock(&text, &c));
    }
    if (text.len > 0 || !civil_valid(&c)) {
        FAIL(ERR_PROTO, "no such time; it is written YYYY-MM-DDTHH:MM:SSZ");
    }
    *out_s = civil_to_s(&c);
    return OK;
}
