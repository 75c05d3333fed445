/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/commit.h"

#include <assert.h>
#include <string.h>

#include "lib/base/mem.h"
#include "store/kvs/group.h"

/* Up to this many octets a record is put together in one piece; above it RocksDB gathers it. */
#define RECORD_COPY_MAX 4096
#define IDLE_S 10 /* between looks at what may be cleared away */

struct committer {
    struct engine *engine;
    struct request_queue queue;
    pthread_t thread;
    void (*failed)(void *arg, err why);
    void *arg;
    bool has_failed;

    /* Of the group under way. */
    struct group group;
    rocksdb_writebatch_t *batch;
    uint64_t rev;      /* the newest given */
    uint64_t now_s;
    uint32_t request;  /* its number in the group, from 1 */
    uint32_t *touched; /* per operation of the request: index into group.keys */
    size_t touched_cap;
    bool has_room;
    struct buf replaced; /* ids of objects that nothing refers to once the group is durable */

    _Atomic uint64_t groups, requests, octets;
};

/* What a request would do to the quotas of its spaces. */
struct usage_change {
    int64_t keys[KVS_BATCH_SPACES_MAX];
    int64_t octets[KVS_BATCH_SPACES_MAX];
};

/* One request's way through its operations: one, or those of its batch. */
struct op_cursor {
    const struct kv_request *request;
    struct bytes rest;
    uint32_t index;
};

static bool op_next(struct op_cursor *at, struct kvs_op *out)
{
    const struct kv_request *r = at->request;

    if (at->index >= r->op_count) {
        return false;
    }
    at->index++;
    if (!r->is_batch) {
        *out = r->op;
        return true;
    }
    err e = kvs_msb_op_take(&at->rest, KVS_BATCH_SPACES_MAX, out);
    assert(!e.code); /* the whole batch was read and checked before */
    return !e.code;
}

static struct op_cursor ops_of(const struct kv_request *r)
{
    return (struct op_cursor){ .request = r, .rest = r->ops };
}

static bool has_quota(const struct space *s)
{
    return s->settings.quota_bytes > 0 || s->settings.quota_keys > 0;
}

static uint64_t value_len(const struct kv_request *r, const struct kvs_op *op)
{
    return r->has_object ? r->object_len : op->value.len;
}

/* --- checking --- */

static bool needs_state(const struct kvs_op *op, const struct space *s)
{
    return op->type != KVS_PUT || op->expect != KVS_ANY || has_quota(s) ||
           atomic_load(&s->has_objects);
}

static err state_load(struct committer *c, struct group_key *k)
{
    struct found f = { 0 };
    err e = engine_get(c->engine, k->space, k->key, ENGINE_HEAD, NULL, &f);

    if (e.code && e.code != ERR_MISSING) {
        return e;
    }
    k->known = true;
    k->stored = true;
    k->present = !e.code;
    k->rev = f.record.rev;
    k->value_len = f.record.value_len;
    k->is_object = k->present && f.record.is_object;
    k->object = f.record.object;
    found_done(&f);
    return OK;
}

static bool condition_holds(const struct kvs_op *op, const struct group_key *k)
{
    switch (op->expect) {
    case KVS_ABSENT:
        return !k->present;
    case KVS_REV:
        return k->present && k->rev == op->rev;
    default:
        return true;
    }
}

static void usage_add(struct usage_change *u, const struct kv_request *r, const struct kvs_op *op,
                      const struct group_key *k)
{
    int64_t before = k->present ? (int64_t)(k->key.len + k->value_len) : 0;

    if (op->type == KVS_PUT) {
        u->keys[op->space] += k->present ? 0 : 1;
        u->octets[op->space] += (int64_t)(op->key.len + value_len(r, op)) - before;
    } else if (op->type == KVS_DELETE && k->present) {
        u->keys[op->space]--;
        u->octets[op->space] -= before;
    }
}

static bool over(uint64_t used, int64_t change, uint64_t quota)
{
    return quota > 0 && change > 0 && used + (uint64_t)change > quota;
}

static bool usage_fits(const struct kv_request *r, const struct usage_change *u)
{
    for (uint8_t i = 0; i < r->space_count; i++) {
        const struct space *s = r->spaces[i];
        if (over(atomic_load(&s->used_keys), u->keys[i], s->settings.quota_keys) ||
            over(atomic_load(&s->used_bytes), u->octets[i], s->settings.quota_bytes)) {
            return false;
        }
    }
    return true;
}

/* Also for an object that a request of this group put: its file is there already. */
static err value_of(struct committer *c, const struct group_key *k, struct found *f,
                    struct bytes *out)
{
    if (k->stored) {
        TRY(engine_get(c->engine, k->space, k->key, ENGINE_ANY, NULL, f));
        *out = f->record.value;
    } else if (k->is_object) {
        f->record = (struct kvs_record){ .object = k->object, .value_len = k->value_len };
        TRY(engine_object_read(c->engine, &f->record, &f->object));
        *out = f->record.value;
    } else {
        *out = k->value;
    }
    return OK;
}

static err result_of_get(struct committer *c, struct kv_request *r, const struct group_key *k)
{
    struct kvs_result result = { .status = k->present ? KVS_DONE : KVS_IS_ABSENT, .rev = k->rev };
    AUTO(found_done) struct found f = { 0 };

    if (k->present) {
        TRY(value_of(c, k, &f, &result.value));
    }
    return kvs_msr_result(&r->answer, &result);
}

static err result_add(struct committer *c, struct kv_request *r, const struct kvs_op *op,
                      const struct group_key *k)
{
    struct kvs_result result = { .rev = c->rev + 1 };

    if (op->type == KVS_GET) {
        return result_of_get(c, r, k);
    }
    if (op->type == KVS_DELETE && !k->present) {
        result = (struct kvs_result){ .status = KVS_IS_ABSENT };
    } else if (op->type == KVS_CHECK) {
        result.rev = k->present ? k->rev : 0;
    }
    return kvs_msr_result(&r->answer, &result);
}

/* From the first failure on the answer lists failures instead of results. */
static err failure_add(struct kv_request *r, uint32_t index, const struct group_key *k)
{
    uint8_t raw[4];
    struct kvs_result result = { .status = KVS_FAILED, .rev = k->present ? k->rev : 0,
                                 .value = BYTES_OF(raw) };

    if (r->status != KV_PRECONDITION) {
        r->status = KV_PRECONDITION;
        r->rev = result.rev;
        r->answer_count = 0;
        if (r->is_batch) {
            buf_clear(&r->answer);
            TRY(kvs_msr_begin(&r->answer));
        }
    }
    r->answer_count++;
    store_u32(raw, index);
    return r->is_batch ? kvs_msr_result(&r->answer, &result) : OK;
}

static err touch(struct committer *c, struct kv_request *r, const struct kvs_op *op,
                 uint32_t index, struct group_key **out)
{
    struct space *s = r->spaces[op->space];

    TRY(group_touch(&c->group, s, op->key, out));
    if ((*out)->request == c->request) {
        r->status = KV_TWICE;
        r->bad_op = index;
        return OK;
    }
    (*out)->request = c->request;
    c->touched[index] = (uint32_t)(*out - c->group.keys);
    if (!(*out)->known && needs_state(op, s)) {
        TRY(state_load(c, *out));
    }
    return OK;
}

static err op_check(struct committer *c, struct kv_request *r, const struct kvs_op *op,
                    uint32_t index, struct usage_change *u)
{
    struct group_key *k;

    if (atomic_load(&r->spaces[op->space]->dropped)) {
        r->status = KV_NO_SPACE;
        return OK;
    }
    if (op->ttl_s > 0 && has_quota(r->spaces[op->space])) {
        r->status = KV_TTL; /* figures of a quota would not stay exact */
        return OK;
    }
    TRY(touch(c, r, op, index, &k));
    if (r->status == KV_TWICE) {
        return OK;
    }
    if (!condition_holds(op, k)) {
        return failure_add(r, index, k);
    }
    if (!r->is_batch && op->type == KVS_DELETE && !k->present) {
        r->status = KV_NO_KEY;
    }
    if (has_quota(k->space)) {
        usage_add(u, r, op, k);
    }
    if (r->is_batch && r->status == KV_OK) {
        r->answer_count++;
        return result_add(c, r, op, k);
    }
    return OK;
}

/* More failures may follow the first failure; anything else ends the check. */
static bool goes_on(const struct kv_request *r)
{
    return r->status == KV_OK ||
           (r->status == KV_PRECONDITION && r->answer_count < KVS_FAILURES_MAX);
}

static err touched_reserve(struct committer *c, uint32_t count)
{
    if (count <= c->touched_cap) {
        return OK;
    }
    size_t cap = count < COMMIT_GROUP_MAX ? COMMIT_GROUP_MAX : count;
    uint32_t *grown = mem_resize(c->touched, cap * sizeof *grown);
    if (grown == NULL) {
        FAIL(ERR_LIMIT, "no memory for a batch of %u operations", count);
    }
    c->touched = grown;
    c->touched_cap = cap;
    return OK;
}

static err ops_check(struct committer *c, struct kv_request *r, struct usage_change *u,
                     bool *out_puts)
{
    struct op_cursor at = ops_of(r);
    struct kvs_op op;

    *out_puts = false;
    TRY(touched_reserve(c, r->op_count));
    if (r->is_batch) {
        r->answer.max = KVS_ANSWER_BYTES_MAX;
        TRY(kvs_msr_begin(&r->answer));
    }
    while (goes_on(r) && op_next(&at, &op)) {
        TRY(op_check(c, r, &op, at.index - 1, u));
        *out_puts = *out_puts || op.type == KVS_PUT;
    }
    return OK;
}

/* Sets the status; KV_OK: the request is to be applied. */
static void request_check(struct committer *c, struct kv_request *r, struct usage_change *u)
{
    bool puts;
    err e = ops_check(c, r, u, &puts);

    if (e.code) {
        r->status = e.code == ERR_LIMIT && r->is_batch ? KV_TOO_LARGE : kv_status_of(e);
    } else if (r->status == KV_OK && puts && !c->has_room) {
        r->status = KV_DISK;
    } else if (r->status == KV_OK && !usage_fits(r, u)) {
        r->status = KV_QUOTA;
    }
}

/* --- applying --- */

static void batch_put_large(struct committer *c, const struct space *s, const struct kvs_op *op,
                            const uint8_t *head, size_t head_len)
{
    const char *key = (const char *)op->key.ptr;
    const char *parts[] = { (const char *)head, (const char *)op->value.ptr };
    const size_t sizes[] = { head_len, op->value.len };

    rocksdb_writebatch_putv_cf(c->batch, s->family, 1, &key, &op->key.len, 2, parts, sizes);
}

static void batch_put(struct committer *c, struct space *s, const struct kv_request *r,
                      const struct kvs_op *op, uint64_t expiry_s)
{
    uint8_t record[RECORD_HEAD_BYTES_MAX + RECORD_COPY_MAX];
    size_t len = record_head(c->rev, expiry_s, record);

    if (op->value.len > RECORD_COPY_MAX) {
        batch_put_large(c, s, op, record, len);
        return;
    }
    if (r->has_object) {
        engine_object_add(c->engine, s, &r->object, c->batch);
        len = record_of_object(c->rev, expiry_s, &r->object, r->object_len, record);
    } else if (op->value.len > 0) {
        memcpy(record + len, op->value.ptr, op->value.len);
        len += op->value.len;
    }
    rocksdb_writebatch_put_cf(c->batch, s->family, (const char *)op->key.ptr, op->key.len,
                              (const char *)record, len);
}

/* Should there be no memory for the note, the file goes at the next open. */
static void object_replace(struct committer *c, struct group_key *k)
{
    if (k->present && k->is_object) {
        engine_object_remove(c->engine, &k->object, c->batch);
        (void)buf_append(&c->replaced, BYTES_OF(k->object.octets)).code;
    }
}

static void put_apply(struct committer *c, struct kv_request *r, const struct kvs_op *op,
                      struct group_key *k)
{
    struct space *s = r->spaces[op->space];
    uint64_t ttl_s = op->ttl_s > 0 ? op->ttl_s : s->settings.ttl_s;

    object_replace(c, k);
    batch_put(c, s, r, op, ttl_s > 0 ? c->now_s + ttl_s : 0);
    *k = (struct group_key){ .space = s, .key = k->key, .hash = k->hash, .request = k->request,
                             .known = true, .present = true, .rev = c->rev,
                             .value_len = value_len(r, op), .value = op->value,
                             .is_object = r->has_object, .object = r->object };
    r->has_object = false; /* the space's, from now on */
}

static void op_apply(struct committer *c, struct kv_request *r, const struct kvs_op *op,
                     struct group_key *k)
{
    if (op->type == KVS_PUT) {
        put_apply(c, r, op, k);
    } else if (op->type == KVS_DELETE && k->present) {
        object_replace(c, k);
        rocksdb_writebatch_delete_cf(c->batch, k->space->family, (const char *)op->key.ptr,
                                     op->key.len);
        k->present = false;
        k->is_object = false;
        k->rev = 0;
    }
}

static void usage_apply(struct committer *c, const struct kv_request *r,
                        const struct usage_change *u)
{
    for (uint8_t i = 0; i < r->space_count; i++) {
        struct space *s = r->spaces[i];
        if (u->keys[i] != 0 || u->octets[i] != 0) {
            atomic_fetch_add(&s->used_keys, (uint64_t)u->keys[i]);
            atomic_fetch_add(&s->used_bytes, (uint64_t)u->octets[i]);
            engine_usage_changed(c->engine, s);
        }
    }
}

static bool is_write(const struct kvs_op *op, const struct group_key *k)
{
    return op->type == KVS_PUT || (op->type == KVS_DELETE && k->present);
}

static bool writes_something(const struct committer *c, const struct kv_request *r)
{
    struct op_cursor at = ops_of(r);
    struct kvs_op op;

    while (op_next(&at, &op)) {
        if (is_write(&op, &c->group.keys[c->touched[at.index - 1]])) {
            return true;
        }
    }
    return false;
}

static void request_apply(struct committer *c, struct kv_request *r, const struct usage_change *u)
{
    struct op_cursor at = ops_of(r);
    struct kvs_op op;

    if (writes_something(c, r)) {
        c->rev++;
        while (op_next(&at, &op)) {
            op_apply(c, r, &op, &c->group.keys[c->touched[at.index - 1]]);
        }
        usage_apply(c, r, u);
    }
    r->rev = c->rev;
}

/* --- the group --- */

static void request_work(struct committer *c, struct kv_request *r)
{
    struct usage_change u = { { 0 }, { 0 } };

    c->request++;
    r->status = KV_OK;
    request_check(c, r, &u);
    if (r->status == KV_OK) {
        request_apply(c, r, &u);
    }
    if (r->is_batch && (r->status == KV_OK || r->status == KV_PRECONDITION)) {
        kvs_msr_finish(&r->answer, r->status == KV_OK ? 200 : 412, c->rev, r->answer_count);
    }
}

/* Nobody may be told anything of a group that is not durable, not even of a failed condition. */
static void group_fail(struct committer *c, struct kv_request *list, err why)
{
    enum kv_status status = why.code == ERR_LIMIT ? KV_DISK : KV_UNKNOWN;
    bool final = why.code != ERR_LIMIT && why.code != ERR_IO; /* else the engine tries again */

    for (struct kv_request *r = list; r != NULL; r = r->next) {
        r->status = status;
    }
    if (final && !c->has_failed) {
        c->has_failed = true;
        if (c->failed != NULL) {
            c->failed(c->arg, why);
        }
    }
}

static void group_answer(struct kv_request *list)
{
    while (list != NULL) {
        struct kv_request *next = list->next;
        list->done(list);
        list = next;
    }
}

static void group_count(struct committer *c, const struct kv_request *list)
{
    uint64_t count = 0;
    uint64_t octets = 0;

    for (const struct kv_request *r = list; r != NULL; r = r->next) {
        count++;
        octets += r->octets;
    }
    atomic_fetch_add(&c->groups, 1);
    atomic_fetch_add(&c->requests, count);
    atomic_fetch_add(&c->octets, octets);
}

static void replaced_abandon(struct committer *c)
{
    struct bytes ids = buf_bytes(&c->replaced);
    struct object_id id;

    while (!bytes_read_copy(&ids, id.octets, sizeof id.octets).code) {
        engine_object_abandon(c->engine, &id);
    }
}

static void group_write(struct committer *c, struct kv_request *list)
{
    err e = engine_write(c->engine, c->batch, c->rev);

    if (e.code) {
        group_fail(c, list, e);
    } else if (c->replaced.len > 0) {
        replaced_abandon(c);
    }
}

static void group_commit(struct committer *c, struct kv_request *list)
{
    c->request = 0;
    buf_clear(&c->replaced);
    c->now_s = engine_utc_s(c->engine);
    c->has_room = engine_disk_has_room(c->engine);
    rocksdb_writebatch_clear(c->batch);
    for (struct kv_request *r = list; r != NULL; r = r->next) {
        request_work(c, r);
    }
    if (rocksdb_writebatch_count(c->batch) > 0) {
        group_write(c, list);
    }
    group_clear(&c->group);
    group_count(c, list);
    group_answer(list);
}

static void *committer_run(void *arg)
{
    struct committer *c = arg;
    struct kv_request *list;

    while (request_queue_take(&c->queue, COMMIT_GROUP_MAX, COMMIT_GROUP_BYTES_MAX, IDLE_S,
                              &list)) {
        if (list != NULL && list->run != NULL) {
            list->run(c->engine, list);
            list->done(list);
        } else if (list != NULL) {
            group_commit(c, list);
        }
        engine_reap(c->engine);
    }
    return NULL;
}

static void committer_free(struct committer *c)
{
    group_done(&c->group);
    rocksdb_writebatch_destroy(c->batch);
    request_queue_done(&c->queue);
    buf_done(&c->replaced);
    mem_give(c->touched);
    mem_give(c);
}

err committer_start(struct engine *e, void (*failed)(void *arg, err why), void *arg,
                    struct committer **out)
{
    struct committer *c = mem_take(sizeof *c);

    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for the committer");
    }
    c->engine = e;
    c->failed = failed;
    c->arg = arg;
    c->rev = engine_rev(e);
    c->replaced.max = GROUP_KEYS_MAX * OBJECT_ID_BYTES;
    c->batch = rocksdb_writebatch_create();
    request_queue_init(&c->queue, COMMIT_QUEUE_MAX);
    if (pthread_create(&c->thread, NULL, committer_run, c) != 0) {
        committer_free(c);
        FAIL(ERR_LIMIT, "no thread for the committer");
    }
    *out = c;
    return OK;
}

err committer_submit(struct committer *c, struct kv_request *r)
{
    return request_queue_put(&c->queue, r);
}

void committer_stop(struct committer *c)
{
    if (c == NULL) {
        return;
    }
    request_queue_stop(&c->queue);
    pthread_join(c->thread, NULL);
    committer_free(c);
}

void committer_counters(const struct committer *c, struct committer_counters *out)
{
    out->groups = atomic_load(&c->groups);
    out->requests = atomic_load(&c->requests);
    out->octets = atomic_load(&c->octets);
}
