/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/request.h"

#include <assert.h>

void kv_request_release(struct kv_request *r)
{
    found_done(&r->found);
    for (uint8_t i = 0; i < r->space_count; i++) {
        space_release(r->spaces[i]);
    }
    r->space_count = 0;
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
        return KV_DATA_LOSS;
    default:
        return KV_IO;
    }
}

void request_queue_init(struct request_queue *q, size_t count_max)
{
    *q = (struct request_queue){ .count_max = count_max };
    q->last = &q->first;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, NULL);
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

struct kv_request *request_queue_take(struct request_queue *q, size_t count_max, size_t octets_max)
{
    struct kv_request *list = NULL;

    pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->stopped) {
        q->waiting++;
        pthread_cond_wait(&q->filled, &q->lock);
        q->waiting--;
    }
    if (q->first != NULL) {
        list = cut_list(q, count_max, octets_max);
    }
    pthread_mutex_unlock(&q->lock);
    return list;
}

void request_queue_stop(struct request_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopped = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}
