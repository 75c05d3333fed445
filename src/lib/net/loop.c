/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/loop.h"

#include <assert.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/loop_uv.h"

#define LOOP_HEAP_FIRST 64
#define LOOP_TIMERS_MAX (1u << 20)

/* ---- tasks ---- */

static void tasks_put(struct loop_tasks *q, struct loop_task *task)
{
    task->next = NULL;
    if (q->last != NULL) {
        q->last->next = task;
    } else {
        q->first = task;
    }
    q->last = task;
}

/* A task may be gone, or in a queue again, as soon as it ran. */
static void tasks_run(struct loop_tasks *q)
{
    while (q->first != NULL) {
        struct loop_task *task = q->first;
        q->first = task->next;
        if (q->first == NULL) {
            q->last = NULL;
        }
        task->run(task->arg);
    }
}

static struct loop_tasks posted_take(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct loop_tasks taken = l->posted;
    l->posted = (struct loop_tasks){ 0 };
    pthread_mutex_unlock(&l->lock);
    return taken;
}

static bool posted_any(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    bool any = l->posted.first != NULL;
    pthread_mutex_unlock(&l->lock);
    return any;
}

static void posted_run(struct loop *l)
{
    struct loop_tasks taken = posted_take(l);

    tasks_run(&taken);
}

static void on_wake(uv_async_t *handle)
{
    struct loop *l = handle->data;

    posted_run(l);
    if (atomic_load(&l->stopped)) {
        uv_stop(&l->uv);
    }
}

static void on_turn(uv_prepare_t *handle)
{
    struct loop *l = handle->data;

    tasks_run(&l->soon);
}

void loop_post(struct loop *l, struct loop_task *task)
{
    pthread_mutex_lock(&l->lock);
    bool first = l->posted.first == NULL;
    tasks_put(&l->posted, task);
    if (first) {
        /* Under the lock: the loop may be freed as soon as it has run the task. */
        uv_async_send(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
}

void loop_soon(struct loop *l, struct loop_task *task)
{
    tasks_put(&l->soon, task);
}

/* ---- deadlines ---- */

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->heap[i] = t;
    t->heap_index = i;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t)
{
    for (; i > 1 && l->heap[i / 2]->at_us > t->at_us; i /= 2) {
        heap_put(l, i, l->heap[i / 2]);
    }
    heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t)
{
    while (2 * i <= l->heap_count) {
        size_t child = 2 * i;
        if (child < l->heap_count && l->heap[child + 1]->at_us < l->heap[child]->at_us) {
            child++;
        }
        if (l->heap[child]->at_us >= t->at_us) {
            break;
        }
        heap_put(l, i, l->heap[child]);
        i = child;
    }
    heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
    size_t i = t->heap_index;
    struct loop_timer *last = l->heap[l->heap_count--];

    t->heap_index = 0;
    if (last == t) {
        return;
    }
    if (i > 1 && l->heap[i / 2]->at_us > last->at_us) {
        heap_up(l, i, last);
    } else {
        heap_down(l, i, last);
    }
}

static err heap_grow(struct loop *l)
{
    if (l->heap_count + 1 < l->heap_cap) {
        return OK;
    }
    if (l->heap_cap >= LOOP_TIMERS_MAX) {
        FAIL(ERR_LIMIT, "%u timers are set, no more", LOOP_TIMERS_MAX);
    }
    size_t cap = l->heap_cap > 0 ? l->heap_cap * 2 : LOOP_HEAP_FIRST;
    struct loop_timer **grown = mem_resize(l->heap, cap * sizeof(struct loop_timer *));
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu timers", cap);
    }
    l->heap = grown;
    l->heap_cap = cap;
    return OK;
}

static void on_clock(uv_timer_t *handle);

/* libuv counts whole milliseconds from a cached time; firing early only means arming again. */
static void clock_arm(struct loop *l)
{
    if (l->heap_count == 0) {
        uv_timer_stop(&l->clock);
        l->armed_us = 0;
        return;
    }
    uint64_t at_us = l->heap[1]->at_us;
    if (l->armed_us != 0 && l->armed_us <= at_us) {
        return;
    }
    uint64_t now_us = loop_now_us(l);
    uint64_t ms = at_us > now_us ? (at_us - now_us + 999) / 1000 : 0;
    l->armed_us = at_us > 0 ? at_us : 1;
    uv_timer_start(&l->clock, on_clock, ms, 0);
}

static void on_clock(uv_timer_t *handle)
{
    struct loop *l = handle->data;
    uint64_t now_us = loop_now_us(l);
    size_t left = l->heap_count; /* a timer that sets itself to now waits for the next turn */

    while (left-- > 0 && l->heap_count > 0 && l->heap[1]->at_us <= now_us) {
        struct loop_timer *t = l->heap[1];
        heap_remove(l, t);
        t->fire(t->arg);
    }
    l->armed_us = 0;
    clock_arm(l);
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(void *arg), void *arg)
{
    *t = (struct loop_timer){ .loop = l, .fire = fire, .arg = arg };
}

err loop_timer_at(struct loop_timer *t, uint64_t at_us)
{
    struct loop *l = t->loop;

    if (t->heap_index == 0) {
        TRY(heap_grow(l));
        t->at_us = at_us;
        heap_up(l, ++l->heap_count, t);
    } else if (at_us < t->at_us) {
        t->at_us = at_us;
        heap_up(l, t->heap_index, t);
    } else {
        t->at_us = at_us;
        heap_down(l, t->heap_index, t);
    }
    clock_arm(l);
    return OK;
}

void loop_timer_cancel(struct loop_timer *t)
{
    if (t->heap_index == 0) {
        return;
    }
    heap_remove(t->loop, t);
    clock_arm(t->loop);
}

uint64_t loop_now_us(const struct loop *l)
{
    (void)l;
    return time_monotonic_us();
}

/* ---- signals ---- */

static void on_uv_signal(uv_signal_t *handle, int signal_number)
{
    struct loop_signal *s = handle->data;

    (void)signal_number;
    s->on_signal(s->arg);
}

err loop_on_signal(struct loop *l, int signal_number, void (*on_signal)(void *arg), void *arg)
{
    struct loop_signal *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a signal handler");
    }
    *s = (struct loop_signal){ .on_signal = on_signal, .arg = arg };
    int rc = uv_signal_init(&l->uv, &s->handle);
    if (rc != 0) {
        mem_give(s);
        return loop_uv_error(rc, "signal handler");
    }
    s->handle.data = s;
    s->next = l->signals; /* from here on loop_free gives it back */
    l->signals = s;
    uv_unref((uv_handle_t *)&s->handle);
    rc = uv_signal_start(&s->handle, on_uv_signal, signal_number);
    if (rc != 0) {
        return loop_uv_error(rc, "signal handler");
    }
    return OK;
}

/* ---- the loop ---- */

err loop_uv_error(int rc, const char *doing)
{
    switch (rc) {
    case UV_EADDRINUSE: FAIL(ERR_CONFLICT, "%s: the port is in use", doing);
    case UV_ENOMEM:
    case UV_EMFILE:
    case UV_ENFILE: FAIL(ERR_LIMIT, "%s: %s", doing, uv_strerror(rc));
    case UV_EOF:
    case UV_ECANCELED: FAIL(ERR_CLOSED, "%s: closed", doing);
    default: FAIL(ERR_IO, "%s: %s", doing, uv_strerror(rc));
    }
}

void loop_child_add(struct loop *l, struct loop_child *c)
{
    c->next = &l->children;
    c->prev = l->children.prev;
    c->prev->next = c;
    l->children.prev = c;
}

void loop_child_remove(struct loop_child *c)
{
    if (c->next != NULL) {
        c->prev->next = c->next;
        c->next->prev = c->prev;
        c->next = c->prev = NULL;
    }
}

err loop_scratch(struct loop *l, struct loop_scratch **out)
{
    if (l->scratch == NULL) {
        l->scratch = mem_take(sizeof *l->scratch);
        if (l->scratch == NULL) {
            FAIL(ERR_LIMIT, "no memory for the buffers of a loop");
        }
        l->scratch->out.max = LOOP_SEND_BYTES_MAX;
    }
    *out = l->scratch;
    return OK;
}

/* A peer that has gone is an error of a write, not the end of the process. */
static void ignore_broken_pipes(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }
}

err loop_new(struct loop **out)
{
    struct loop *l = mem_take(sizeof *l);

    if (l == NULL) {
        FAIL(ERR_LIMIT, "no memory for a loop");
    }
    ignore_broken_pipes();
    int rc = uv_loop_init(&l->uv);
    if (rc != 0) {
        mem_give(l);
        return loop_uv_error(rc, "event loop");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->children.next = l->children.prev = &l->children;
    uv_timer_init(&l->uv, &l->clock);
    uv_prepare_init(&l->uv, &l->turn);
    l->clock.data = l->turn.data = l->wake.data = l;
    uv_prepare_start(&l->turn, on_turn);
    uv_unref((uv_handle_t *)&l->turn);
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc != 0) {
        uv_close((uv_handle_t *)&l->clock, NULL);
        uv_close((uv_handle_t *)&l->turn, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
        uv_loop_close(&l->uv);
        pthread_mutex_destroy(&l->lock);
        mem_give(l);
        return loop_uv_error(rc, "event loop");
    }
    uv_unref((uv_handle_t *)&l->wake);
    *out = l;
    return OK;
}

/* libuv stops when no handle is active, but tasks of our own may still be waiting. */
err loop_run(struct loop *l)
{
    while (!atomic_load(&l->stopped)) {
        bool alive = uv_run(&l->uv, UV_RUN_DEFAULT) != 0;
        if (!alive && l->soon.first == NULL && !posted_any(l)) {
            break;
        }
        tasks_run(&l->soon);
        posted_run(l);
    }
    atomic_store(&l->stopped, false);
    return OK;
}

void loop_stop(struct loop *l)
{
    /* Under the lock: whoever frees the loop after it stopped waits for this call to end. */
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->stopped, true);
    uv_async_send(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

static void scratch_free(struct loop_scratch *s)
{
    if (s != NULL) {
        buf_done(&s->out);
        explicit_bzero(s, sizeof *s);
        mem_give(s);
    }
}

static void end_children(struct loop *l)
{
    while (l->children.next != &l->children) {
        struct loop_child *c = l->children.next;
        loop_child_remove(c);
        c->end(c);
    }
}

static void close_own_handles(struct loop *l)
{
    uv_close((uv_handle_t *)&l->clock, NULL);
    uv_close((uv_handle_t *)&l->turn, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    for (struct loop_signal *s = l->signals; s != NULL; s = s->next) {
        uv_close((uv_handle_t *)&s->handle, NULL);
    }
}

void loop_end(struct loop *l)
{
    end_children(l);
    uv_run(&l->uv, UV_RUN_NOWAIT); /* lets streams say that they are closed */
    tasks_run(&l->soon);
}

void loop_free(struct loop *l)
{
    if (l == NULL) {
        return;
    }
    loop_end(l);
    pthread_mutex_lock(&l->lock);
    close_own_handles(l);
    pthread_mutex_unlock(&l->lock);
    do {
        uv_run(&l->uv, UV_RUN_DEFAULT);
        end_children(l);
        tasks_run(&l->soon);
    } while (uv_loop_close(&l->uv) == UV_EBUSY);
    while (l->signals != NULL) {
        struct loop_signal *next = l->signals->next;
        mem_give(l->signals);
        l->signals = next;
    }
    scratch_free(l->scratch);
    pthread_mutex_destroy(&l->lock);
    mem_give(l->heap);
    mem_give(l);
}
