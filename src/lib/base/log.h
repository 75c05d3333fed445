/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt on stderr: ts=... level=info svc=kvs event=conn_refused reason=limit
 *
 * Only main programs and their hosts log; libraries return errors. Event names are constants.
 * Values are escaped, so that outside text cannot forge a line. Never a payload, never a key. */
#pragma once

#include <stdint.h>

#include "lib/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Once, before the first thread: the name in svc=, and the lowest level that is written. */
void log_start(const char *service, enum log_level lowest);

/* Pairs of key and value, ended by NULL:
 *     LOG(LOG_WARN, "peer_refused", "reason", "limit", "peer", address, NULL) */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
#define LOG(level, ...) log_event(level, __VA_ARGS__)

/* The newest error of this thread under an event name. */
void log_error(enum log_level level, const char *event, err e);

/* A number as a value for LOG; the text lives until the 16th further call of this thread. */
const char *log_num(int64_t v);

/* At most one line a period: true when the line may be written now, and counts the rest. */
struct log_limit {
    uint64_t next_us;
    uint64_t suppressed;
};
_Bool log_allowed(struct log_limit *limit, uint64_t now_us, uint64_t period_us);
