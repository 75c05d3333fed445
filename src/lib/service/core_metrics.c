/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/core_metrics.h"

#include <stdio.h>

#include "lib/base/mem.h"

#define TEXT_BYTES 96

struct core_metrics {
    size_t count;
    struct named {
        struct metric metric;
        char name[TEXT_BYTES];
        char label[TEXT_BYTES];
    } items[];
};

err core_metrics_new(const char *name, const char *label, const char *help, size_t count,
                     const char *(*text)(unsigned i), struct core_metrics **out)
{
    struct core_metrics *m = mem_take(sizeof *m + count * sizeof m->items[0]);

    if (m == NULL) {
        FAIL(ERR_LIMIT, "no memory for metrics");
    }
    m->count = count;
    for (size_t i = 0; i < count; i++) {
        struct named *n = &m->items[i];
        n->metric.kind = METRIC_COUNTER;
        n->metric.help = help;
        n->metric.name = n->name;
        if (label != NULL) {
            snprintf(n->name, sizeof n->name, "%s_total", name);
            snprintf(n->label, sizeof n->label, "%s=\"%s\"", label, text((unsigned)i));
            n->metric.label = n->label;
        } else {
            snprintf(n->name, sizeof n->name, "%s_%s_total", name, text((unsigned)i));
        }
        metric_register(&n->metric);
    }
    *out = m;
    return OK;
}

void core_metrics_set(struct core_metrics *m, const uint64_t *values)
{
    for (size_t i = 0; i < m->count; i++) {
        metric_set(&m->items[i].metric, values[i]);
    }
}
