/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/access.h"

#include <stdio.h>
#include <string.h>

static const char *const right_names[] = { [SQL_READ] = "read", [SQL_WRITE] = "write",
                                           [SQL_ADMIN] = "admin" };

/* What stands before the first of `ends`; the rest, with that character, stays. */
static struct bytes take_word(struct bytes *in, const char *ends)
{
    size_t n = 0;

    while (n < in->len && strchr(ends, in->ptr[n]) == NULL) {
        n++;
    }
    struct bytes word = { in->ptr, n };
    in->ptr += n;
    in->len -= n;
    return word;
}

static bool take_char(struct bytes *in, char c)
{
    if (in->len == 0 || in->ptr[0] != (uint8_t)c) {
        return false;
    }
    in->ptr++;
    in->len--;
    return true;
}

static err parse_rights(struct bytes *in, unsigned *out)
{
    unsigned rights = 0;

    do {
        struct bytes word = take_word(in, ", ");
        unsigned right = 0;
        while (right < 3 && !bytes_equal(word, bytes_of_string(right_names[right]))) {
            right++;
        }
        if (right == 3) {
            FAIL(ERR_PROTO, "a role may read, write or admin, not \"%.*s\"",
                 (int)(word.len < 40 ? word.len : 40), (const char *)word.ptr);
        }
        rights |= 1u << right;
    } while (take_char(in, ','));
    *out = rights;
    return OK;
}

static err parse_role(struct bytes *in, struct access_roles *r)
{
    struct bytes name = take_word(in, "= ");

    if (r->count == ACCESS_ROLES_MAX) {
        FAIL(ERR_LIMIT, "more than %d roles", ACCESS_ROLES_MAX);
    }
    if (name.len == 0 || name.len >= ACCESS_ROLE_BYTES || !take_char(in, '=')) {
        FAIL(ERR_PROTO, "roles are written ROLE=right,right with a blank between them");
    }
    snprintf(r->roles[r->count].role, ACCESS_ROLE_BYTES, "%.*s", (int)name.len,
             (const char *)name.ptr);
    TRY(parse_rights(in, &r->roles[r->count].rights));
    r->count++;
    return OK;
}

err access_roles_parse(const char *text, struct access_roles *out)
{
    struct bytes in = bytes_of_string(text);
    struct access_roles r = { 0 };

    for (;;) {
        while (take_char(&in, ' ')) {
        }
        if (in.len == 0) {
            break;
        }
        TRY(parse_role(&in, &r));
    }
    *out = r;
    return OK;
}

err access_check(const struct api_keys *keys, const struct access_roles *roles,
                 const struct bytes *authorization, const char *peer, int64_t now_s,
                 struct access *out)
{
    struct access a = { 0 };

    if (authorization != NULL) {
        TRY(api_keys_check(keys, *authorization, now_s, &a.grant));
        *out = a;
        return OK;
    }
    for (size_t i = 0; i < roles->count; i++) {
        if (peer[0] != '\0' && strcmp(roles->roles[i].role, peer) == 0) {
            a.rights = roles->roles[i].rights;
            *out = a;
            return OK;
        }
    }
    FAIL(ERR_AUTH, "neither an API key nor a certificate of a role that may use SQL");
}

bool access_allows(const struct access *a, enum sql_right right, const char *table)
{
    static const enum api_verb verbs[] = { [SQL_READ] = API_READ, [SQL_WRITE] = API_WRITE,
                                           [SQL_ADMIN] = API_ADMIN };

    if (a->grant == NULL) {
        return (a->rights >> right & 1) != 0;
    }
    return api_grant_covers(a->grant, verbs[right], BYTES_LIT("sql"), bytes_of_string(table));
}
