/* SPDX-License-Identifier: Apache-2.0 */
/* The counts of a core as metrics: cores count in plain numbers, a service publishes them once a
 * second. Names are built once, at the start. */
#pragma once

#include "lib/service/metrics.h"

struct core_metrics;

/* Registers `count` counters; given by the caller, owned by nobody: metrics live for ever. With a
 * label they share `name` and differ in label="text"; without, they are name_text_total. */
err core_metrics_new(const char *name, const char *label, const char *help, size_t count,
                     const char *(*text)(unsigned i), struct core_metrics **out) MUST_USE;
void core_metrics_set(struct core_metrics *m, const uint64_t *values);
