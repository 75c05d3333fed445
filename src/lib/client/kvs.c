/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/client/kvs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/mem.h"
#include "lib/wire/json_read.h"

/* The longest answer: a page of one value of the largest size, or gets up to the same. */
#define ANSWER_BYTES_MAX (72u << 20)
#define TARGET_BYTES_MAX 4096
#define ERROR_BODY_BYTES_MAX 4096

struct kvs_client {
    struct http_client *http;
};

err kvs_client_new(struct loop *l, const struct http_client_options *options,
                   struct kvs_client **out)
{
    struct http_client_options own = *options;
    struct kvs_client *c = mem_take(sizeof *c);

    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for a kvs client");
    }
    if (own.answer_bytes_max == 0) {
        own.answer_bytes_max = ANSWER_BYTES_MAX;
    }
    err e = http_client_new(l, &own, &c->http);
    if (e.code) {
        mem_give(c);
        return e;
    }
    *out = c;
    return OK;
}

void kvs_client_free(struct kvs_client *c)
{
    if (c != NULL) {
        http_client_free(c->http);
        mem_give(c);
    }
}

void kvs_client_freep(struct kvs_client **c)
{
    kvs_client_free(*c);
}

/* --- building a batch --- */

err kvs_batch_begin(struct kvs_batch *b, const char *space)
{
    struct bytes name = bytes_of_string(space);

    kvs_batch_clear(b);
    b->octets.max = KVS_BATCH_BYTES_MAX;
    return kvs_msb_begin(&b->octets, &name, 1);
}

static err batch_add(struct kvs_batch *b, const struct kvs_op *op)
{
    if (b->count >= KVS_BATCH_OPS_MAX) {
        FAIL(ERR_LIMIT, "more than %d operations in a batch", KVS_BATCH_OPS_MAX);
    }
    TRY(kvs_msb_op(&b->octets, op));
    b->count++;
    return OK;
}

err kvs_batch_put(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key,
                  struct bytes value)
{
    struct kvs_op op = {
        .type = KVS_PUT, .expect = expect, .rev = rev, .key = key, .value = value
    };

    return batch_add(b, &op);
}

err kvs_batch_delete(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key)
{
    struct kvs_op op = { .type = KVS_DELETE, .expect = expect, .rev = rev, .key = key };

    return batch_add(b, &op);
}

err kvs_batch_check(struct kvs_batch *b, enum kvs_expect expect, uint64_t rev, struct bytes key)
{
    struct kvs_op op = { .type = KVS_CHECK, .expect = expect, .rev = rev, .key = key };

    return batch_add(b, &op);
}

err kvs_batch_get(struct kvs_batch *b, struct bytes key)
{
    struct kvs_op op = { .type = KVS_GET, .key = key };

    return batch_add(b, &op);
}

void kvs_batch_clear(struct kvs_batch *b)
{
    buf_clear(&b->octets);
    b->count = 0;
}

void kvs_batch_done(struct kvs_batch *b)
{
    buf_done(&b->octets);
    b->count = 0;
}

/* --- refusals --- */

static enum err_code code_of(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_AUTH;
    case 404:
    case 410:
        return ERR_MISSING;
    case 412:
        return ERR_CONFLICT;
    case 413:
    case 507:
        return ERR_LIMIT;
    case 429:
        return ERR_AGAIN;
    default:
        return status >= 500 ? ERR_IO : ERR_PROTO;
    }
}

/* The error of an answer that is no success, with the server's own words as its text. */
static err refused(unsigned status, struct bytes body)
{
    AUTO(json_freep) json_t *doc = NULL;
    json_t *error = NULL;
    struct bytes code = BYTES_LIT("?");
    struct bytes message = BYTES_LIT("no reason given");

    if (!json_read(body, ERROR_BODY_BYTES_MAX, 8, &doc).code &&
        !json_field_object(doc, "error", &error).code) {
        (void)(json_field_text(error, "code", &code).code ||
               json_field_text(error, "message", &message).code);
    }
    err_set(__FILE__, __LINE__, "kvs answers %u %.*s: %.*s", status, (int)code.len,
            (const char *)code.ptr, (int)message.len, (const char *)message.ptr);
    return (err){ code_of(status) };
}

/* --- batch --- */

static err batch_ready(struct kvs_batch *b)
{
    if (b->count == 0) {
        FAIL(ERR_PROTO, "an empty batch cannot be sent");
    }
    kvs_msb_finish(&b->octets, b->count);
    return OK;
}

static struct http_call batch_http(const struct kvs_batch *b)
{
    return (struct http_call){
        .method = "POST",
        .target = "/v1/batch",
        .content_type = KVS_BATCH_TYPE,
        .body = buf_bytes(&b->octets),
        .headers = { "Accept: " KVS_ANSWER_TYPE },
    };
}

/* `out` is set with OK and with ERR_CONFLICT. */
static err batch_answer(unsigned status, struct bytes body, struct kvs_batch_answer *out)
{
    struct kvs_msr msr;

    if (status != 200 && status != 412) {
        return refused(status, body);
    }
    TRY(err_context(kvs_msr_read(body, &msr), "kvs"));
    if (msr.status != status) {
        FAIL(ERR_PROTO, "kvs answers %u with a body of %u", status, msr.status);
    }
    *out = (struct kvs_batch_answer){ .rev = msr.rev, .results = msr.results, .count = msr.count };
    if (status == 412) {
        FAIL(ERR_CONFLICT, "kvs: %u conditions of the batch failed", msr.count);
    }
    return OK;
}

struct batch_call {
    kvs_batch_fn done;
    void *arg;
};

static void batch_answered(void *arg, err e, const struct http_answer *answer)
{
    struct batch_call call = *(struct batch_call *)arg;
    struct kvs_batch_answer out = { 0 };

    mem_give(arg);
    if (!e.code) {
        e = batch_answer(answer->status, answer->body, &out);
    }
    call.done(call.arg, e, &out);
}

err kvs_batch_send(struct kvs_client *c, struct kvs_batch *b, kvs_batch_fn done, void *arg)
{
    TRY(batch_ready(b));
    struct batch_call *call = mem_take(sizeof *call);
    if (call == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch call");
    }
    *call = (struct batch_call){ done, arg };
    struct http_call http = batch_http(b);
    err e = http_client_send(c->http, &http, batch_answered, call);
    if (e.code) {
        mem_give(call);
    }
    return e;
}

/* A buffer of the caller without a bound gets that of answers. */
static void answer_buffer(struct buf *b)
{
    buf_clear(b);
    if (b->max == 0) {
        b->max = ANSWER_BYTES_MAX;
    }
}

err kvs_batch_wait(struct kvs_client *c, struct kvs_batch *b, struct buf *out_results,
                   struct kvs_batch_answer *out)
{
    unsigned status;

    TRY(batch_ready(b));
    struct http_call http = batch_http(b);
    answer_buffer(out_results);
    TRY(http_call(c->http, &http, &status, out_results));
    return batch_answer(status, buf_bytes(out_results), out);
}

/* --- scan --- */

static err bound_add(struct buf *target, const char *name, struct bytes key)
{
    if (key.len == 0) {
        return OK;
    }
    if (key.len > KVS_KEY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "%s of %zu octets, at most %d", name, key.len, KVS_KEY_BYTES_MAX);
    }
    TRY(buf_printf(target, "&%s=", name));
    return base64_encode(key, target);
}

static err scan_target(const struct kvs_range *r, struct buf *out)
{
    if (!kvs_space_name_valid(bytes_of_string(r->space))) {
        FAIL(ERR_PROTO, "\"%.70s\" is no name of a space", r->space);
    }
    if (r->limit == 0 || r->limit > KVS_PAGE_KEYS_MAX) {
        FAIL(ERR_LIMIT, "limit of %u keys, 1 to %d", r->limit, KVS_PAGE_KEYS_MAX);
    }
    TRY(buf_printf(out, "/v1/kv/%s?limit=%u", r->space, r->limit));
    TRY(bound_add(out, "start64", r->start));
    TRY(bound_add(out, "end64", r->end));
    TRY(buf_string(out, r->reverse ? "&reverse=1" : ""));
    TRY(buf_string(out, r->keys_only ? "&values=0" : ""));
    return buf_u8(out, 0);
}

struct snapshot_line {
    char text[sizeof "X-Snapshot: ;keep" + KVS_HANDLE_CHARS];
};

static struct http_call scan_http(const struct kvs_range *r, const struct buf *target,
                                  struct snapshot_line *line)
{
    struct http_call call = { .method = "GET",
                              .target = (const char *)target->ptr,
                              .headers = { "Accept: " KVS_PAGE_TYPE } };
    char handle[KVS_HANDLE_CHARS + 1] = "new";

    if (r->snapshot != 0) {
        snprintf(handle, sizeof handle, "%016" PRIx64, r->snapshot);
    }
    if (r->snapshot != 0 || r->consistent) {
        snprintf(line->text, sizeof line->text, "X-Snapshot: %s%s", handle,
                 r->keep ? ";keep" : "");
        call.headers[1] = line->text;
    }
    return call;
}

struct bounds {
    struct bytes start, end;
    uint32_t limit;
    bool reverse;
};

static bool inside(const struct bounds *b, struct bytes key)
{
    return bytes_compare(key, b->start) >= 0 && (b->end.len == 0 || bytes_compare(key, b->end) < 0);
}

/* The next page must begin behind everything this one covered, or a reader could go in circles. */
static bool next_fits(const struct bounds *b, const struct kvs_msp *page, struct bytes last)
{
    if (!page->more) {
        return true;
    }
    if (b->reverse) {
        return bytes_compare(page->next, b->start) > 0 &&
               (page->count > 0 ? bytes_compare(page->next, last) <= 0 : inside(b, page->next));
    }
    return inside(b, page->next) && bytes_compare(page->next, page->count > 0 ? last : b->start) > 0;
}

/* Keys in strict order, all within the bounds asked for: no error of paging passes in silence. */
static err page_check(const struct bounds *b, const struct kvs_msp *page)
{
    struct bytes entries = page->entries;
    struct bytes last = { 0 };
    struct kvs_entry e;

    if (page->count > b->limit) {
        FAIL(ERR_PROTO, "kvs page of %u keys, %u wanted", page->count, b->limit);
    }
    for (uint32_t i = 0; i < page->count; i++) {
        TRY(kvs_entry_take(&entries, &e));
        int order = i > 0 ? bytes_compare(e.key, last) : 0;
        if (!inside(b, e.key) || (i > 0 && (b->reverse ? order >= 0 : order <= 0))) {
            FAIL(ERR_PROTO, "key %u of a kvs page is out of order or outside its range", i);
        }
        last = e.key;
    }
    if (!next_fits(b, page, last)) {
        FAIL(ERR_PROTO, "a kvs page names a next key that does not follow it");
    }
    return OK;
}

static err page_answer(unsigned status, struct bytes body, const struct bounds *b,
                       struct kvs_page *out)
{
    struct kvs_msp msp;

    if (status != 200) {
        return refused(status, body);
    }
    TRY(err_context(kvs_msp_read(body, &msp), "kvs"));
    TRY(page_check(b, &msp));
    *out = (struct kvs_page){ .count = msp.count, .more = msp.more, .entries = msp.entries,
                              .next = msp.next, .rev = msp.rev, .snapshot = msp.snapshot };
    return OK;
}

static struct bounds bounds_of(const struct kvs_range *r)
{
    return (struct bounds){ r->start, r->end, r->limit, r->reverse };
}

struct page_call {
    kvs_page_fn done;
    void *arg;
    struct bounds bounds; /* its keys point into `keys` */
    uint8_t keys[];
};

static void page_answered(void *arg, err e, const struct http_answer *answer)
{
    struct page_call *call = arg;
    struct kvs_page page = { 0 };

    if (!e.code) {
        e = page_answer(answer->status, answer->body, &call->bounds, &page);
    }
    kvs_page_fn done = call->done;
    void *done_arg = call->arg;
    mem_give(call);
    done(done_arg, e, &page);
}

static struct bytes key_keep(uint8_t *at, struct bytes key)
{
    if (key.len > 0) {
        memcpy(at, key.ptr, key.len);
    }
    return (struct bytes){ at, key.len };
}

static err page_call_new(const struct kvs_range *r, kvs_page_fn done, void *arg,
                         struct page_call **out)
{
    struct page_call *call = mem_take(sizeof *call + r->start.len + r->end.len);

    if (call == NULL) {
        FAIL(ERR_LIMIT, "no memory for a scan");
    }
    call->done = done;
    call->arg = arg;
    call->bounds = bounds_of(r);
    call->bounds.start = key_keep(call->keys, r->start);
    call->bounds.end = key_keep(call->keys + r->start.len, r->end);
    *out = call;
    return OK;
}

err kvs_scan(struct kvs_client *c, const struct kvs_range *range, kvs_page_fn done, void *arg)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    struct snapshot_line line;
    struct page_call *call;

    TRY(scan_target(range, &target));
    TRY(page_call_new(range, done, arg, &call));
    struct http_call http = scan_http(range, &target, &line);
    err e = http_client_send(c->http, &http, page_answered, call);
    if (e.code) {
        mem_give(call);
    }
    return e;
}

err kvs_scan_wait(struct kvs_client *c, const struct kvs_range *range, struct buf *out_octets,
                  struct kvs_page *out)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    struct snapshot_line line;
    unsigned status;

    TRY(scan_target(range, &target));
    struct http_call http = scan_http(range, &target, &line);
    struct bounds b = bounds_of(range);
    answer_buffer(out_octets);
    TRY(http_call(c->http, &http, &status, out_octets));
    return page_answer(status, buf_bytes(out_octets), &b, out);
}

static void dropped(void *arg, err e, const struct http_answer *answer)
{
    (void)arg;
    (void)e;
    (void)answer;
}

void kvs_snapshot_drop(struct kvs_client *c, uint64_t snapshot)
{
    char target[sizeof "/v1/snapshots/" + KVS_HANDLE_CHARS];
    const struct http_call call = { .method = "DELETE", .target = target };

    snprintf(target, sizeof target, "/v1/snapshots/%016" PRIx64, snapshot);
    (void)http_client_send(c->http, &call, dropped, NULL).code;
}

/* --- spaces --- */

err kvs_space_create_wait(struct kvs_client *c, const char *space)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf body = { .max = ERROR_BODY_BYTES_MAX };
    unsigned status;

    if (!kvs_space_name_valid(bytes_of_string(space))) {
        FAIL(ERR_PROTO, "\"%.70s\" is no name of a space", space);
    }
    TRY(buf_printf(&target, "/v1/spaces/%s", space));
    TRY(buf_u8(&target, 0));
    struct http_call http = { .method = "PUT", .target = (const char *)target.ptr,
                              .headers = { "If-None-Match: *" } };
    TRY(http_call(c->http, &http, &status, &body));
    if (status == 412) {
        return OK; /* present: its settings stay as they are */
    }
    return status == 200 || status == 201 ? OK : refused(status, buf_bytes(&body));
}
