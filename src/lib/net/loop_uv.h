/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/net shares behind lib/net/loop.h: the libuv loop, work at the end of a turn, and the
 * buffers that all streams of a loop use one after the other. For lib/net only. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "lib/base/buf.h"
#include "lib/net/loop.h"

#define LOOP_READ_BYTES (64u << 10)                   /* one read of a socket */
#define LOOP_PLAIN_BYTES (LOOP_READ_BYTES + (20u << 10)) /* its clear text, and one kept record */
#define LOOP_SEND_BYTES_MAX (256u << 10)              /* sealed octets of one write */

/* Something open on the loop that loop_free must end. */
struct loop_child {
    void (*end)(struct loop_child *c);
    struct loop_child *next, *prev;
};

struct loop_signal {
    uv_signal_t handle;
    void (*on_signal)(void *arg);
    void *arg;
    struct loop_signal *next;
};

struct loop_tasks {
    struct loop_task *first, *last;
};

/* Valid only within one callback; nothing is kept in it from turn to turn. */
struct loop_scratch {
    uint8_t in[LOOP_READ_BYTES];
    uint8_t plain[LOOP_PLAIN_BYTES];
    struct buf out;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t clock;
    uv_async_t wake;
    uv_prepare_t turn;
    struct loop_timer **heap; /* [1 .. heap_count], the earliest first */
    size_t heap_count, heap_cap;
    uint64_t armed_us; /* when `clock` fires; 0 = it does not */
    pthread_mutex_t lock; /* guards `posted` */
    struct loop_tasks posted;
    struct loop_tasks soon;
    atomic_bool stopped;
    struct loop_child children; /* the head of a ring */
    struct loop_signal *signals;
    struct loop_scratch *scratch;
};

/* Runs the task at the end of this turn, before the loop waits again. Loop's thread only. */
void loop_soon(struct loop *l, struct loop_task *task);

void loop_child_add(struct loop *l, struct loop_child *c);
void loop_child_remove(struct loop_child *c);

/* The shared buffers, made at the first use. */
err loop_scratch(struct loop *l, struct loop_scratch **out) MUST_USE;

/* An error of libuv as one of ours; the text says what was being done. */
err loop_uv_error(int rc, const char *doing) MUST_USE;
