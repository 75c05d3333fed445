/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do the public-key work of HELLOs, so that the loop goes on opening frames. The core
 * bounds how many jobs there are at once (AUTHENTICATOR_JOBS_MAX). */
#pragma once

#include "intake/authenticator/authenticator.h"
#include "lib/net/loop.h"

struct hello_pool;

/* `done` is called in the loop's thread for each job given. */
err hello_pool_new(struct loop *l, size_t threads, void (*done)(void *arg, struct hello_job *job),
                   void *arg, struct hello_pool **out) MUST_USE;
/* ERR_LIMIT: no memory; the job was not taken. */
err hello_pool_give(struct hello_pool *p, struct hello_job *job) MUST_USE;
/* Waits for the threads. The loop must have run, or not run again, after the last `done`. */
void hello_pool_free(struct hello_pool *p);
