/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/api_key.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/crypto/hash.h"
#include "lib/crypto/random.h"

#define KEY_LABEL "meterseal apikey v1"
#define ID_CHARS 8
#define SECRET_BYTES 32
#define SECRET_CHARS 43
#define KEY_CHARS (4 + ID_CHARS + 1 + SECRET_CHARS)
#define FILE_BYTES_MAX (1u << 20)
#define LINE_BYTES_MAX 8192
#define SPACE_CHARS_MAX 63
#define PREFIX_BYTES_MAX 1024
#define SAME_ID_MAX 2 /* the old and the new secret while a holder changes over */

struct scope {
    unsigned verbs;
    bool any_space;
    struct bytes space; /* of api_keys.texts */
    struct bytes prefix;
};

struct api_grant {
    char id[ID_CHARS + 1];
    struct digest hash;
    int64_t expires_s; /* 0 = never */
    struct scope scopes[API_KEY_SCOPES_MAX];
    size_t scope_count;
};

struct api_keys {
    struct api_grant *grants; /* sorted by id */
    size_t count;
    struct arena texts;
};

/* --- reading the file --- */

static const struct {
    const char *name;
    enum api_verb verb;
} verb_names[] = {
    { "read", API_READ }, { "write", API_WRITE }, { "delete", API_DELETE },
    { "scan", API_SCAN }, { "admin", API_ADMIN }, { "metrics", API_METRICS },
};

static err verb_read(struct bytes name, unsigned *verbs)
{
    for (size_t i = 0; i < sizeof verb_names / sizeof *verb_names; i++) {
        if (bytes_equal(name, bytes_of_string(verb_names[i].name))) {
            *verbs |= (unsigned)verb_names[i].verb;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "unknown verb \"%.*s\": read, write, delete, scan, admin or metrics",
         (int)(name.len < 20 ? name.len : 20), (const char *)name.ptr);
}

static bool space_valid(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool inner = i > 0 && (c == '.' || c == '_' || c == '-');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !inner) {
            return false;
        }
    }
    return name.len > 0 && name.len <= SPACE_CHARS_MAX;
}

/* Visible characters stand for themselves, %XX for any octet. */
static err prefix_read(struct bytes text, struct arena *a, struct bytes *out)
{
    uint8_t *octets = arena_take(a, text.len + 1);
    size_t count = 0;

    if (octets == NULL) {
        FAIL(ERR_LIMIT, "no memory for a prefix");
    }
    for (size_t i = 0; i < text.len; i++) {
        octets[count] = text.ptr[i];
        if (text.ptr[i] == '%') {
            if (text.len - i < 3) {
                FAIL(ERR_PROTO, "a prefix ends within an escape");
            }
            TRY(hex_decode((struct bytes){ text.ptr + i + 1, 2 }, octets + count, 1));
            i += 2;
        } else if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            FAIL(ERR_PROTO, "a prefix has an octet that must be written as %%XX");
        }
        count++;
    }
    if (count > PREFIX_BYTES_MAX) {
        FAIL(ERR_LIMIT, "prefix of %zu octets, at most %d", count, PREFIX_BYTES_MAX);
    }
    *out = (struct bytes){ octets, count };
    return OK;
}

/* "read,scan:sql:job-": the prefix may be empty, the two colons may not be left out. */
static err scope_read(struct bytes text, struct arena *a, struct scope *out)
{
    struct scope s = { 0 };
    struct bytes verbs = bytes_cut(&text, ':');
    size_t left = text.len;
    struct bytes space = bytes_cut(&text, ':');

    if (left == space.len) {
        FAIL(ERR_PROTO, "a scope is written verbs:space:prefix");
    }
    do {
        TRY(verb_read(bytes_cut(&verbs, ','), &s.verbs));
    } while (verbs.len > 0);
    s.any_space = bytes_equal(space, BYTES_LIT("*"));
    if (!s.any_space && !space_valid(space)) {
        FAIL(ERR_PROTO, "a scope names no valid space; * stands for every space");
    }
    TRY(arena_copy(a, space, &s.space));
    TRY(prefix_read(text, a, &s.prefix));
    *out = s;
    return OK;
}

static err scopes_read(struct bytes text, struct arena *a, struct api_grant *g)
{
    while (text.len > 0) {
        struct bytes one = bytes_cut(&text, ' ');
        if (one.len == 0) {
            continue;
        }
        if (g->scope_count == API_KEY_SCOPES_MAX) {
            FAIL(ERR_LIMIT, "more than %d scopes", API_KEY_SCOPES_MAX);
        }
        TRY(scope_read(one, a, &g->scopes[g->scope_count]));
        g->scope_count++;
    }
    if (g->scope_count == 0) {
        FAIL(ERR_PROTO, "a key without scopes could do nothing");
    }
    return OK;
}

static bool id_valid(struct bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!(id.ptr[i] >= 'a' && id.ptr[i] <= 'z') && !(id.ptr[i] >= '2' && id.ptr[i] <= '7')) {
            return false;
        }
    }
    return id.len == ID_CHARS;
}

static err grant_read(struct bytes line, struct arena *a, struct api_grant *out)
{
    struct api_grant g = { 0 };
    struct bytes id = bytes_cut(&line, ' ');
    struct bytes hash = bytes_cut(&line, ' ');
    uint64_t expires;

    if (!id_valid(id)) {
        FAIL(ERR_PROTO, "key id is not 8 of a-z, 2-7");
    }
    memcpy(g.id, id.ptr, ID_CHARS);
    TRY(err_context(hex_decode(hash, g.hash.octets, DIGEST_BYTES), "hash of the secret"));
    TRY(err_context(decimal_parse(bytes_cut(&line, ' '), INT64_MAX, &expires), "expiry"));
    g.expires_s = (int64_t)expires;
    TRY(scopes_read(line, a, &g));
    *out = g;
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const struct api_grant *x = a;
    const struct api_grant *y = b;

    return memcmp(x->id, y->id, ID_CHARS);
}

static err keys_sort(struct api_keys *k)
{
    if (k->count > 0) {
        qsort(k->grants, k->count, sizeof *k->grants, by_id);
    }
    for (size_t i = SAME_ID_MAX; i < k->count; i++) {
        if (by_id(&k->grants[i - SAME_ID_MAX], &k->grants[i]) == 0) {
            FAIL(ERR_LIMIT, "key %s stands more than %d times", k->grants[i].id, SAME_ID_MAX);
        }
    }
    return OK;
}

static err keys_parse(struct bytes text, struct api_keys *k)
{
    for (unsigned number = 1; text.len > 0; number++) {
        struct bytes line = bytes_cut(&text, '\n');
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        if (k->count == API_KEY_COUNT_MAX) {
            FAIL(ERR_LIMIT, "line %u: more than %d keys", number, API_KEY_COUNT_MAX);
        }
        TRY(err_context(grant_read(line, &k->texts, &k->grants[k->count]), "line %u", number));
        k->count++;
    }
    return keys_sort(k);
}

static void keys_freep(struct api_keys **k)
{
    api_keys_free(*k);
}

err api_keys_read(struct bytes text, struct api_keys **out)
{
    AUTO(keys_freep) struct api_keys *k = mem_take(sizeof *k);

    if (k == NULL) {
        FAIL(ERR_LIMIT, "no memory for API keys");
    }
    k->texts.max = 4 * FILE_BYTES_MAX;
    k->grants = mem_take(API_KEY_COUNT_MAX * sizeof *k->grants);
    if (k->grants == NULL) {
        FAIL(ERR_LIMIT, "no memory for API keys");
    }
    TRY(keys_parse(text, k));
    *out = TAKE(k);
    return OK;
}

err api_keys_load(const char *path, struct api_keys **out)
{
    AUTO(buf_done) struct buf text = { .max = FILE_BYTES_MAX };

    TRY(err_context(file_read_private(path, &text), "API keys"));
    return err_context(api_keys_read(buf_bytes(&text), out), "API keys %s", path);
}

void api_keys_free(struct api_keys *k)
{
    if (k != NULL) {
        arena_done(&k->texts);
        mem_give(k->grants);
        mem_give(k);
    }
}

/* --- who is asking --- */

static bool header_split(struct bytes header, struct bytes *id, struct bytes *secret)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof scheme - 1;

    if (header.len != skip + KEY_CHARS ||
        strncasecmp((const char *)header.ptr, scheme, skip) != 0) {
        return false;
    }
    const uint8_t *at = header.ptr + skip;
    *id = (struct bytes){ at + 4, ID_CHARS };
    *secret = (struct bytes){ at + 4 + ID_CHARS + 1, SECRET_CHARS };
    return memcmp(at, "msk_", 4) == 0 && at[4 + ID_CHARS] == '_';
}

/* The first grant whose id is not below the wanted one. Ids are no secrets. */
static size_t first_of(const struct api_keys *k, struct bytes id)
{
    size_t low = 0;
    size_t high = k->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(k->grants[middle].id, id.ptr, ID_CHARS) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* One hash and SAME_ID_MAX comparisons, whether the id exists or not. */
static const struct api_grant *grant_find(const struct api_keys *k, struct bytes id,
                                          struct bytes secret, int64_t now_s)
{
    static const struct api_grant nobody;
    const struct api_grant *found = NULL;
    struct digest hash = sha256_domain(KEY_LABEL, secret);
    size_t first = first_of(k, id);

    for (size_t i = first; i < first + SAME_ID_MAX; i++) {
        const struct api_grant *g = i < k->count ? &k->grants[i] : &nobody;
        bool same = crypto_equal(DIGEST_VIEW(&g->hash), DIGEST_VIEW(&hash));
        bool known = memcmp(g->id, id.ptr, ID_CHARS) == 0;
        bool alive = g->expires_s == 0 || now_s < g->expires_s;
        found = same && known && alive ? g : found;
    }
    return found;
}

err api_keys_check(const struct api_keys *k, struct bytes header, int64_t now_s,
                   const struct api_grant **out)
{
    struct bytes id;
    struct bytes secret;

    if (!header_split(header, &id, &secret)) {
        FAIL(ERR_AUTH, "Authorization: Bearer with an API key is wanted");
    }
    const struct api_grant *g = grant_find(k, id, secret, now_s);
    if (g == NULL) {
        FAIL(ERR_AUTH, "the API key is unknown, wrong or expired");
    }
    *out = g;
    return OK;
}

const char *api_grant_id(const struct api_grant *g)
{
    return g->id;
}

bool api_grant_covers(const struct api_grant *g, enum api_verb verb, struct bytes space,
                      struct bytes key)
{
    for (size_t i = 0; i < g->scope_count; i++) {
        const struct scope *s = &g->scopes[i];
        if ((s->verbs & (unsigned)verb) != 0 && (s->any_space || bytes_equal(s->space, space)) &&
            bytes_have_prefix(key, s->prefix)) {
            return true;
        }
    }
    return false;
}

/* --- making one --- */

static void id_make(char out[ID_CHARS + 1])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t raw[ID_CHARS];

    random_fill(raw, sizeof raw);
    for (size_t i = 0; i < ID_CHARS; i++) {
        out[i] = digits[raw[i] & 31];
    }
    out[ID_CHARS] = 0;
}

/* Scopes come from a person's command line: one line, checked by the reader of the file. */
static err scopes_check(const char *scopes)
{
    AUTO(arena_done) struct arena a = { .max = LINE_BYTES_MAX * 4 };
    struct api_grant g = { 0 };

    if (strlen(scopes) > LINE_BYTES_MAX) {
        FAIL(ERR_LIMIT, "scopes of more than %d characters", LINE_BYTES_MAX);
    }
    return scopes_read(bytes_of_string(scopes), &a, &g);
}

static err key_write(const char *id, struct bytes secret, const char *scopes, int64_t expires_s,
                     struct buf *out_text, struct buf *out_line)
{
    struct digest hash = sha256_domain(KEY_LABEL, secret);
    char hex[2 * DIGEST_BYTES + 1];
    size_t text_len = out_text->len;

    hex_encode(DIGEST_VIEW(&hash), hex);
    TRY(buf_printf(out_text, "msk_%s_", id));
    err e = buf_append(out_text, secret);
    if (!e.code) {
        e = buf_printf(out_line, "%s %s %lld %s\n", id, hex, (long long)expires_s, scopes);
    }
    if (e.code) {
        out_text->len = text_len;
    }
    return e;
}

err api_key_make(const char *scopes, int64_t expires_s, struct buf *out_text, struct buf *out_line)
{
    uint8_t raw[SECRET_BYTES];
    uint8_t room[64];
    struct buf secret = { .ptr = room, .cap = sizeof room, .max = sizeof room };
    char id[ID_CHARS + 1];

    if (expires_s < 0) {
        FAIL(ERR_PROTO, "an expiry before 1970");
    }
    TRY(scopes_check(scopes));
    id_make(id);
    random_fill(raw, sizeof raw);
    err e = base64_encode(BYTES_OF(raw), &secret); /* fits: the buffer never grows */
    if (!e.code) {
        e = key_write(id, buf_bytes(&secret), scopes, expires_s, out_text, out_line);
    }
    wipe(raw, sizeof raw);
    wipe(room, sizeof room);
    return e;
}
