/* SPDX-License-Identifier: Apache-2.0 */
/* Running our own programs from the command line: waits, keeps what they print and what they
 * used. */
#pragma once

#include "lib/base/buf.h"

#define RUN_OUTPUT_BYTES_MAX (64u << 20)

struct run_result {
    int status;         /* exit status; 128 + n when ended by signal n */
    uint64_t cpu_us;    /* user and system */
    uint64_t rss_bytes; /* largest resident size */
};

/* `args` ends with NULL; args[0] is the program's path. Standard output is appended to `out`,
 * standard error goes where ours goes. ERR_IO when it could not be run. */
err run_capture(const char *const *args, struct buf *out, struct run_result *result) MUST_USE;
