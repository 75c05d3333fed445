/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/hello_pool.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/mem.h"

#define THREADS_MAX 64

/* A job on its way: waiting for a thread, at work, or on its way back to the loop. */
struct item {
    struct hello_pool *pool;
    struct hello_job *job;
    struct loop_task task;
    struct item *next;
};

struct hello_pool {
    struct loop *loop;
    void (*done)(void *arg, struct hello_job *job);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is an item, or the end */
    struct item *first, *last;
    bool stopping;
    size_t thread_count;
    pthread_t threads[THREADS_MAX];
};

static void on_done(void *arg)
{
    struct item *i = arg;
    struct hello_pool *p = i->pool;
    struct hello_job *job = i->job;

    mem_give(i);
    p->done(p->arg, job);
}

static struct item *next_item(struct hello_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->first == NULL && !p->stopping) {
        pthread_cond_wait(&p->work, &p->lock);
    }
    struct item *i = p->first;
    if (i != NULL) {
        p->first = i->next;
    }
    pthread_mutex_unlock(&p->lock);
    return i;
}

static void *thread_main(void *arg)
{
    struct hello_pool *p = arg;

    for (struct item *i = next_item(p); i != NULL; i = next_item(p)) {
        hello_job_run(i->job);
        loop_post(p->loop, &i->task);
    }
    return NULL;
}

err hello_pool_give(struct hello_pool *p, struct hello_job *job)
{
    struct item *i = mem_take(sizeof *i);

    if (i == NULL) {
        FAIL(ERR_LIMIT, "no memory for a HELLO");
    }
    *i = (struct item){ .pool = p, .job = job, .task = { .run = on_done, .arg = i } };
    pthread_mutex_lock(&p->lock);
    if (p->first == NULL) {
        p->first = i;
    } else {
        p->last->next = i;
    }
    p->last = i;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    return OK;
}

static void hello_pool_freep(struct hello_pool **p)
{
    hello_pool_free(*p);
}

err hello_pool_new(struct loop *l, size_t threads, void (*done)(void *arg, struct hello_job *job),
                   void *arg, struct hello_pool **out)
{
    AUTO(hello_pool_freep) struct hello_pool *p = mem_take(sizeof *p);

    assert(threads > 0 && threads <= THREADS_MAX);
    if (p == NULL) {
        FAIL(ERR_LIMIT, "no memory for threads");
    }
    p->loop = l;
    p->done = done;
    p->arg = arg;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    for (size_t i = 0; i < threads; i++) {
        if (pthread_create(&p->threads[i], NULL, thread_main, p) != 0) {
            FAIL(ERR_LIMIT, "%zu threads cannot be started; lower hello_threads", threads);
        }
        p->thread_count++;
    }
    *out = TAKE(p);
    return OK;
}

void hello_pool_free(struct hello_pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
    while (p->first != NULL) {
        struct item *i = p->first;
        p->first = i->next;
        mem_give(i);
    }
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    mem_give(p);
}
