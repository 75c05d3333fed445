/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/past.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/wire/meter_id.h"

#define PAST_FILE_BYTES_MAX (320u << 20)
#define NUMBERS 6 /* decimal fields of a line */

void past_done(struct past_table *t)
{
    mem_give(t->entries);
    *t = (struct past_table){ 0 };
}

/* Where a meter stands or would stand in the table. */
static size_t place_of(const struct past_table *t, uint64_t meter)
{
    size_t low = 0;
    size_t high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->entries[middle].meter < meter) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct past_entry *past_find(const struct past_table *t, uint64_t meter)
{
    size_t at = place_of(t, meter);

    return at < t->count && t->entries[at].meter == meter ? &t->entries[at] : NULL;
}

err past_set(struct past_table *t, const struct past_entry *e)
{
    size_t at = place_of(t, e->meter);

    if (at < t->count && t->entries[at].meter == e->meter) {
        t->entries[at] = *e;
        return OK;
    }
    if (t->count == PAST_METERS_MAX) {
        FAIL(ERR_LIMIT, "more than %d simulated meters", PAST_METERS_MAX);
    }
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        struct past_entry *grown = mem_resize(t->entries, cap * sizeof *grown);
        if (grown == NULL) {
            FAIL(ERR_LIMIT, "no memory for %zu meters", cap);
        }
        t->entries = grown;
        t->cap = cap;
    }
    memmove(t->entries + at + 1, t->entries + at, (t->count - at) * sizeof *t->entries);
    t->entries[at] = *e;
    t->count++;
    return OK;
}

/* Blank-separated: id in hex, seed, sequence, end, three registers, hash in hex. */
static err parse_line(struct bytes line, struct past_entry *out)
{
    static const uint64_t largest[NUMBERS] = { UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX,
                                               UINT64_MAX, UINT64_MAX };
    uint64_t n[NUMBERS];
    uint64_t meter;
    struct digest hash;

    TRY(meter_id_parse(bytes_cut(&line, ' '), &meter));
    for (size_t i = 0; i < NUMBERS; i++) {
        TRY(decimal_parse(bytes_cut(&line, ' '), largest[i], &n[i]));
    }
    TRY(hex_decode(line, hash.octets, DIGEST_BYTES));
    *out = (struct past_entry){ .meter = meter,
                                .seed = n[0],
                                .past = { .sequence = (uint32_t)n[1],
                                          .end_s = (uint32_t)n[2],
                                          .registers = { n[3], n[4], n[5] },
                                          .previous = hash } };
    return OK;
}

static err parse_all(struct bytes text, const char *path, struct past_table *t)
{
    for (size_t number = 1; text.len > 0; number++) {
        struct past_entry entry = { 0 };
        TRY(err_context(parse_line(bytes_cut(&text, '\n'), &entry), "%s, line %zu", path, number));
        TRY(err_context(past_set(t, &entry), "%s, line %zu", path, number));
    }
    return OK;
}

err past_load(const struct place *p, struct past_table *out)
{
    AUTO(buf_done) struct buf text = { .max = PAST_FILE_BYTES_MAX };
    struct past_table t = { 0 };
    struct place_path path = place_path(p, "meters/past");
    err e = file_read(path.text, &text);

    if (e.code != ERR_MISSING) {
        TRY(e);
    }
    e = parse_all(buf_bytes(&text), path.text, &t);
    if (e.code) {
        past_done(&t);
        return e;
    }
    *out = t;
    return OK;
}

err past_save(const struct place *p, const struct past_table *t)
{
    AUTO(buf_done) struct buf text = { .max = PAST_FILE_BYTES_MAX };

    for (size_t i = 0; i < t->count; i++) {
        const struct past_entry *e = &t->entries[i];
        char hash[2 * DIGEST_BYTES + 1];
        hex_encode(DIGEST_VIEW(&e->past.previous), hash);
        TRY(buf_printf(&text,
                       "%" PRI_METER " %" PRIu64 " %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
                       e->meter, e->seed, e->past.sequence, e->past.end_s, e->past.registers.e_act,
                       e->past.registers.e_ind, e->past.registers.e_cap, hash));
    }
    return file_write(place_path(p, "meters/past").text, buf_bytes(&text), 0600);
}
