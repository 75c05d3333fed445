/* SPDX-License-Identifier: Apache-2.0 */
/* The closed set of refusals of the gateway (docs/protocol.md, 5.5): status, code
 * word, what is the matter, the limit, the way out. Never a key or a value. */
#pragma once

#include "lib/net/http_server.h"
#include "store/kvs/request.h"

enum refusal {
    REFUSE_NOTHING,
    REFUSE_AUTH,
    REFUSE_SCOPE,
    REFUSE_NO_SPACE,
    REFUSE_NO_KEY,
    REFUSE_KEY,
    REFUSE_FIELD,
    REFUSE_TTL,
    REFUSE_SPACE,
    REFUSE_VALUE_LARGE,
    REFUSE_BATCH_LARGE,
    REFUSE_ANSWER_LARGE,
    REFUSE_LENGTH,
    REFUSE_PRECONDITION,
    REFUSE_TOKEN,
    REFUSE_SNAPSHOT,
    REFUSE_SNAPSHOTS,
    REFUSE_BATCH,
    REFUSE_QUEUE,
    REFUSE_BODIES,
    REFUSE_QUOTA,
    REFUSE_DISK,
    REFUSE_SPACES,
    REFUSE_FIXED,
    REFUSE_NO_OWNER,
    REFUSE_UNKNOWN,
    REFUSE_DATA_LOSS,
    REFUSE_IO,
    REFUSE_MEMORY,
    REFUSE_COUNT
};

struct refusal_detail {
    const char *field;   /* or NULL */
    const char *message; /* instead of the usual one, or NULL */
    bool has_op;
    uint32_t op;         /* of a batch */
};

unsigned refusal_status(enum refusal r);
enum refusal refusal_of(enum kv_status status); /* not of KV_OK */

/* The whole body, or its beginning: without the last brace, for further members. */
err refusal_write(enum refusal r, const struct refusal_detail *detail, bool leave_open,
                  struct buf *out) MUST_USE;
/* Answers the exchange. `detail` may be NULL. */
void refuse(struct http_exchange *x, enum refusal r, const struct refusal_detail *detail);
