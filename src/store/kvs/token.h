/* SPDX-License-Identifier: Apache-2.0 */
/* Where the next page of a scan begins, sealed: a caller can neither read nor change it, and it
 * serves one space only. Tokens end with the process that made them. One thread. */
#pragma once

#include "lib/base/buf.h"

struct tokens;
err tokens_new(struct tokens **out) MUST_USE;
void tokens_free(struct tokens *t);

struct page_token {
    bool reverse;
    struct bytes start, end; /* of what is left of the range */
    uint64_t snapshot;       /* handle of what the page was read at; 0 = none */
};

/* Appends the token as text for a URL. */
err token_make(struct tokens *t, struct bytes space, const struct page_token *what,
               struct buf *out) MUST_USE;

/* ERR_PROTO, ERR_AUTH: no token for this space; ERR_MISSING: of an earlier process. `out` borrows
 * from `room`, which is emptied first. */
err token_open(struct tokens *t, struct bytes space, struct bytes text, struct buf *room,
               struct page_token *out) MUST_USE;
