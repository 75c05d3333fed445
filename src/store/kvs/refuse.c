/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/refuse.h"

#include <assert.h>

#include "lib/wire/json_write.h"

#define BODY_BYTES_MAX 2048

static const struct {
    unsigned status;
    const char *code;
    const char *message;
    const char *limit;
    const char *hint;
} table[REFUSE_COUNT] = {
    [REFUSE_AUTH] = { 401, "auth", "no valid API key", NULL,
                      "send Authorization: Bearer with a key that is neither wrong nor expired" },
    [REFUSE_SCOPE] = { 403, "scope", "the API key does not cover this", NULL,
                       "ask for a key with this verb, space and prefix" },
    [REFUSE_NO_SPACE] = { 404, "no_space", "no such space", NULL,
                          "make it: PUT /v1/spaces/{space}" },
    [REFUSE_NO_KEY] = { 404, "no_key", "no such key", NULL, NULL },
    [REFUSE_KEY] = { 400, "key", "the key is empty, too long or badly escaped", "1 to 1024 octets",
                     "escape every octet but unreserved characters as %XX" },
    [REFUSE_FIELD] = { 400, "field", "a field is not as it should be", NULL, NULL },
    [REFUSE_TTL] = { 400, "field", "a space has quotas or keys that expire, not both", NULL,
                     "leave X-Ttl or ttl_s out, or use a space without quotas" },
    [REFUSE_SPACE] = { 400, "space", "not the name of a space", "[a-z0-9][a-z0-9._-]{0,62}", NULL },
    [REFUSE_VALUE_LARGE] = { 413, "too_large", "the value is too large", "67108864 octets",
                             "split it" },
    [REFUSE_BATCH_LARGE] = { 413, "too_large", "the batch is too large",
                             "16777216 octets; as JSON 1048576", "send several" },
    [REFUSE_ANSWER_LARGE] = { 413, "too_large", "the answer would be too large", "71303168 octets",
                              "ask for fewer keys, or for binary instead of JSON" },
    [REFUSE_LENGTH] = { 411, "length", "neither Content-Length nor chunks", NULL,
                        "an empty value has Content-Length: 0" },
    [REFUSE_PRECONDITION] = { 412, "precondition", "a condition failed: nothing was written", NULL,
                              "read again, then repeat with the new rev" },
    [REFUSE_TOKEN] = { 410, "token", "the page token is of an earlier run of the store", NULL,
                       "start again behind the last key you have" },
    [REFUSE_SNAPSHOT] = { 410, "snapshot", "the snapshot is gone",
                          "60 s unused, an hour, 64 of them",
                          "start again with X-Snapshot: new" },
    [REFUSE_SNAPSHOTS] = { 429, "rate", "too many snapshots are being read", "64",
                           "wait a second" },
    [REFUSE_BATCH] = { 400, "batch", "the batch breaks its format", NULL, NULL },
    [REFUSE_QUEUE] = { 429, "rate", "too many requests are waiting", "4096 requests",
                       "wait a second" },
    [REFUSE_BODIES] = { 429, "rate", "too many octets of requests are under way", NULL,
                        "wait a second" },
    [REFUSE_QUOTA] = { 507, "quota", "the quota of the space would be crossed", NULL,
                       "delete something, or raise quota_bytes or quota_keys of the space" },
    [REFUSE_DISK] = { 507, "disk", "the disk reserve is reached: reads and deletes go on", NULL,
                      "make room on the disk of the store" },
    [REFUSE_SPACES] = { 507, "spaces", "too many spaces", "120", "delete one" },
    [REFUSE_FIXED] = { 409, "fixed",
                       "style, compression and ttl_s of a space cannot be changed, "
                       "nor can it get a quota while it has keys that expire",
                       NULL, "make another space and copy" },
    [REFUSE_NO_OWNER] = { 503, "no_owner", "the store is stopping or has lost its volume", NULL,
                          "repeat later" },
    [REFUSE_UNKNOWN] = { 503, "unknown", "the outcome of the write is unknown", NULL,
                         "read the keys before you repeat it" },
    [REFUSE_DATA_LOSS] = { 500, "data_loss", "stored octets are not those that were written", NULL,
                           "see the log of the store; restore from a copy" },
    [REFUSE_IO] = { 500, "io", "a read failed", NULL, "repeat; see the log of the store" },
    [REFUSE_MEMORY] = { 503, "memory", "memory is full", NULL, "repeat later" },
};

static const enum refusal by_status[KV_STATUS_COUNT] = {
    [KV_NO_SPACE] = REFUSE_NO_SPACE,
    [KV_NO_KEY] = REFUSE_NO_KEY,
    [KV_PRECONDITION] = REFUSE_PRECONDITION,
    [KV_TWICE] = REFUSE_BATCH,
    [KV_TOO_LARGE] = REFUSE_ANSWER_LARGE,
    [KV_QUOTA] = REFUSE_QUOTA,
    [KV_TTL] = REFUSE_TTL,
    [KV_DISK] = REFUSE_DISK,
    [KV_UNKNOWN] = REFUSE_UNKNOWN,
    [KV_DATA_LOSS] = REFUSE_DATA_LOSS,
    [KV_IO] = REFUSE_IO,
    [KV_MEMORY] = REFUSE_MEMORY,
    [KV_EXISTS] = REFUSE_FIXED,
    [KV_TOO_MANY] = REFUSE_SPACES,
    [KV_SNAPSHOT] = REFUSE_SNAPSHOT,
    [KV_SNAPSHOTS] = REFUSE_SNAPSHOTS,
};

static const char *refusal_code(enum refusal r)
{
    assert(r > REFUSE_NOTHING && r < REFUSE_COUNT);
    return table[r].code;
}

unsigned refusal_status(enum refusal r)
{
    assert(r > REFUSE_NOTHING && r < REFUSE_COUNT);
    return table[r].status;
}

enum refusal refusal_of(enum kv_status status)
{
    assert(status > KV_OK && status < KV_STATUS_COUNT);
    return by_status[status];
}

static void member(struct json_writer *w, const char *name, const char *text)
{
    if (text != NULL) {
        json_write_key(w, name);
        json_write_string(w, text);
    }
}

err refusal_write(enum refusal r, const struct refusal_detail *detail, bool leave_open,
                  struct buf *out)
{
    static const struct refusal_detail none;
    const struct refusal_detail *d = detail != NULL ? detail : &none;
    struct json_writer w;

    TRY(buf_string(out, "{\"error\":"));
    json_write_begin(&w, out);
    json_write_object(&w);
    member(&w, "code", refusal_code(r));
    member(&w, "message", d->message != NULL ? d->message : table[r].message);
    member(&w, "field", d->field);
    if (d->has_op) {
        json_write_key(&w, "op");
        json_write_uint(&w, d->op);
    }
    member(&w, "limit", table[r].limit);
    member(&w, "hint", table[r].hint);
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    return leave_open ? OK : buf_u8(out, '}');
}

/* Headers that belong to a refusal. */
static void refusal_headers(struct http_exchange *x, enum refusal r)
{
    unsigned status = refusal_status(r);

    if (status == 429) {
        http_add_header(x, "Retry-After", "1");
    } else if (status == 401) {
        http_add_header(x, "WWW-Authenticate", "Bearer");
    }
}

void refuse(struct http_exchange *x, enum refusal r, const struct refusal_detail *detail)
{
    AUTO(buf_done) struct buf body = { .max = BODY_BYTES_MAX };
    err e = refusal_write(r, detail, false, &body);

    if (e.code) {
        buf_clear(&body);
    }
    refusal_headers(x, r);
    http_answer(x, refusal_status(r), "application/json", buf_bytes(&body));
}
