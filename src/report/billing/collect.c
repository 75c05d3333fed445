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

struct item { /* one reading while they are put in order */
    struct point point;
    uint8_t octets[RECORD_BYTES];
};

static int item_compare(const void *a, const void *b)
{
    uint32_t x = ((const struct item *)a)->point.sequence;
    uint32_t y = ((const struct item *)b)->point.sequence;

    return x < y ? -1 : x > y;
}

static err sort(struct collected *c)
{
    AUTO(mem_givep) struct item *items = mem_take(c->point_count * sizeof *items);

    if (items == NULL) {
        FAIL(ERR_LIMIT, "no memory to sort %zu readings", c->point_count);
    }
    for (size_t i = 0; i < c->point_count; i++) {
        items[i].point = c->points[i];
        memcpy(items[i].octets, c->octets.ptr + i * RECORD_BYTES, RECORD_BYTES);
    }
    qsort(items, c->point_count, sizeof *items, item_compare);
    for (size_t i = 0; i < c->point_count; i++) {
        c->points[i] = items[i].point;
        memcpy(c->octets.ptr + i * RECORD_BYTES, items[i].octets, RECORD_BYTES);
    }
    return OK;
}

/* Rows come by time; that is the order of sequences unless a clock was set back. */
err collected_finish(struct collected *c)
{
    bool sorted = true;

    for (size_t i = 1; i < c->point_count; i++) {
        sorted &= c->points[i - 1].sequence <= c->points[i].sequence;
    }
    return sorted ? OK : sort(c);
}

static err each_reading(void *arg, const struct stored_reading *row)
{
    struct collected *c = arg;

    TRY(collected_add(c, &row->record));
    c->points[c->point_count - 1].quality = row->quality;
    return OK;
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
