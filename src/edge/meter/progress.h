/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr, when that is a terminal; nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    uint64_t total;
    uint64_t start_us;
    uint64_t shown_us;
    bool on;
};

void progress_start(struct progress *p, const char *what, uint64_t total);
void progress_show(struct progress *p, uint64_t done); /* at most ten times a second */
void progress_end(struct progress *p);                 /* clears the line */
