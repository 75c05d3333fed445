/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/finding.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/mem.h"

#define FIRST_CAPACITY 16

void findings_done(struct findings *f)
{
    mem_give(f->list);
    *f = (struct findings){ 0 };
}

static uint32_t count_up(struct findings *f, uint16_t code)
{
    size_t i = 0;

    while (i < f->code_count && f->counts[i].code != code) {
        i++;
    }
    assert(i < FINDING_CODES_MAX); /* there are fewer codes */
    if (i == f->code_count) {
        f->counts[f->code_count++].code = code;
    }
    return ++f->counts[i].count;
}

static bool grow(struct findings *f)
{
    if (f->count < f->capacity) {
        return true;
    }
    size_t capacity = f->capacity == 0 ? FIRST_CAPACITY : 2 * f->capacity;
    struct finding *list = mem_resize(f->list, capacity * sizeof list[0]);
    if (list == NULL) {
        return false;
    }
    f->list = list;
    f->capacity = capacity;
    return true;
}

void findings_add(struct findings *f, const struct finding *new)
{
    if (count_up(f, new->code) <= FINDINGS_KEPT_MAX && grow(f)) {
        f->list[f->count++] = *new;
    }
}

uint32_t findings_count_of(const struct findings *f, enum audit_code code)
{
    for (size_t i = 0; i < f->code_count; i++) {
        if (f->counts[i].code == code) {
            return f->counts[i].count;
        }
    }
    return 0;
}

int findings_exit(const struct findings *f)
{
    int worst = 0;

    for (size_t i = 0; i < f->code_count; i++) {
        int class = f->counts[i].code / 100 * 10;
        if (f->counts[i].code != W500 && class > worst) {
            worst = class;
        }
    }
    return worst;
}

void finding_code_text(uint16_t code, char out[8])
{
    snprintf(out, 8, "%c%03u", code == W500 ? 'W' : 'E', code % 1000u);
}
