/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request, parsed by http_parser behind the guard and checked by our rules. */
#pragma once

#include "lib/net/http_guard.h"
#include "lib/net/http_server.h"

#define HTTP_LENGTH_DIGITS_MAX 10

struct http_field {
    struct bytes name, value;
};

struct http_head {
    const char *method; /* one of ours */
    struct bytes path, query;
    struct http_field fields[HTTP_HEADER_COUNT_MAX];
    unsigned count;
    bool has_length, chunked;
    uint64_t length;
    bool close;           /* Connection: close */
    bool expect_continue; /* and a body follows */
};

/* `octets` is a whole head that passed `guard`; views in `out` borrow from it. 0, or the status
 * that refuses it: 400, 417, 501, 505. */
unsigned http_head_parse(struct bytes octets, const struct http_guard *guard, struct http_head *out)
    MUST_USE;

bool http_head_find(const struct http_head *h, const char *name, struct bytes *out);
