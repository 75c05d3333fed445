/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/spaces/{space} and /v1/admin/status. */
#include <string.h>

#include "lib/wire/json_read.h"
#include "lib/wire/json_write.h"
#include "store/kvs/gateway_impl.h"

#define VIEW_BYTES_MAX 2048

/* --- settings in JSON --- */

static err number_field(const json_t *doc, const char *name, int64_t max, uint64_t *out)
{
    int64_t number;
    err e = json_field_int(doc, name, 0, max, &number);

    if (!e.code) {
        *out = (uint64_t)number;
    }
    return e.code == ERR_MISSING ? OK : e;
}

/* One of two words; absent is the first. */
static err choice_field(const json_t *doc, const char *name, const char *usual, const char *other,
                        bool *out_other)
{
    struct bytes word = bytes_of_string(usual);
    err e = json_field_text(doc, name, &word);

    if (e.code && e.code != ERR_MISSING) {
        return e;
    }
    *out_other = bytes_equal(word, bytes_of_string(other));
    if (!*out_other && !bytes_equal(word, bytes_of_string(usual))) {
        FAIL(ERR_PROTO, "%s is %s or %s", name, usual, other);
    }
    return OK;
}

static const char *const setting_names[] = { "quota_bytes", "quota_keys", "ttl_s", "style",
                                             "compression" };

static bool names_known(json_t *doc)
{
    const char *name;
    json_t *value;

    json_object_foreach(doc, name, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof setting_names / sizeof *setting_names; i++) {
            known = known || strcmp(name, setting_names[i]) == 0;
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

/* The field that is wrong, or NULL. */
static const char *settings_read(json_t *doc, struct space_settings *out)
{
    bool plain;

    if (!json_is_object(doc) || !names_known(doc)) {
        return "a field that is not known; known are quota_bytes, quota_keys, ttl_s, style, "
               "compression";
    }
    if (number_field(doc, "quota_bytes", INT64_MAX, &out->quota_bytes).code) {
        return "quota_bytes";
    }
    if (number_field(doc, "quota_keys", INT64_MAX, &out->quota_keys).code) {
        return "quota_keys";
    }
    if (number_field(doc, "ttl_s", (int64_t)KVS_TTL_S_MAX, &out->ttl_s).code) {
        return "ttl_s";
    }
    if (choice_field(doc, "style", "general", "series", &out->series).code) {
        return "style";
    }
    if (choice_field(doc, "compression", "lz4", "none", &plain).code) {
        return "compression";
    }
    out->compress = !plain;
    return NULL;
}

static void body_settings(struct ask *a)
{
    AUTO(json_freep) json_t *doc = NULL;
    struct bytes body = http_body(a->exchange);

    a->request.settings.compress = true;
    if (body.len == 0) {
        return;
    }
    if (json_read(body, SPACE_BODY_BYTES_MAX, 4, &doc).code) {
        ask_refuse_later(a, REFUSE_FIELD, "the body is not one JSON object");
        return;
    }
    struct space_settings *s = &a->request.settings;
    const char *wrong = settings_read(doc, s);
    if (wrong != NULL) {
        ask_refuse_later(a, REFUSE_FIELD, wrong);
    } else if (s->ttl_s > 0 && (s->quota_bytes > 0 || s->quota_keys > 0)) {
        ask_refuse_later(a, REFUSE_TTL, "ttl_s");
    }
}

/* --- what a space is --- */

static void number(struct json_writer *w, const char *name, uint64_t v)
{
    json_write_key(w, name);
    json_write_uint(w, v);
}

static void word(struct json_writer *w, const char *name, const char *text)
{
    json_write_key(w, name);
    json_write_string(w, text);
}

static err view_write(const struct space_view *v, struct buf *out)
{
    bool counted = v->settings.quota_bytes > 0 || v->settings.quota_keys > 0;
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    word(&w, "space", v->name);
    number(&w, "quota_bytes", v->settings.quota_bytes);
    number(&w, "quota_keys", v->settings.quota_keys);
    number(&w, "ttl_s", v->settings.ttl_s);
    word(&w, "style", v->settings.series ? "series" : "general");
    word(&w, "compression", v->settings.compress ? "lz4" : "none");
    if (counted) {
        number(&w, "used_keys", v->used_keys);
        number(&w, "used_bytes", v->used_bytes);
    }
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static void view_answer(struct ask *a, unsigned status)
{
    AUTO(buf_done) struct buf body = { .max = VIEW_BYTES_MAX };
    struct space_view view;

    if (engine_space_view(a->gateway->engine, ask_space_name(a), &view).code) {
        ask_refuse(a, REFUSE_NO_SPACE, NULL);
    } else if (view_write(&view, &body).code) {
        ask_refuse(a, REFUSE_MEMORY, NULL);
    } else {
        ask_answer(a, status, "application/json", buf_bytes(&body));
    }
}

void space_get_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_SPACE);

    if (a == NULL) {
        return;
    }
    if (!ask_space(a, API_ADMIN, false, false)) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    view_answer(a, 200);
}

/* --- making, changing, deleting --- */

static enum kv_status admin_status(struct engine *engine, err e)
{
    switch (e.code) {
    case ERR_NONE:
        return KV_OK;
    case ERR_CONFLICT:
        return KV_EXISTS;
    case ERR_LIMIT:
        return engine_space_count(engine) >= SPACES_MAX ? KV_TOO_MANY : KV_DISK;
    default:
        return KV_UNKNOWN;
    }
}

/* On the committer's thread. `rev` tells whether it was made (1) or changed (0). */
static void run_put(struct engine *e, struct kv_request *r)
{
    struct space *s = engine_space(e, r->name);

    if (s == NULL) {
        r->rev = 1;
        r->status = admin_status(e, engine_space_create(e, r->name, &r->settings));
        return;
    }
    if (r->op.expect == KVS_ABSENT) {
        r->status = KV_PRECONDITION;
    } else {
        r->status = admin_status(e, engine_space_change(e, s, &r->settings));
    }
    space_release(s);
}

static void run_delete(struct engine *e, struct kv_request *r)
{
    struct space *s = engine_space(e, r->name);

    if (s == NULL) {
        r->status = KV_NO_SPACE;
        return;
    }
    r->status = admin_status(e, engine_space_drop(e, s));
    space_release(s);
}

static void put_answer(struct ask *a)
{
    if (a->request.status == KV_PRECONDITION) {
        ask_refuse(a, REFUSE_PRECONDITION, NULL);
        return;
    }
    view_answer(a, a->request.rev == 1 ? 201 : 200);
}

static void delete_answer(struct ask *a)
{
    ask_answer(a, 204, NULL, (struct bytes){ 0 });
}

static bool name_ready(struct ask *a)
{
    if (!ask_space(a, API_ADMIN, false, false)) {
        return false;
    }
    if (a->space[0] == '\0') {
        ask_refuse_later(a, REFUSE_SPACE, "space");
        return false;
    }
    a->request.name = ask_space_name(a);
    return true;
}

void space_put_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_SPACE);

    if (a == NULL) {
        return;
    }
    if (name_ready(a)) {
        ask_conditions(a);
        body_settings(a);
        if (a->request.op.expect == KVS_REV) {
            ask_refuse_later(a, REFUSE_FIELD, "If-Match");
        }
    }
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    ask_admin(a, run_put, put_answer);
}

void space_delete_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = ask_begin(arg, x, VERB_SPACE);

    if (a == NULL) {
        return;
    }
    if (!name_ready(a)) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    ask_admin(a, run_delete, delete_answer);
}

/* --- status --- */

static const char *rollback_level(enum volume_anchor anchor)
{
    return anchor == VOLUME_ANCHOR_NONE
               ? "0 none: a complete older copy of the data would be accepted"
               : "1 local: a state older than the anchor is refused";
}

static err status_write(struct gateway *g, struct buf *out)
{
    struct committer_counters c;
    struct volume_figures info = { 0 };
    struct json_writer w;

    committer_counters(g->committer, &c);
    engine_info(g->engine, &info);
    json_write_begin(&w, out);
    json_write_object(&w);
    word(&w, "version", METERSEAL_VERSION);
    number(&w, "rev", engine_rev(g->engine));
    number(&w, "spaces", engine_space_count(g->engine));
    number(&w, "epoch", info.epoch);
    number(&w, "durable_seq", info.seq);
    number(&w, "anchored_seq", info.anchor_seq);
    word(&w, "rollback_level", rollback_level(info.anchor));
    number(&w, "files", info.file_count);
    number(&w, "sealed_bytes", info.sealed_bytes);
    number(&w, "log_bytes", info.log_bytes);
    number(&w, "disk_free_bytes", info.disk_free_bytes);
    json_write_key(&w, "failed");
    json_write_bool(&w, info.failed);
    number(&w, "commit_groups", c.groups);
    number(&w, "commit_requests", c.requests);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

void status_handle(void *arg, struct http_exchange *x)
{
    AUTO(buf_done) struct buf body = { .max = VIEW_BYTES_MAX };
    const struct bytes none = { 0 };
    struct ask *a = ask_begin(arg, x, VERB_STATUS);

    if (a == NULL) {
        return;
    }
    if (a->refused == REFUSE_NOTHING && !api_grant_covers(a->grant, API_METRICS, none, none)) {
        ask_scope(a, API_ADMIN, none, none);
    }
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
    } else if (status_write(a->gateway, &body).code) {
        ask_refuse(a, REFUSE_MEMORY, NULL);
    } else {
        ask_answer(a, 200, "application/json", buf_bytes(&body));
    }
}
