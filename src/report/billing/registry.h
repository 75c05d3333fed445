/* SPDX-License-Identifier: Apache-2.0 */
/* Who is billed: meters, their certificates and their contracts, by SQL, page by page. */
#pragma once

#include "lib/client/sql.h"
#include "report/billing/issue.h"

#define REGISTRY_PAGE_MAX 500
#define REGISTRY_CERTIFICATE_BYTES_MAX 8192

struct registered {
    uint64_t meter;
    bool has_contract;
    bool contract_changes; /* another one comes into force inside the period */
    struct contract contract;
    struct buf certificate; /* PEM */
};

struct registry_page {         /* a zeroed struct is the page before the first */
    struct registered *meters; /* owned; by id */
    size_t count;
    bool more;
    uint64_t last; /* id of the last of all pages so far */
    bool begun;
};
void registry_page_done(struct registry_page *p);

/* The next page of registered meters with the contracts in force at start_s. */
err registry_next(struct sql_client *sql, int64_t start_s, int64_t end_s,
                  struct registry_page *p) MUST_USE;
/* One meter; p->count is 0 when it is not registered. */
err registry_one(struct sql_client *sql, uint64_t meter, int64_t start_s, int64_t end_s,
                 struct registry_page *p) MUST_USE;
