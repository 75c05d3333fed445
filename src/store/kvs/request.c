/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/request.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define DAMAGE_LOG_US US_PER_S /* between two lines about damaged octets */

void kv_request_release(struct engine *e, struct kv_request *r)
{
    if (r->has_object) {
        engine_object_abandon(e, &r->object);
        r->has_object = false;
    }
    found_done(&r->found);
    for (uint8_t i = 0; i < r->space_count; i++) {
        space_release(r->spaces[i]);
    }
    r->space_count = 0;
}

void run_object_write(struct engine *e, struct kv_request *r)
{
    err result = engine_object_write(e, r->op.value, &r->object);

    r->has_object = !result.code;
    r->object_len = r->op.value.len;
    r->op.value = (struct bytes){ 0 };
    r->status = result.code == ERR_LIMIT ? KV_DISK : kv_status_of(result);
}

/* An operator must learn which file it is: the text names it by its random name, never a key. */
static void damage_tell(err e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct log_limit limit;

    pthread_mutex_lock(&lock);
    bool tell = log_allowed(&limit, time_monotonic_us(), DAMAGE_LOG_US);
    pthread_mutex_unlock(&lock);
    if (tell) {
        log_error(LOG_ERROR, "data_loss", e);
    }
}

enum kv_status kv_status_of(err e)
{
    switch (e.code) {
    case ERR_NONE:
        return KV_OK;
    case ERR_MISSING:
        return KV_NO_KEY;
    case ERR_LIMIT:
        return KV_MEMORY;
    case ERR_CORRUPT:
        damage_tell(e);
        return KV_DATA_LOSS;
    default:
        return KV_IO;
    }
}

void request_queue_init(struct request_queue *q, size_t count_max)
{
    *q = (struct request_queue){ .count_max = count_max };
    q->last = &q->first;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, &clock);
    pthread_condattr_destroy(&clock);
}

void request_queue_done(struct request_queue *q)
{
    assert(q->count == 0);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->filled);
}

err request_queue_put(struct request_queue *q, struct kv_request *r)
{
    pthread_mutex_lock(&q->lock);
    bool full = q->count >= q->count_max;
    bool taken = !full && !q->stopped;
    if (taken) {
        r->next = NULL;
        *q->last = r;
        q->last = &r->next;
        q->count++;
        if (q->waiting > 0) {
            pthread_cond_signal(&q->filled);
        }
    }
    pthread_mutex_unlock(&q->lock);
    if (taken) {
        return OK;
    }
    if (full) {
        FAIL(ERR_LIMIT, "%zu requests are waiting, and no more", q->count_max);
    }
    FAIL(ERR_CLOSED, "the store is stopping");
}

static struct kv_request *cut_list(struct request_queue *q, size_t count_max, size_t octets_max)
{
    struct kv_request *list = q->first;
    struct kv_request *newest = list;
    size_t octets = list->octets;
    size_t count = 1;

    while (count < count_max && list->run == NULL && newest->next != NULL &&
           newest->next->run == NULL && octets + newest->next->octets <= octets_max) {
        newest = newest->next;
        octets += newest->octets;
        count++;
    }
    q->first = newest->next;
    newest->next = NULL;
    q->count -= count;
    if (q->first == NULL) {
        q->last = &q->first;
    }
    return list;
}

/* False: the time is over. */
static bool wait_filled(struct request_queue *q, const struct timespec *until)
{
    q->waiting++;
    int result = until == NULL ? pthread_cond_wait(&q->filled, &q->lock)
                               : pthread_cond_timedwait(&q->filled, &q->lock, until);
    q->waiting--;
    return result == 0;
}

bool request_queue_take(struct request_queue *q, size_t count_max, size_t octets_max,
                        unsigned wait_s, struct kv_request **out)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_s;
    *out = NULL;
    pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->stopped && wait_filled(q, wait_s > 0 ? &until : NULL)) {
    }
    if (q->first != NULL) {
        *out = cut_list(q, count_max, octets_max);
    }
    bool goes_on = *out != NULL || !q->stopped;
    pthread_mutex_unlock(&q->lock);
    return goes_on;
}

void request_queue_stop(struct request_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopped = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}
