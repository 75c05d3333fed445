/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the services of one directory running: starts each, restarts one that ends (with growing
 * back-off), and on SIGTERM stops them in the order in which readings flow, so that each can hand
 * on what it holds. One supervisor a directory, by a lock on DIR/run/lock. */
#pragma once

#include "lib/service/place.h"

#define RESTART_FIRST_MS 100
#define RESTART_LAST_MS 10000
#define STEADY_MS 30000       /* a service that ran this long starts its back-off anew */
#define FAST_FAILURES_MAX 5   /* ended this often in a row without a steady run: give up */
#define STOP_PATIENCE_MS 35000

/* Runs until stopped. OK: stopped on request; ERR_CONFLICT: another one runs here, with its pid;
 * ERR_IO: a service could not be kept running, the text names it and its log. */
err supervise(const struct place *p) MUST_USE;

/* The pid of the supervisor of this place, or ERR_MISSING when none runs. */
err supervisor_pid(const struct place *p, int *out) MUST_USE;
