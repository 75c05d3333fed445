/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define BAR_CELLS 30
#define SHOW_EVERY_US (US_PER_S / 10)

void progress_start(struct progress *p, const char *what, uint64_t total)
{
    *p = (struct progress){ .what = what, .total = total, .start_us = time_monotonic_us(),
                            .on = isatty(STDERR_FILENO) == 1 };
}

void progress_show(struct progress *p, uint64_t done)
{
    uint64_t now = time_monotonic_us();
    char bar[BAR_CELLS + 1];

    if (!p->on || now < p->shown_us + SHOW_EVERY_US || p->total == 0) {
        return;
    }
    p->shown_us = now;
    uint64_t at = done < p->total ? done : p->total;
    size_t full = (size_t)(at * BAR_CELLS / p->total);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', full);
    bar[BAR_CELLS] = '\0';
    double seconds = (double)(now - p->start_us + 1) / 1e6;
    fprintf(stderr, "\r[%s] %3d%%  %" PRIu64 " of %" PRIu64 " %s, %.0f/s  ", bar,
            (int)(at * 100 / p->total), done, p->total, p->what, (double)done / seconds);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->on) {
        fprintf(stderr, "\r%78s\r", "");
    }
}
