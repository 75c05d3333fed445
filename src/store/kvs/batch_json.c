/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/batch_json.h"

#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/json_read.h"
#include "store/kvs/page_json.h"

#define DEPTH_MAX 4

struct spaces {
    struct bytes names[KVS_BATCH_SPACES_MAX];
    uint8_t count;
};

static err space_index(struct spaces *s, struct bytes name, uint8_t *out)
{
    if (!kvs_space_name_valid(name)) {
        FAIL(ERR_PROTO, "field \"space\" is no name of a space");
    }
    for (uint8_t i = 0; i < s->count; i++) {
        if (bytes_equal(s->names[i], name)) {
            *out = i;
            return OK;
        }
    }
    if (s->count == KVS_BATCH_SPACES_MAX) {
        FAIL(ERR_LIMIT, "more than %d spaces in a batch", KVS_BATCH_SPACES_MAX);
    }
    s->names[s->count] = name;
    *out = s->count++;
    return OK;
}

static err op_space(const json_t *op, const json_t *doc, struct spaces *s, uint8_t *out)
{
    struct bytes name;
    err own = json_field_text(op, "space", &name);

    if (own.code == ERR_MISSING) {
        own = json_field_text(doc, "space", &name);
    }
    TRY(own);
    return space_index(s, name, out);
}

/* "name" as text or "name64" in base64url, one of them. */
static err octets_read(const json_t *op, const char *name, const char *name64, struct buf *room,
                       struct bytes *out)
{
    struct bytes text;
    err plain = json_field_text(op, name, &text);
    err coded = json_field_text(op, name64, &text);
    size_t at = room->len;

    if (!plain.code && coded.code == ERR_MISSING) {
        return json_field_text(op, name, out);
    }
    if (plain.code != ERR_MISSING || coded.code == ERR_PROTO) {
        FAIL(ERR_PROTO, "field \"%s\" or \"%s\", as a text, and not both", name, name64);
    }
    if (coded.code) {
        FAIL(ERR_MISSING, "field \"%s\" or \"%s\" is missing", name, name64);
    }
    TRY(err_context(base64_decode(text, room), "field \"%s\"", name64));
    *out = (struct bytes){ room->ptr + at, room->len - at };
    return OK;
}

static err op_type(const json_t *op, enum kvs_op_type *out)
{
    static const char *const words[] = { "", "put", "delete", "check", "get" };
    struct bytes word;

    TRY(json_field_text(op, "op", &word));
    for (unsigned i = KVS_PUT; i <= KVS_GET; i++) {
        if (bytes_equal(word, bytes_of_string(words[i]))) {
            *out = (enum kvs_op_type)i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "field \"op\" is put, delete, check or get");
}

static err op_condition(const json_t *op, struct kvs_op *out)
{
    const json_t *absent = json_object_get(op, "if_absent");
    int64_t rev;
    err has_rev = json_field_int(op, "if_rev", 0, INT64_MAX, &rev);

    if (has_rev.code && has_rev.code != ERR_MISSING) {
        return has_rev;
    }
    if (absent != NULL && !json_is_true(absent)) {
        FAIL(ERR_PROTO, "field \"if_absent\" is true or left out");
    }
    if (!has_rev.code && absent != NULL) {
        FAIL(ERR_PROTO, "fields \"if_rev\" and \"if_absent\" together");
    }
    out->expect = absent != NULL ? KVS_ABSENT : has_rev.code ? KVS_ANY : KVS_REV;
    out->rev = has_rev.code ? 0 : (uint64_t)rev;
    return OK;
}

static err op_ttl(const json_t *op, struct kvs_op *out)
{
    int64_t ttl_s;
    err e = json_field_int(op, "ttl_s", 1, (int64_t)KVS_TTL_S_MAX, &ttl_s);

    if (e.code == ERR_MISSING) {
        return OK;
    }
    TRY(e);
    out->ttl_s = (uint64_t)ttl_s;
    return OK;
}

static err names_check(const json_t *object, const char *const *known)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            FAIL(ERR_PROTO, "a field that is not known; known are op, space, key, key64, value, "
                            "value64, if_rev, if_absent, ttl_s, and outside: space, ops");
        }
    }
    return OK;
}

static err op_read(const json_t *json, const json_t *doc, struct spaces *spaces, struct buf *room,
                   struct kvs_op *out)
{
    static const char *const known[] = { "op", "space", "key", "key64", "value", "value64",
                                         "if_rev", "if_absent", "ttl_s", NULL };

    if (!json_is_object(json)) {
        FAIL(ERR_PROTO, "an operation is an object");
    }
    TRY(names_check(json, known));
    TRY(op_type(json, &out->type));
    TRY(op_space(json, doc, spaces, &out->space));
    TRY(octets_read(json, "key", "key64", room, &out->key));
    if (out->type == KVS_PUT) {
        TRY(octets_read(json, "value", "value64", room, &out->value));
    } else if (json_object_get(json, "value") != NULL || json_object_get(json, "value64") != NULL) {
        FAIL(ERR_PROTO, "only a put has a value");
    }
    TRY(op_condition(json, out));
    return op_ttl(json, out);
}

static err ops_write(const json_t *ops, const json_t *doc, struct spaces *spaces,
                     struct buf *room, struct buf *body, uint32_t *out_op)
{
    size_t count = json_array_size(ops);

    if (count == 0 || count > KVS_BATCH_OPS_MAX) {
        FAIL(ERR_PROTO, "field \"ops\" has %zu operations, 1 to %d", count, KVS_BATCH_OPS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct kvs_op op = { 0 };
        *out_op = (uint32_t)i;
        TRY(op_read(json_array_get(ops, i), doc, spaces, room, &op));
        TRY(kvs_msb_op(body, &op));
    }
    return OK;
}

/* Which spaces there are is known only behind the last operation: so the operations are written
 * first, and appended to the head. */
static err batch_write(const json_t *doc, size_t size, struct buf *out, uint32_t *out_op)
{
    static const char *const known[] = { "space", "ops", NULL };
    AUTO(buf_done) struct buf body = { .max = KVS_BATCH_BYTES_MAX };
    AUTO(buf_done) struct buf decoded = { .max = size + 1 };
    struct spaces spaces = { .count = 0 };
    json_t *ops;

    TRY(names_check(doc, known));
    TRY(json_field_array(doc, "ops", &ops));
    TRY(buf_reserve(&decoded, size)); /* more than all of it needs: views into it stay */
    TRY(ops_write(ops, doc, &spaces, &decoded, &body, out_op));
    TRY(kvs_msb_begin(out, spaces.names, spaces.count));
    TRY(buf_append(out, buf_bytes(&body)));
    kvs_msb_finish(out, (uint32_t)json_array_size(ops));
    return OK;
}

err batch_json_read(struct bytes text, size_t size_max, struct buf *out, uint32_t *out_op)
{
    AUTO(json_freep) json_t *doc = NULL;

    *out_op = 0;
    err e = json_read(text, size_max, DEPTH_MAX, &doc);
    if (e.code == ERR_LIMIT) {
        FAIL(ERR_LIMIT, "JSON of more than %zu octets, or nested deeper than %d", size_max,
             DEPTH_MAX);
    }
    if (e.code) {
        FAIL(ERR_PROTO, "the body is not one JSON object"); /* the parser's words quote the input */
    }
    if (!json_is_object(doc)) {
        FAIL(ERR_PROTO, "the body is not one JSON object");
    }
    return batch_write(doc, text.len, out, out_op);
}

/* --- answers --- */

static err result_write(struct json_writer *w, enum kvs_op_type type, const struct kvs_result *r)
{
    bool found = type == KVS_GET && r->status == KVS_DONE;

    json_write_object(w);
    json_write_key(w, "status");
    json_write_string(w, r->status == KVS_IS_ABSENT ? "absent" : found ? "found" : "done");
    if (r->rev > 0) {
        json_write_key(w, "rev");
        json_write_uint(w, r->rev);
    }
    if (found) {
        TRY(json_octets(w, "value", r->value));
    }
    json_write_object_end(w);
    return OK;
}

err batch_json_results(const struct kvs_msr *msr, struct bytes ops, struct buf *out)
{
    struct bytes results = msr->results;
    struct json_writer w;
    struct kvs_result r;
    struct kvs_op op;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "rev");
    json_write_uint(&w, msr->rev);
    json_write_key(&w, "results");
    json_write_array(&w);
    for (uint32_t i = 0; i < msr->count; i++) {
        TRY(kvs_result_take(&results, &r));
        TRY(kvs_msb_op_take(&ops, KVS_BATCH_SPACES_MAX, &op));
        TRY(result_write(&w, op.type, &r));
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

err batch_json_failures(const struct kvs_msr *msr, struct buf *out)
{
    struct bytes results = msr->results;
    struct json_writer w;
    struct kvs_result r;

    TRY(buf_string(out, "\"failures\":"));
    json_write_begin(&w, out);
    json_write_array(&w);
    for (uint32_t i = 0; i < msr->count; i++) {
        TRY(kvs_result_take(&results, &r));
        json_write_object(&w);
        json_write_key(&w, "op");
        json_write_uint(&w, r.value.len == 4 ? load_u32(r.value.ptr) : 0);
        if (r.rev > 0) {
            json_write_key(&w, "rev");
            json_write_uint(&w, r.rev);
        }
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    return json_write_finish(&w);
}
