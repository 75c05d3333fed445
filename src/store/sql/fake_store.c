/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/fake_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX (64u << 20)
#define OCTETS_FIRST 65536

void fake_store_init(struct fake_store *f)
{
    *f = (struct fake_store){ .fail_in = -1 };
    for (size_t i = 0; i < FAKE_CALLS_MAX; i++) {
        /* Had before a test makes allocations fail: those of the store are not its subject. */
        f->calls[i].octets.max = OCTETS_MAX;
        err e = buf_reserve(&f->calls[i].octets, OCTETS_FIRST);
        assert(!e.code);
    }
}

static void entry_free(struct fake_entry *e)
{
    free(e->key);
    free(e->value);
}

static struct fake_snapshot *snapshot_find(struct fake_store *f, uint64_t handle)
{
    for (size_t i = 0; i < FAKE_SNAPSHOTS_MAX; i++) {
        if (f->snapshots[i].handle == handle) {
            return &f->snapshots[i];
        }
    }
    return NULL;
}

static void snapshot_free(struct fake_snapshot *s)
{
    for (size_t i = 0; i < s->count; i++) {
        entry_free(&s->entries[i]);
    }
    free(s->entries);
    *s = (struct fake_snapshot){ 0 };
}

unsigned fake_store_forget(struct fake_store *f)
{
    unsigned count = 0;

    for (size_t i = 0; i < FAKE_SNAPSHOTS_MAX; i++) {
        count += f->snapshots[i].handle != 0;
        snapshot_free(&f->snapshots[i]);
    }
    return count;
}

void fake_store_done(struct fake_store *f)
{
    (void)fake_store_forget(f);
    for (size_t i = 0; i < f->count; i++) {
        entry_free(&f->entries[i]);
    }
    free(f->entries);
    for (size_t i = 0; i < FAKE_CALLS_MAX; i++) {
        buf_done(&f->calls[i].octets);
    }
}

static struct bytes key_of(const struct fake_entry *e)
{
    return (struct bytes){ e->key, e->key_bytes };
}

/* The first entry that is not below `key`. */
static size_t find_in(const struct fake_entry *entries, size_t count, struct bytes key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(key_of(&entries[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t find(const struct fake_store *f, struct bytes key)
{
    return find_in(f->entries, f->count, key);
}

static bool is_at(const struct fake_store *f, size_t i, struct bytes key)
{
    return i < f->count && bytes_equal(key_of(&f->entries[i]), key);
}

static uint8_t *copy(struct bytes b)
{
    uint8_t *p = malloc(b.len + 1);

    if (b.len > 0) {
        memcpy(p, b.ptr, b.len);
    }
    return p;
}

static void put(struct fake_store *f, struct bytes key, struct bytes value)
{
    size_t i = find(f, key);

    if (is_at(f, i, key)) {
        entry_free(&f->entries[i]);
    } else {
        if (f->count == f->room) {
            f->room = f->room == 0 ? 64 : 2 * f->room;
            f->entries = realloc(f->entries, f->room * sizeof *f->entries);
        }
        memmove(f->entries + i + 1, f->entries + i, (f->count - i) * sizeof *f->entries);
        f->count++;
    }
    f->entries[i] = (struct fake_entry){ copy(key), copy(value), key.len, value.len, f->rev };
}

static void delete(struct fake_store *f, struct bytes key)
{
    size_t i = find(f, key);

    if (is_at(f, i, key)) {
        entry_free(&f->entries[i]);
        memmove(f->entries + i, f->entries + i + 1, (f->count - i - 1) * sizeof *f->entries);
        f->count--;
    }
}

void fake_store_put(struct fake_store *f, struct bytes key, struct bytes value)
{
    f->rev++;
    put(f, key, value);
}

void fake_store_delete(struct fake_store *f, struct bytes key)
{
    f->rev++;
    delete(f, key);
}

static struct fake_call *call_new(struct fake_store *f, void *arg)
{
    assert(f->waiting < FAKE_CALLS_MAX);
    struct fake_call *c = &f->calls[(f->first + f->waiting++) % FAKE_CALLS_MAX];
    struct buf octets = c->octets;

    octets.max = OCTETS_MAX;
    buf_clear(&octets);
    *c = (struct fake_call){ .octets = octets, .arg = arg };
    if (f->fail_in >= 0 && f->fail_in-- == 0) {
        err_set(__FILE__, __LINE__, "a fault of the test");
        c->e = (err){ ERR_IO };
    }
    return c;
}

static bool holds(const struct fake_store *f, const struct kvs_op *op)
{
    size_t i = find(f, op->key);
    bool there = is_at(f, i, op->key);

    return op->expect == KVS_ANY || (op->expect == KVS_ABSENT && !there) ||
           (op->expect == KVS_REV && there && f->entries[i].rev == op->rev);
}

static void result(struct fake_call *c, const struct kvs_result *r)
{
    if (c->count < KVS_FAILURES_MAX || r->status != KVS_FAILED) {
        err e = kvs_msr_result(&c->octets, r);
        assert(!e.code);
        c->count++;
    }
}

static bool batch_refused(const struct fake_store *f, const struct kvs_op *ops, uint32_t count,
                          struct fake_call *c)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t index[4];
        store_u32(index, i);
        if (!holds(f, &ops[i])) {
            c->e = (err){ ERR_CONFLICT };
            result(c, &(struct kvs_result){ .status = KVS_FAILED, .value = BYTES_OF(index) });
        }
    }
    return c->e.code != ERR_NONE;
}

static void apply(struct fake_store *f, const struct kvs_op *op, struct fake_call *c)
{
    struct kvs_result r = { .status = KVS_DONE, .rev = f->rev };

    if (op->type == KVS_PUT) {
        put(f, op->key, op->value);
    } else if (op->type == KVS_DELETE) {
        delete(f, op->key);
    } else if (op->type == KVS_GET) {
        size_t i = find(f, op->key);
        r.status = is_at(f, i, op->key) ? KVS_DONE : KVS_IS_ABSENT;
        if (r.status == KVS_DONE) {
            r.rev = f->entries[i].rev;
            r.value = (struct bytes){ f->entries[i].value, f->entries[i].value_bytes };
        }
    }
    result(c, &r);
}

/* As the store: no key twice in a batch, keys and values within their bounds. */
static bool well_formed(const struct kvs_op *ops, uint32_t count)
{
    size_t octets = 0;

    for (uint32_t i = 0; i < count; i++) {
        octets += ops[i].key.len + ops[i].value.len + 32;
        if (ops[i].key.len == 0 || ops[i].key.len > KVS_KEY_BYTES_MAX) {
            return false;
        }
        for (uint32_t j = i + 1; j < count && count < 300; j++) {
            if (bytes_equal(ops[i].key, ops[j].key)) {
                return false;
            }
        }
    }
    return count > 0 && octets <= KVS_BATCH_BYTES_MAX;
}

static err fake_batch(void *self, const struct kvs_op *ops, uint32_t count, kvs_batch_fn done,
                      void *arg)
{
    struct fake_store *f = self;

    if (!well_formed(ops, count)) {
        FAIL(ERR_PROTO, "a batch that the store refuses");
    }
    if (f->meanwhile != NULL) {
        f->meanwhile(f->meanwhile_arg);
    }
    struct fake_call *c = call_new(f, arg);
    c->batch_done = done;
    f->batches++;
    if (c->e.code || batch_refused(f, ops, count, c)) {
        return OK;
    }
    f->rev++;
    for (uint32_t i = 0; i < count; i++) {
        apply(f, &ops[i], c);
    }
    return OK;
}

static void page_fill(struct fake_store *f, const struct fake_snapshot *at,
                      const struct kvs_range *r, struct fake_call *c)
{
    size_t low = find_in(at->entries, at->count, r->start);
    size_t high = r->end.len > 0 ? find_in(at->entries, at->count, r->end) : at->count;
    uint32_t limit = f->page_max > 0 && f->page_max < r->limit ? f->page_max : r->limit;

    for (; low < high && c->count < limit; c->count++) {
        const struct fake_entry *e = &at->entries[r->reverse ? --high : low++];
        struct kvs_entry entry = { { e->key, e->key_bytes },
                                   { e->value, r->keys_only ? 0 : e->value_bytes }, e->rev };
        err failed = kvs_msp_entry(&c->octets, &entry);
        assert(!failed.code);
    }
    c->more = low < high;
    if (c->more) {
        /* The key of the next page; in reverse its exclusive end, the last key given. */
        size_t i = r->reverse ? high : low;
        size_t tail = c->octets.len;
        err failed = buf_append(&c->octets, f->bad_next ? r->start : key_of(&at->entries[i]));
        assert(!failed.code);
        c->next = (struct bytes){ NULL, c->octets.len - tail };
    }
}

/* Gives the state a handle, with a copy of all that is there. */
static uint64_t snapshot_make(struct fake_store *f)
{
    struct fake_snapshot *s = snapshot_find(f, 0);

    assert(s != NULL);
    *s = (struct fake_snapshot){ .handle = ++f->snapshots_made, .count = f->count, .rev = f->rev };
    s->entries = calloc(f->count + 1, sizeof *s->entries);
    for (size_t i = 0; i < f->count; i++) {
        const struct fake_entry *e = &f->entries[i];
        s->entries[i] = (struct fake_entry){ copy(key_of(e)),
                                             copy((struct bytes){ e->value, e->value_bytes }),
                                             e->key_bytes, e->value_bytes, e->rev };
    }
    return s->handle;
}

static void fake_drop(void *self, uint64_t handle)
{
    struct fake_snapshot *s = snapshot_find(self, handle);

    if (s != NULL) {
        snapshot_free(s);
    }
}

/* As the gateway: a handle comes with the first page, stays while more follows or with `keep`. */
static void page_at(struct fake_store *f, const struct kvs_range *r, struct fake_call *c)
{
    const struct fake_snapshot now = { 0, f->entries, f->count, f->rev };
    const struct fake_snapshot *at = r->snapshot != 0 ? snapshot_find(f, r->snapshot) : &now;

    if (at == NULL) {
        err_set(__FILE__, __LINE__, "the snapshot is gone");
        c->e = (err){ ERR_MISSING };
        return;
    }
    c->rev = at->rev;
    page_fill(f, at, r, c);
    bool stays = (r->consistent || r->snapshot != 0) && (c->more || r->keep);
    if (stays) {
        c->snapshot = r->snapshot != 0 ? r->snapshot : snapshot_make(f);
    } else if (r->snapshot != 0) {
        fake_drop(f, r->snapshot);
    }
}

static err fake_scan(void *self, const struct kvs_range *r, kvs_page_fn done, void *arg)
{
    struct fake_store *f = self;

    if (r->limit == 0 || r->limit > KVS_PAGE_KEYS_MAX || strcmp(r->space, "sql") != 0) {
        FAIL(ERR_PROTO, "a scan that the store refuses");
    }
    if (f->paged != NULL) {
        f->paged(f->paged_arg);
    }
    struct fake_call *c = call_new(f, arg);
    c->is_scan = true;
    c->page_done = done;
    f->scans++;
    if (!c->e.code) {
        page_at(f, r, c);
    }
    return OK;
}

static void deliver(struct fake_call c)
{
    if (!c.is_scan) {
        struct kvs_batch_answer answer = { c.rev, buf_bytes(&c.octets), c.count };
        c.batch_done(c.arg, c.e, &answer);
        return;
    }
    struct bytes entries = buf_bytes(&c.octets);
    entries.len -= c.next.len;
    struct kvs_page page = { .count = c.count, .more = c.more, .entries = entries, .rev = c.rev,
                             .snapshot = c.snapshot };
    page.next = (struct bytes){ entries.ptr + entries.len, c.next.len };
    c.page_done(c.arg, c.e, &page);
}

void fake_store_run(struct fake_store *f)
{
    while (f->waiting > 0) {
        struct fake_call *slot = &f->calls[f->first];
        struct fake_call c = *slot;
        slot->octets = (struct buf){ 0 }; /* later calls must not move it */
        f->first = (f->first + 1) % FAKE_CALLS_MAX;
        f->waiting--;
        deliver(c);
        if (slot->octets.ptr == NULL) {
            slot->octets = c.octets;
        } else {
            buf_done(&c.octets);
        }
    }
}

struct sql_store fake_store_of(struct fake_store *f)
{
    return (struct sql_store){ .self = f, .batch = fake_batch, .scan = fake_scan,
                               .drop = fake_drop };
}
