/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring: each bench gives results of one form, so that figures of different days and machines
 * can be laid side by side (docs/benchmarks.md). Nothing here judges; it only measures. */
#pragma once

#include <stdbool.h>

#include "lib/base/err.h"

#define BENCH_RESULTS_MAX 64

struct bench_result {
    char name[48];       /* stable: "readings", "process/kvs" ... */
    double value;
    const char *unit;    /* "1/s", "us", "octets" */
    double cpu_us;       /* CPU time per unit of work, all processes named; < 0: not measured */
    double rss_bytes;    /* largest resident size; < 0: not measured */
};

struct bench_report {
    const char *bench;
    struct bench_result results[BENCH_RESULTS_MAX];
    unsigned count;
};

void bench_add(struct bench_report *r, struct bench_result result);

/* The whole way: a fleet sends days as fast as they are acknowledged. */
err bench_path(bool quick, struct bench_report *r) MUST_USE;

/* What an idle TLS connection and a small GET cost our HTTP server. */
err bench_idle(bool quick, struct bench_report *r) MUST_USE;

/* Of a living process; 0 when there is none. Octets; CPU time in steps of 10 ms. */
double bench_cpu_us(int pid); /* user and system */
double bench_rss(int pid);
double bench_rss_peak(int pid);

/* The program `name` of this installation: "meterseal", or one of libexec. */
err bench_program(const char *name, char *out, unsigned long size) MUST_USE;
