/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/kv/{space}: a page of keys in order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/json_write.h"
#include "store/kvs/gateway_impl.h"
#include "store/kvs/page_json.h"
#include "store/kvs/range.h"

/* Room for the bounds of a range in ask.body: start, end, and the end a prefix makes. */
#define BOUNDS_BYTES (4 * KVS_KEY_BYTES_MAX)

static const char *const names[] = { "prefix", "prefix64", "start", "start64", "end", "end64",
                                     "limit", "reverse", "values", "next" };

/* A misspelt bound must not silently mean another range. */
static bool names_known(struct bytes query)
{
    while (query.len > 0) {
        const uint8_t *amp = memchr(query.ptr, '&', query.len);
        size_t len = amp != NULL ? (size_t)(amp - query.ptr) : query.len;
        const uint8_t *eq = memchr(query.ptr, '=', len);
        struct bytes name = { query.ptr, eq != NULL ? (size_t)(eq - query.ptr) : len };
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            known = known || bytes_equal(name, bytes_of_string(names[i]));
        }
        if (!known) {
            return false;
        }
        size_t used = amp != NULL ? len + 1 : len;
        query.ptr += used;
        query.len -= used;
    }
    return true;
}

static bool query_has(struct ask *a, const char *name, struct bytes *out)
{
    err e = http_query_part(a->exchange, name, out);

    if (e.code && e.code != ERR_MISSING) {
        ask_refuse_later(a, REFUSE_FIELD, name);
    }
    return !e.code;
}

/* One bound, as text or in base64url, but not both; kept in ask.body. */
static struct bytes bound_read(struct ask *a, const char *name, const char *name64)
{
    struct bytes text;
    struct bytes text64;
    bool plain = query_has(a, name, &text);
    bool coded = query_has(a, name64, &text64);
    size_t at = a->body.len;

    if (plain && coded) {
        ask_refuse_later(a, REFUSE_FIELD, name64);
    } else if (plain && (text.len > KVS_KEY_BYTES_MAX || buf_append(&a->body, text).code)) {
        ask_refuse_later(a, REFUSE_FIELD, name);
    } else if (coded && (text64.len > BASE64_CHARS(KVS_KEY_BYTES_MAX) ||
                         base64_decode(text64, &a->body).code)) {
        ask_refuse_later(a, REFUSE_FIELD, name64);
    }
    return (struct bytes){ a->body.ptr + at, a->body.len - at };
}

static uint64_t number_read(struct ask *a, const char *name, uint64_t min, uint64_t max,
                            uint64_t otherwise)
{
    struct bytes text;
    uint64_t number = otherwise;

    if (query_has(a, name, &text) && (decimal_parse(text, max, &number).code || number < min)) {
        ask_refuse_later(a, REFUSE_FIELD, name);
    }
    return number;
}

static void token_refuse(struct ask *a, err e)
{
    if (e.code == ERR_MISSING) {
        ask_refuse_later(a, REFUSE_TOKEN, "next");
    } else if (e.code) {
        ask_refuse_later(a, REFUSE_FIELD, "next");
    }
}

/* A token brings bounds and direction along; naming them again would be a second opinion. */
static void range_from_token(struct ask *a, struct bytes text)
{
    static const char *const others[] = { "prefix", "prefix64", "start", "start64", "end", "end64",
                                          "reverse" };
    struct page_token token = { 0 };
    struct bytes value;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (query_has(a, others[i], &value)) {
            ask_refuse_later(a, REFUSE_FIELD, others[i]);
        }
    }
    token_refuse(a, token_open(a->gateway->tokens, ask_space_name(a), text, &a->body, &token));
    a->request.scan.start = token.start;
    a->request.scan.end = token.end;
    a->request.scan.reverse = token.reverse;
    a->request.snapshot_ask.handle = token.snapshot;
}

/* True when no key can be in the range. */
static bool range_from_query(struct ask *a)
{
    struct bytes prefix = bound_read(a, "prefix", "prefix64");
    struct bytes start = bound_read(a, "start", "start64");
    struct bytes end = bound_read(a, "end", "end64");
    uint8_t *room = a->body.ptr + 3 * KVS_KEY_BYTES_MAX;
    struct key_range r = range_make(prefix, start, end, room);

    a->request.scan.start = r.start;
    a->request.scan.end = r.end;
    a->request.scan.reverse = number_read(a, "reverse", 0, 1, 0) == 1;
    return r.nothing;
}

static bool handle_read(struct bytes text, uint64_t *out)
{
    uint8_t octets[8];

    if (text.len != 2 * sizeof octets || hex_decode(text, octets, sizeof octets).code) {
        return false;
    }
    *out = load_u64(octets);
    return *out != 0;
}

/* X-Snapshot: "new" or a handle, then maybe ";keep". A token has a handle of its own. */
static void snapshot_read(struct ask *a)
{
    struct snapshot_ask *ask = &a->request.snapshot_ask;
    const struct bytes keep = BYTES_LIT(";keep");
    struct bytes text;
    struct bytes token;

    ask->owner = a->grant;
    if (!http_header(a->exchange, "x-snapshot", &text)) {
        return;
    }
    if (text.len >= keep.len && memcmp(text.ptr + text.len - keep.len, keep.ptr, keep.len) == 0) {
        ask->keep = true;
        text.len -= keep.len;
    }
    ask->wanted = bytes_equal(text, BYTES_LIT("new"));
    if ((!ask->wanted && !handle_read(text, &ask->handle)) || query_has(a, "next", &token)) {
        ask_refuse_later(a, REFUSE_FIELD, "X-Snapshot");
    }
}

static bool wants_binary(const struct ask *a)
{
    struct bytes accept;

    return http_header(a->exchange, "accept", &accept) &&
           bytes_equal(accept, BYTES_LIT(KVS_PAGE_TYPE));
}

/* --- the answer --- */

/* What is left of the range behind a page. */
static struct page_token rest_of(const struct kv_request *r)
{
    struct bytes next = { r->next_key, r->next_key_len };

    return (struct page_token){
        .reverse = r->scan.reverse,
        .start = r->scan.reverse ? r->scan.start : next,
        .end = r->scan.reverse ? next : r->scan.end,
        .snapshot = r->snapshot,
    };
}

static err token_add(struct ask *a, struct json_writer *w)
{
    AUTO(buf_done) struct buf token = { .max = HTTP_TARGET_BYTES_MAX };
    struct page_token rest = rest_of(&a->request);

    TRY(token_make(a->gateway->tokens, ask_space_name(a), &rest, &token));
    json_write_key(w, "next");
    json_write_text(w, buf_bytes(&token));
    return json_octets(w, "next_key",
                       (struct bytes){ a->request.next_key, a->request.next_key_len });
}

/* The members behind the keys: {"keys":[ ... ] is there, this is the rest. */
static err page_close(struct ask *a)
{
    AUTO(buf_done) struct buf tail = { .max = 16384 };
    struct kv_request *r = &a->request;
    struct json_writer w;

    json_write_begin(&w, &tail);
    json_write_object(&w);
    json_write_key(&w, "rev");
    json_write_uint(&w, r->rev);
    TRY(json_octets(&w, "start", r->scan.start));
    TRY(json_octets(&w, "end", r->scan.end));
    json_write_key(&w, "reverse");
    json_write_bool(&w, r->scan.reverse);
    json_write_key(&w, "more");
    json_write_bool(&w, r->answer_more);
    if (r->answer_more) {
        TRY(token_add(a, &w));
    }
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    tail.ptr[0] = ','; /* instead of its brace: these are members of the page */
    TRY(buf_u8(&r->answer, ']'));
    return buf_append(&r->answer, buf_bytes(&tail));
}

static void page_answer(struct ask *a)
{
    if (a->request.snapshot != 0) {
        char text[KVS_HANDLE_CHARS + 1];
        snprintf(text, sizeof text, "%016" PRIx64, a->request.snapshot);
        http_add_header(a->exchange, "X-Snapshot", text);
    }
    if (a->json && page_close(a).code) {
        ask_refuse(a, REFUSE_ANSWER_LARGE, NULL);
        return;
    }
    ask_answer(a, 200, a->json ? "application/json" : KVS_PAGE_TYPE, buf_bytes(&a->request.answer));
}

/* --- the request --- */

static void page_of_nothing(struct ask *a)
{
    struct kv_request *r = &a->request;

    r->answer.max = KVS_ANSWER_BYTES_MAX;
    r->rev = engine_rev(a->gateway->engine);
    err e = a->json ? buf_string(&r->answer, "{\"keys\":[") : kvs_msp_begin(&r->answer);
    if (!e.code && !a->json) {
        e = kvs_msp_finish(&r->answer, &(struct kvs_msp){ .rev = r->rev });
    }
    if (e.code) {
        ask_refuse(a, REFUSE_MEMORY, NULL);
        return;
    }
    page_answer(a);
}

static void scan_spec(struct ask *a, bool *out_nothing)
{
    struct kv_scan *spec = &a->request.scan;
    struct bytes token;
    uint64_t most = a->json ? SCAN_JSON_KEYS_MAX : KVS_PAGE_KEYS_MAX;

    spec->json = a->json;
    spec->limit = (uint32_t)number_read(a, "limit", 1, most, most);
    spec->values = number_read(a, "values", 0, 1, 1) == 1;
    snapshot_read(a);
    if (query_has(a, "next", &token)) {
        range_from_token(a, token);
    } else {
        *out_nothing = range_from_query(a);
    }
    if (!names_known(http_query(a->exchange))) {
        ask_refuse_later(a, REFUSE_FIELD, "a query parameter that is not known");
    }
}

/* A reader that ends before its range does. */
void snapshot_delete_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_SCAN);
    struct bytes text;
    uint64_t handle = 0;

    if (a == NULL) {
        return;
    }
    if (http_path_part(x, "snapshot", &text).code || !handle_read(text, &handle)) {
        ask_refuse_later(a, REFUSE_FIELD, "snapshot");
    }
    if (a->refused == REFUSE_NOTHING &&
        engine_snapshot_drop(a->gateway->engine, handle, a->grant).code) {
        ask_refuse_later(a, REFUSE_SNAPSHOT, NULL);
    }
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    ask_answer(a, 204, NULL, (struct bytes){ 0 });
}

/* The range is read before the space is looked for: a scope covers a range or it does not. */
void scan_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_SCAN);
    bool nothing = false;
    struct bytes space = { 0 };

    if (a == NULL) {
        return;
    }
    a->json = !wants_binary(a);
    a->body.max = BOUNDS_BYTES;
    if (buf_reserve(&a->body, BOUNDS_BYTES).code) {
        ask_refuse_later(a, REFUSE_MEMORY, NULL);
    }
    if (a->refused == REFUSE_NOTHING && !http_path_part(x, "space", &space).code &&
        kvs_space_name_valid(space)) {
        memcpy(a->space, space.ptr, space.len);
        scan_spec(a, &nothing);
    }
    struct bytes common = range_common_prefix(a->request.scan.start, a->request.scan.end);
    memcpy(a->key, common.len > 0 ? common.ptr : a->key, common.len);
    a->key_len = common.len;
    ask_space(a, API_SCAN, false, true);
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
    } else if (nothing) {
        page_of_nothing(a);
    } else {
        ask_read(a, read_scan, page_answer);
    }
}
