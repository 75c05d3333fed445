/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop per thread, on libuv. Everything of libuv stays inside lib/net (and the
 * supervisor in cli), so that it can be replaced where a library OS needs it.
 *
 * All functions belong to the loop's thread except loop_post and loop_stop. No timerfd, signalfd,
 * inotify or io_uring is used: timers are a heap of deadlines under one uv_timer. */
#pragma once

#include <signal.h>

#include "lib/base/bytes.h"

struct loop;

err loop_new(struct loop **out) MUST_USE; /* gives; the process ignores SIGPIPE from now on */
/* After loop_run returned. Closes what is still open: streams still say `closed`. */
void loop_free(struct loop *l);
/* The first half of loop_free, for owners that hear `closed` and are freed before the loop. */
void loop_end(struct loop *l);

/* Runs until loop_stop, or until nothing is left to wait for. */
err loop_run(struct loop *l) MUST_USE;
void loop_stop(struct loop *l);                /* any thread */
uint64_t loop_now_us(const struct loop *l);    /* monotonic; never goes back */

/* A deadline; lives in its owner, one firing each time it is set. Zeroed, then init, then at. */
struct loop_timer {
    struct loop *loop;
    void (*fire)(void *arg);
    void *arg;
    uint64_t at_us;
    size_t heap_index; /* 0 = not set */
};
void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(void *arg), void *arg);
err loop_timer_at(struct loop_timer *t, uint64_t at_us) MUST_USE; /* replaces; ERR_LIMIT: memory */
void loop_timer_cancel(struct loop_timer *t);                     /* fine when not set */

/* Hands a task from any thread to the loop's thread; tasks of one thread run in order. The task
 * lives in its owner until `run` is called. */
struct loop_task {
    void (*run)(void *arg);
    void *arg;
    struct loop_task *next;
};
void loop_post(struct loop *l, struct loop_task *task); /* any thread */

/* Calls `on_signal` in the loop for SIGTERM, SIGINT or SIGHUP. */
err loop_on_signal(struct loop *l, int signal_number, void (*on_signal)(void *arg), void *arg)
    MUST_USE;
