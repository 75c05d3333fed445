/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

double bench_cpu_us(int pid)
{
    char path[64];
    char text[1024];
    unsigned long user = 0, system_time = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (f != NULL && fgets(text, sizeof text, f) != NULL) {
        /* Fields 14 and 15, behind the name in brackets. */
        const char *rest = strrchr(text, ')');
        if (rest != NULL) {
            sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system_time);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return (double)(user + system_time) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* KiB of a line of /proc/PID/status, in octets. */
static double status_octets(int pid, const char *key)
{
    char path[64];
    char line[256];
    unsigned long kib = 0;
    size_t len = strlen(key);

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, len) == 0) {
            sscanf(line + len, " %lu", &kib);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return (double)kib * 1024;
}

double bench_rss(int pid)
{
    return status_octets(pid, "VmRSS:");
}

double bench_rss_peak(int pid)
{
    return status_octets(pid, "VmHWM:");
}
