/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms in Prometheus text exposition (version 0.0.4).
 *
 * Metrics are static objects of their module, registered once; adding is an atomic increment and
 * may be done by any thread. Label values are constants of a closed set. Histograms are shown in
 * seconds, as Prometheus wants it: their names end in _seconds. */
#pragma once

#include <stdatomic.h>

#include "lib/base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_BUCKETS 16 /* upper bounds 64 us * 2^i, then +Inf */

struct metric {
    enum metric_kind kind;
    const char *name;  /* meterseal_collector_readings_total */
    const char *label; /* reason="replay", or NULL */
    const char *help;
    _Atomic uint64_t value; /* histogram: sum of microseconds */
    _Atomic uint64_t buckets[METRIC_BUCKETS + 1];
    struct metric *next;
};

void metric_register(struct metric *m); /* before threads; the object lives for ever */
void metric_add(struct metric *m, uint64_t v);
void metric_set(struct metric *m, uint64_t v);
void metric_observe_us(struct metric *m, uint64_t us);

/* All registered metrics and the process's own (CPU seconds, resident octets, descriptors). */
err metrics_write(struct buf *out) MUST_USE;
