/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/collect.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define FIRST_ROOM 128

void collected_done(struct collected *c)
{
    buf_done(&c->octets);
    mem_give(c->points);
    mem_give(c->seals);
    *c = (struct collected){ 0 };
}

/* Makes room for one more of `size` octets. */
static err make_room(void **list, size_t count, size_t *room, size_t size, size_t max)
{
    if (count < *room) {
        return OK;
    }
    size_t more = *room == 0 ? FIRST_ROOM : 2 * *room;
    more = more > max ? max : more;
    if (count >= more) {
        FAIL(ERR_LIMIT, "more than %zu readings or seals in a period", max);
    }
    void *grown = mem_resize(*list, more * size);
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu readings or seals", more);
    }
    *list = grown;
    *room = more;
    return OK;
}

err collected_add(struct collected *c, const struct record *r)
{
    void *list = c->points;

    c->octets.max = BUNDLE_READINGS_BYTES_MAX;
    TRY(make_room(&list, c->point_count, &c->point_room, sizeof c->points[0], BUNDLE_RECORDS_MAX));
    c->points = list;
    TRY(bundle_record_add(&c->octets, r));
    c->points[c->point_count++] = point_of(r);
    return OK;
}

err collected_seal(struct collected *c, const struct sealed_day *d)
{
    void *list = c->seals;

    TRY(make_room(&list, c->seal_count, &c->seal_room, sizeof c->seals[0], BUNDLE_SEALS_MAX));
    c->seals = list;
    c->seals[c->seal_count++] = *d;
    return OK;
}

static int octets_compare(const void *a, const void *b)
{
    uint32_t x = load_u32((const uint8_t *)a + 4);
    uint32_t y = load_u32((const uint8_t *)b + 4);

    return x < y ? -1 : x > y;
}

/* Rows come by time; that is the order of sequences unless a clock was set back. */
err collected_finish(struct collected *c)
{
    bool sorted = true;

    for (size_t i = 1; i < c->point_count; i++) {
        sorted &= c->points[i - 1].sequence <= c->points[i].sequence;
    }
    if (sorted) {
        return OK;
    }
    qsort(c->octets.ptr, c->point_count, RECORD_BYTES, octets_compare);
    for (size_t i = 0; i < c->point_count; i++) {
        struct record r;
        TRY(record_parse(bundle_record_at(buf_bytes(&c->octets), i), &r));
        c->points[i] = point_of(&r);
    }
    return OK;
}

static err each_reading(void *arg, const struct stored_reading *row)
{
    return collected_add(arg, &row->record);
}

static err each_seal(void *arg, const struct sealed_day *day)
{
    return collected_seal(arg, day);
}

err collect(struct readings *store, uint64_t meter, int64_t start_s, int64_t end_s,
            struct collected *out)
{
    *out = (struct collected){ 0 };
    /* From the second before the start: the seal that ends there opens the period. */
    TRY(readings_seals(store, meter, start_s - 1, end_s, each_seal, out));
    TRY(readings_scan(store, meter, start_s, end_s, each_reading, out));
    return collected_finish(out);
}
