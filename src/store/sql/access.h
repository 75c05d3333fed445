/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: holders of API keys by their scopes (space "sql", prefix of the table's name),
 * services with a certificate by their role. */
#pragma once

#include "lib/service/api_key.h"
#include "store/sql/engine.h"

#define ACCESS_ROLES_MAX 16
#define ACCESS_ROLE_BYTES 32

struct access_roles { /* rights of services by the role of their certificate, on all tables */
    size_t count;
    struct {
        char role[ACCESS_ROLE_BYTES];
        unsigned rights; /* bit per enum sql_right */
    } roles[ACCESS_ROLES_MAX];
};

/* "collector=read,write,admin billing=read". ERR_PROTO names what is wrong. */
err access_roles_parse(const char *text, struct access_roles *out) MUST_USE;

struct access { /* of one request */
    const struct api_grant *grant; /* NULL: by role */
    unsigned rights;               /* of the role */
};

/* A key that is given must be good, also of a service with a certificate. ERR_AUTH. */
err access_check(const struct api_keys *keys, const struct access_roles *roles,
                 const struct bytes *authorization, const char *peer, int64_t now_s,
                 struct access *out) MUST_USE;
bool access_allows(const struct access *a, enum sql_right right, const char *table);
