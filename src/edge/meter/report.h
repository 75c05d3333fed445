/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation prints at its end: a few lines for people, or one JSON object. */
#pragma once

#include "edge/meter/simulate.h"

struct run_report {
    const char *verb;
    size_t meters;
    uint32_t days; /* 0 = does not apply */
    uint32_t start_s, end_s;
    uint64_t skipped; /* intervals of an earlier run */
    const struct drive_result *result;
    const struct thief *thieves;
    size_t thief_count;
    const struct series *series; /* NULL = does not apply */
};

err run_report_print(const struct run_report *r, bool json) MUST_USE;
