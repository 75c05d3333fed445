/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/volume_mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rand.h"

#define THINGS_MAX 16384
#define NAME_BYTES 64

struct thing {
    char name[NAME_BYTES];
    uint8_t *octets;
    size_t size;
    bool durable; /* an object is, once sealed */
    bool deleted; /* not there, but a power cut may bring it back */
    int refs;     /* open handles */
};

struct volume_mem {
    struct volume_io io;
    pthread_mutex_t lock;
    struct thing *things[THINGS_MAX];
    size_t count;
    struct rand64 rand;
    uint64_t clock_us;
    uint64_t copies;
    long ops;
    long fault_at; /* -1: none */
    enum volume_mem_fault fault;
    bool sticky, stopped, objects_full, objects_fail;
    uint64_t capacity; /* 0: without end */
    uint8_t anchor_durable[2 * VOLUME_ANCHOR_SLOT_BYTES];
};

/* --- things -------------------------------------------------------------------------------- */

static struct thing *thing_find(struct volume_mem *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!m->things[i]->deleted && strcmp(m->things[i]->name, name) == 0) {
            return m->things[i];
        }
    }
    return NULL;
}

static struct thing *thing_add(struct volume_mem *m, const char *name, size_t size)
{
    struct thing *t = calloc(1, sizeof *t);

    assert(t != NULL && m->count < THINGS_MAX);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->octets = calloc(1, size + 1);
    t->size = size;
    m->things[m->count++] = t;
    return t;
}

static void thing_free(struct thing *t)
{
    free(t->octets);
    free(t);
}

static void thing_forget(struct volume_mem *m, struct thing *t)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->things[i] == t) {
            m->count--;
            for (; i < m->count; i++) {
                m->things[i] = m->things[i + 1];
            }
            thing_free(t);
            return;
        }
    }
}

static void thing_write(struct thing *t, uint64_t offset, struct bytes data)
{
    if (offset + data.len > t->size) {
        t->octets = realloc(t->octets, offset + data.len);
        assert(t->octets != NULL);
        memset(t->octets + t->size, 0, offset + data.len - t->size);
        t->size = offset + data.len;
    }
    if (data.len > 0) {
        memcpy(t->octets + offset, data.ptr, data.len);
    }
}

/* --- faults -------------------------------------------------------------------------------- */

/* How much of the next writing operation happens, and what its caller hears. */
struct outcome {
    bool half, whole;
    err answer;
};

static struct outcome outcome_next(struct volume_mem *m)
{
    static const struct outcome table[VOLUME_MEM_FAULTS] = {
        [VOLUME_MEM_FAIL] = { false, false, { ERR_IO } },
        [VOLUME_MEM_FULL] = { false, false, { ERR_LIMIT } },
        [VOLUME_MEM_TEAR] = { true, false, { ERR_IO } },
        [VOLUME_MEM_LIE] = { true, true, { ERR_IO } },
        [VOLUME_MEM_STOP_BEFORE] = { false, false, { ERR_IO } },
        [VOLUME_MEM_STOP_TORN] = { true, false, { ERR_IO } },
        [VOLUME_MEM_STOP_AFTER] = { true, true, { ERR_IO } },
    };
    struct outcome good = { true, true, { ERR_NONE } };

    long op = m->ops++;
    if (m->stopped) {
        err_set(__FILE__, __LINE__, "the node has stopped");
        return table[VOLUME_MEM_STOP_BEFORE];
    }
    if (m->fault_at < 0 || op < m->fault_at || (op > m->fault_at && !m->sticky)) {
        return good;
    }
    m->stopped = m->fault >= VOLUME_MEM_STOP_BEFORE;
    err_set(__FILE__, __LINE__, m->fault == VOLUME_MEM_FULL ? "disk full: injected" : "injected");
    return table[m->fault];
}

static uint64_t used(const struct volume_mem *m)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < m->count; i++) {
        sum += !m->things[i]->deleted || m->things[i]->refs > 0 ? m->things[i]->size : 0;
    }
    return sum;
}

/* A good outcome becomes a bad one where the disk has no room for `more` octets. */
static void outcome_bound(struct volume_mem *m, uint64_t more, struct outcome *o)
{
    if (!o->answer.code && m->capacity > 0 && used(m) + more > m->capacity) {
        err_set(__FILE__, __LINE__, "disk full: no room for %llu octets", (unsigned long long)more);
        *o = (struct outcome){ false, false, { ERR_LIMIT } };
    }
}

static struct bytes part_of(struct bytes data, const struct outcome *o)
{
    return (struct bytes){ data.ptr, o->whole ? data.len : o->half ? data.len / 2 : 0 };
}

/* --- objects ------------------------------------------------------------------------------- */

static void object_name(const char *name, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "o/%s", name);
}

static err object_create(void *self, const char *name, void **out)
{
    struct volume_mem *m = self;
    char full[NAME_BYTES];

    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    if (!o.answer.code) {
        object_name(name, full);
        struct thing *t = thing_add(m, full, 0);
        t->deleted = true; /* has no name before it is sealed */
        t->refs = 1;
        *out = t;
    }
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err object_append(void *self, void *object, struct bytes data)
{
    struct volume_mem *m = self;
    struct thing *t = object;

    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    if (m->objects_full) {
        err_set(__FILE__, __LINE__, "disk full: no room for objects");
        o = (struct outcome){ false, false, { ERR_LIMIT } };
    } else if (m->objects_fail) {
        err_set(__FILE__, __LINE__, "the disk does not write objects");
        o = (struct outcome){ false, false, { ERR_IO } };
    }
    outcome_bound(m, data.len, &o);
    thing_write(t, t->size, part_of(data, &o));
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err object_seal(void *self, void *object)
{
    struct volume_mem *m = self;
    struct thing *t = object;

    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    if (o.whole) {
        t->deleted = false;
        t->durable = true;
    }
    if (!o.answer.code) {
        t->refs = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static void object_drop(void *self, void *object)
{
    struct volume_mem *m = self;
    struct thing *t = object;

    pthread_mutex_lock(&m->lock);
    t->refs = 0;
    if (!m->stopped) {
        thing_forget(m, t);
    }
    pthread_mutex_unlock(&m->lock);
}

static err thing_open(struct volume_mem *m, const char *name, void **out, uint64_t *out_size)
{
    pthread_mutex_lock(&m->lock);
    struct thing *t = thing_find(m, name);
    if (t != NULL) {
        t->refs++;
        *out = t;
        *out_size = t->size;
    }
    pthread_mutex_unlock(&m->lock);
    if (t == NULL) {
        FAIL(ERR_MISSING, "%s: not there", name);
    }
    return OK;
}

static err object_open(void *self, const char *name, void **out, uint64_t *out_size)
{
    char full[NAME_BYTES];

    object_name(name, full);
    return thing_open(self, full, out, out_size);
}

static err thing_read(void *self, void *thing, uint64_t offset, uint8_t *out, size_t size)
{
    struct volume_mem *m = self;
    const struct thing *t = thing;

    pthread_mutex_lock(&m->lock);
    bool inside = offset <= t->size && size <= t->size - offset;
    if (inside) {
        memcpy(out, t->octets + offset, size);
    }
    pthread_mutex_unlock(&m->lock);
    if (!inside) {
        FAIL(ERR_CORRUPT, "%s: shorter than what was written", t->name);
    }
    return OK;
}

static void thing_close(void *self, void *thing)
{
    struct volume_mem *m = self;
    struct thing *t = thing;

    pthread_mutex_lock(&m->lock);
    t->refs--;
    pthread_mutex_unlock(&m->lock);
}

static err thing_delete(struct volume_mem *m, const char *name)
{
    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    struct thing *t = thing_find(m, name);
    if (t != NULL && o.whole) {
        t->deleted = true;
    }
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err object_delete(void *self, const char *name)
{
    char full[NAME_BYTES];

    object_name(name, full);
    return thing_delete(self, full);
}

static err object_list(void *self, volume_object_fn fn, void *arg)
{
    struct volume_mem *m = self;

    for (size_t i = 0; i < m->count; i++) {
        const struct thing *t = m->things[i];
        if (!t->deleted && strncmp(t->name, "o/", 2) == 0) {
            const struct volume_node_object object = { t->name + 2, t->size };
            fn(arg, &object);
        }
    }
    return OK;
}

/* --- segments ------------------------------------------------------------------------------ */

static void segment_name(const uint8_t id[16], char out[NAME_BYTES])
{
    char hex[33];

    hex_encode((struct bytes){ id, 16 }, hex);
    snprintf(out, NAME_BYTES, "log/%s", hex);
}

static err segment_create(void *self, const uint8_t id[16], uint64_t size, void **out)
{
    struct volume_mem *m = self;
    char name[NAME_BYTES];

    segment_name(id, name);
    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    outcome_bound(m, size, &o);
    if (o.whole) {
        struct thing *t = thing_add(m, name, (size_t)size);
        t->durable = true;
        if (!o.answer.code) {
            t->refs = 1;
            *out = t;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err segment_open(void *self, const uint8_t id[16], void **out, uint64_t *out_size)
{
    char name[NAME_BYTES];

    segment_name(id, name);
    return thing_open(self, name, out, out_size);
}

static err segment_append(void *self, void *segment, uint64_t offset, struct bytes data)
{
    struct volume_mem *m = self;

    assert(offset % 4096 == 0 && data.len % 4096 == 0 && (uintptr_t)data.ptr % 4096 == 0);
    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    thing_write(segment, offset, part_of(data, &o));
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err segment_delete(void *self, const uint8_t id[16])
{
    char name[NAME_BYTES];

    segment_name(id, name);
    return thing_delete(self, name);
}

static err segment_list(void *self, volume_segment_fn fn, void *arg)
{
    struct volume_mem *m = self;
    uint8_t id[16];

    for (size_t i = 0; i < m->count; i++) {
        const struct thing *t = m->things[i];
        if (!t->deleted && strncmp(t->name, "log/", 4) == 0 &&
            !hex_decode(bytes_of_string(t->name + 4), id, sizeof id).code) {
            fn(arg, id);
        }
    }
    return OK;
}

/* --- root, anchor, the rest ---------------------------------------------------------------- */

static err slots_get(struct volume_mem *m, const char *name, uint8_t *out, size_t size,
                     bool *out_present)
{
    const struct thing *t = thing_find(m, name);

    memset(out, 0, size);
    *out_present = t != NULL;
    if (t != NULL) {
        memcpy(out, t->octets, t->size < size ? t->size : size);
    }
    return OK;
}

static err slot_put(struct volume_mem *m, const char *name, size_t slot_bytes, unsigned slot,
                    struct bytes data)
{
    static const uint8_t zeros[VOLUME_ROOT_SLOT_BYTES];

    pthread_mutex_lock(&m->lock);
    struct outcome o = outcome_next(m);
    if (o.half) {
        struct thing *t = thing_find(m, name);
        if (t == NULL) {
            t = thing_add(m, name, 2 * slot_bytes);
            t->durable = true;
        }
        thing_write(t, slot * slot_bytes, (struct bytes){ zeros, o.whole ? slot_bytes : 0 });
        thing_write(t, slot * slot_bytes, part_of(data, &o));
    }
    pthread_mutex_unlock(&m->lock);
    return o.answer;
}

static err root_get(void *self, uint8_t out[2 * VOLUME_ROOT_SLOT_BYTES], bool *out_present)
{
    return slots_get(self, "root", out, (size_t)2 * VOLUME_ROOT_SLOT_BYTES, out_present);
}

static err root_put(void *self, unsigned slot, struct bytes data)
{
    return slot_put(self, "root", VOLUME_ROOT_SLOT_BYTES, slot, data);
}

static err anchor_get(void *self, uint8_t out[2 * VOLUME_ANCHOR_SLOT_BYTES], bool *out_present)
{
    return slots_get(self, "anchor", out, (size_t)2 * VOLUME_ANCHOR_SLOT_BYTES, out_present);
}

static err anchor_put(void *self, unsigned slot, struct bytes data, bool durable)
{
    struct volume_mem *m = self;

    TRY(slot_put(m, "anchor", VOLUME_ANCHOR_SLOT_BYTES, slot, data));
    if (durable) {
        bool present;
        return anchor_get(self, m->anchor_durable, &present);
    }
    return OK;
}

static err space(void *self, uint64_t *out_free_bytes)
{
    struct volume_mem *m = self;

    pthread_mutex_lock(&m->lock);
    uint64_t full = used(m);
    *out_free_bytes = m->capacity == 0 ? UINT64_C(1) << 40
                      : full < m->capacity ? m->capacity - full
                                           : 0;
    pthread_mutex_unlock(&m->lock);
    return OK;
}

static uint64_t utc_s(void *self)
{
    (void)self;
    return 1763823600;
}

static uint64_t now_us(void *self)
{
    struct volume_mem *m = self;

    return m->clock_us += 1000;
}

static void draw(void *self, void *out, size_t size)
{
    struct volume_mem *m = self;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)out)[i] = (uint8_t)rand64_next(&m->rand);
    }
    pthread_mutex_unlock(&m->lock);
}

static err segment_quarantine(void *self, const uint8_t id[16])
{
    return segment_delete(self, id);
}

static const struct volume_io mem_io = {
    .object_create = object_create,
    .object_append = object_append,
    .object_seal = object_seal,
    .object_drop = object_drop,
    .object_open = object_open,
    .object_read = thing_read,
    .object_close = thing_close,
    .object_delete = object_delete,
    .object_list = object_list,
    .object_quarantine = object_delete,
    .segment_create = segment_create,
    .segment_open = segment_open,
    .segment_append = segment_append,
    .segment_read = thing_read,
    .segment_close = thing_close,
    .segment_delete = segment_delete,
    .segment_quarantine = segment_quarantine,
    .segment_list = segment_list,
    .root_get = root_get,
    .root_put = root_put,
    .space = space,
    .utc_s = utc_s,
    .now_us = now_us,
    .random = draw,
};

/* --- for the test -------------------------------------------------------------------------- */

struct volume_mem *volume_mem_new(void)
{
    struct volume_mem *m = calloc(1, sizeof *m);

    assert(m != NULL);
    pthread_mutex_init(&m->lock, NULL);
    m->io = mem_io;
    m->io.self = m;
    m->fault_at = -1;
    m->rand.state = 1;
    return m;
}

void volume_mem_free(struct volume_mem *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        thing_free(m->things[i]);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

const struct volume_io *volume_mem_io(struct volume_mem *m)
{
    return &m->io;
}

void volume_mem_anchor(struct volume_mem *m, bool on)
{
    m->io.anchor_get = on ? anchor_get : NULL;
    m->io.anchor_put = on ? anchor_put : NULL;
}

void volume_mem_fault_at(struct volume_mem *m, long n, enum volume_mem_fault fault, bool sticky)
{
    m->fault_at = n < 0 ? -1 : m->ops + n;
    m->fault = fault;
    m->sticky = sticky;
}

void volume_mem_objects_full(struct volume_mem *m, bool full)
{
    pthread_mutex_lock(&m->lock);
    m->objects_full = full;
    pthread_mutex_unlock(&m->lock);
}

void volume_mem_objects_fail(struct volume_mem *m, bool fail)
{
    pthread_mutex_lock(&m->lock);
    m->objects_fail = fail;
    pthread_mutex_unlock(&m->lock);
}

void volume_mem_capacity(struct volume_mem *m, uint64_t bytes)
{
    pthread_mutex_lock(&m->lock);
    m->capacity = bytes;
    pthread_mutex_unlock(&m->lock);
}

long volume_mem_ops(const struct volume_mem *m)
{
    return m->ops;
}

void volume_mem_restart(struct volume_mem *m)
{
    for (size_t i = m->count; i > 0; i--) {
        struct thing *t = m->things[i - 1];
        assert(t->refs == 0);
        if (!t->durable) {
            thing_forget(m, t);
        } else {
            t->deleted = false; /* the worst: nobody synced the directory */
        }
    }
    struct thing *anchor = thing_find(m, "anchor");
    if (anchor != NULL) {
        memcpy(anchor->octets, m->anchor_durable, sizeof m->anchor_durable);
    }
    m->stopped = false;
    m->fault_at = -1;
}

void volume_mem_forget(struct volume_mem *m)
{
    for (size_t i = m->count; i > 0; i--) {
        struct thing *t = m->things[i - 1];
        assert(t->refs == 0);
        if (t->deleted) {
            thing_forget(m, t);
        }
    }
}

static struct thing *thing_at(const struct volume_mem *m, size_t i)
{
    for (size_t at = 0; at < m->count; at++) {
        if (!m->things[at]->deleted && i-- == 0) {
            return m->things[at];
        }
    }
    abort(); /* an index past volume_mem_count */
}

size_t volume_mem_count(const struct volume_mem *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->count; i++) {
        count += m->things[i]->deleted ? 0 : 1;
    }
    return count;
}

const char *volume_mem_name(const struct volume_mem *m, size_t i)
{
    return thing_at(m, i)->name;
}

uint8_t *volume_mem_octets(struct volume_mem *m, size_t i, size_t *out_size)
{
    *out_size = thing_at(m, i)->size;
    return thing_at(m, i)->octets;
}

void volume_mem_cut(struct volume_mem *m, size_t i, size_t size)
{
    assert(size <= thing_at(m, i)->size);
    thing_at(m, i)->size = size;
}

void volume_mem_remove(struct volume_mem *m, size_t i)
{
    thing_forget(m, thing_at(m, i));
}

void volume_mem_swap(struct volume_mem *m, size_t i, size_t j)
{
    struct thing *a = thing_at(m, i), *b = thing_at(m, j), c = *a;

    a->octets = b->octets;
    a->size = b->size;
    b->octets = c.octets;
    b->size = c.size;
}

struct volume_mem *volume_mem_copy(struct volume_mem *m)
{
    struct volume_mem *c = volume_mem_new();

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) {
        const struct thing *t = m->things[i];
        if (!t->deleted) {
            struct thing *copy = thing_add(c, t->name, t->size);
            memcpy(copy->octets, t->octets, t->size);
            copy->durable = t->durable;
        }
    }
    volume_mem_anchor(c, m->io.anchor_put != NULL);
    memcpy(c->anchor_durable, m->anchor_durable, sizeof c->anchor_durable);
    /* Each copy is a machine of its own and draws other ids. */
    c->rand.state = rand64_mix(m->rand.state, ++m->copies, 0);
    pthread_mutex_unlock(&m->lock);
    return c;
}
