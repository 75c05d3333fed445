/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/rank.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "report/fraud/metric.h"

#define ESTIMATED_MARK_PERCENT 5
#define SPREAD_DAYS_SLACK 10 /* calendar days that may be missing within a customer's window */

struct customer {
    struct rank_entry entry;
    struct day *days; /* owned: history, then test */
};

struct ranker {
    struct rank_window window;
    struct customer *customers;
    size_t count;
    size_t cap;
};

err ranker_new(const struct rank_window *w, struct ranker **out)
{
    if (w->history_days == 0 || w->test_days == 0 ||
        w->history_days + w->test_days > SERIES_DAYS_MAX) {
        FAIL(ERR_LIMIT, "history and test take 1 to %d days together", SERIES_DAYS_MAX);
    }
    struct ranker *r = mem_take(sizeof *r);
    if (r == NULL) {
        FAIL(ERR_LIMIT, "no memory for a ranking");
    }
    r->window = *w;
    *out = r;
    return OK;
}

void ranker_free(struct ranker *r)
{
    for (size_t i = 0; r != NULL && i < r->count; i++) {
        mem_give(r->customers[i].days);
    }
    if (r != NULL) {
        mem_give(r->customers);
    }
    mem_give(r);
}

void ranker_freep(struct ranker **r)
{
    ranker_free(*r);
}

static err ranker_room(struct ranker *r)
{
    if (r->count < r->cap) {
        return OK;
    }
    size_t cap = r->cap > 0 ? 2 * r->cap : 64;
    if (r->count >= RANK_CUSTOMERS_MAX) {
        FAIL(ERR_LIMIT, "over %d customers", RANK_CUSTOMERS_MAX);
    }
    struct customer *grown = mem_resize(r->customers, cap * sizeof *grown);
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu customers", cap);
    }
    r->customers = grown;
    r->cap = cap;
    return OK;
}

static double mean_of(const struct day *days, size_t count)
{
    double sum = 0;

    for (size_t d = 0; d < count; d++) {
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            sum += days[d].w[i];
        }
    }
    return sum / (double)(count * DAY_SLOTS);
}

/* Why a customer cannot be ranked, or NULL. The window is the newest usable days. */
static const char *refusal(const struct rank_window *w, const struct day *days, size_t count)
{
    size_t wanted = w->history_days + w->test_days;

    if (count < wanted) {
        return "too few usable days";
    }
    const struct day *first = &days[count - wanted];
    if (days[count - 1].number - first->number > (int32_t)wanted + SPREAD_DAYS_SLACK) {
        return "too many days missing";
    }
    if (mean_of(first, w->history_days) <= 0) {
        return "no consumption in the history";
    }
    return NULL;
}

err ranker_add(struct ranker *r, uint64_t meter, struct series *s)
{
    AUTO(mem_givep) struct day *days = NULL;
    size_t wanted = r->window.history_days + r->window.test_days;
    size_t count;

    TRY(ranker_room(r));
    TRY(series_usable_days(s, &days, &count));
    struct customer c = { .entry = { .meter = meter } };
    c.entry.reason = refusal(&r->window, days, count);
    c.entry.ranked = c.entry.reason == NULL;
    c.entry.marked = s->estimated * 100 > s->readings * ESTIMATED_MARK_PERCENT;
    if (c.entry.ranked) {
        c.days = mem_take(wanted * sizeof *c.days);
        if (c.days == NULL) {
            FAIL(ERR_LIMIT, "no memory for %zu days", wanted);
        }
        memcpy(c.days, days + count - wanted, wanted * sizeof *c.days);
    }
    r->customers[r->count++] = c;
    return OK;
}

/* The normalised history days of all ranked customers, in the order of the customers. */
static err training_rows(const struct ranker *r, double **out, size_t *out_count)
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++) {
        count += r->customers[i].entry.ranked ? r->window.history_days : 0;
    }
    double *rows = mem_take(count * DAY_SLOTS * sizeof *rows);
    if (rows == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu training days", count);
    }
    double *at = rows;
    for (size_t i = 0; i < r->count; i++) {
        const struct customer *c = &r->customers[i];
        for (size_t d = 0; c->entry.ranked && d < r->window.history_days; d++) {
            day_normalise(c->days[d].w, at);
            at += DAY_SLOTS;
        }
    }
    *out = rows;
    *out_count = count;
    return OK;
}

/* Order of customers for training must not depend on how they were added. */
static int by_meter(const void *a, const void *b)
{
    const struct customer *x = a;
    const struct customer *y = b;

    return (x->entry.meter > y->entry.meter) - (x->entry.meter < y->entry.meter);
}

static int by_suspicion(const void *a, const void *b)
{
    const struct rank_entry *x = a;
    const struct rank_entry *y = b;

    if (x->ranked != y->ranked) {
        return y->ranked - x->ranked;
    }
    if (x->ranked && (x->result.score < y->result.score || x->result.score > y->result.score)) {
        return x->result.score < y->result.score ? 1 : -1;
    }
    return (x->meter > y->meter) - (x->meter < y->meter);
}

static void score_all(struct ranker *r, const struct som *map)
{
    for (size_t i = 0; i < r->count; i++) {
        struct customer *c = &r->customers[i];
        if (c->entry.ranked) {
            c->entry.result = paper_score(map, c->days, r->window.history_days,
                                          c->days + r->window.history_days, r->window.test_days);
        }
    }
}

err ranker_finish(struct ranker *r, struct ranking *out)
{
    AUTO(mem_givep) struct som *map = mem_take(sizeof *map);
    AUTO(mem_givep) double *rows = NULL;
    size_t row_count;
    struct ranking ranking = { .window = r->window, .count = r->count };

    qsort(r->customers, r->count, sizeof *r->customers, by_meter);
    TRY(training_rows(r, &rows, &row_count));
    ranking.entries = mem_take(r->count * sizeof *ranking.entries);
    if (map == NULL || ranking.entries == NULL) {
        mem_give(ranking.entries);
        FAIL(ERR_LIMIT, "no memory for a ranking of %zu", r->count);
    }
    if (row_count > 0) {
        err e = som_train(map, rows, row_count);
        if (e.code) {
            mem_give(ranking.entries);
            return e;
        }
        score_all(r, map);
    }
    for (size_t i = 0; i < r->count; i++) {
        ranking.entries[i] = r->customers[i].entry;
        ranking.ranked += r->customers[i].entry.ranked;
    }
    qsort(ranking.entries, ranking.count, sizeof *ranking.entries, by_suspicion);
    *out = ranking;
    return OK;
}

void ranking_done(struct ranking *r)
{
    mem_give(r->entries);
    *r = (struct ranking){ 0 };
}

static bool contains(const uint64_t *ids, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

err ranking_auc(const struct ranking *r, const uint64_t *thieves, size_t thief_count, double *out)
{
    AUTO(mem_givep) struct scored *rows = mem_take((r->ranked + 1) * sizeof *rows);

    if (rows == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu scores", r->ranked);
    }
    for (size_t i = 0; i < r->ranked; i++) {
        rows[i].score = r->entries[i].result.score;
        rows[i].positive = contains(thieves, thief_count, r->entries[i].meter);
    }
    return metric_auc(rows, r->ranked, out);
}
