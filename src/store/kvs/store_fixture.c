/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/kvs/store_fixture.h"
#include "store/kvs/volume_fixture.h"

#define SEGMENT_BYTES (4u << 20)

_Atomic uint64_t fixture_now_s = 1700000000;
uint64_t fixture_disk_free_min;
uint64_t fixture_object_grace_us = 1;
uint64_t fixture_snapshot_idle_us;
const struct volume_io *fixture_io;
size_t fixture_memtable_bytes;
unsigned fixture_failures;

struct call {
    struct kv_request request; /* first */
    sem_t answered;
};

static void on_failed(void *arg, err why)
{
    (void)arg;
    (void)why;
    fixture_failures++;
}

static struct engine *call_engine; /* of the newest store */

static uint64_t fixture_utc_s(void)
{
    return fixture_now_s;
}

void store_open(struct store *s)
{
    const struct engine_options options = { .utc_s = fixture_utc_s,
                                            .disk_free_min_bytes = fixture_disk_free_min,
                                            .object_grace_us = fixture_object_grace_us,
                                            .snapshot_idle_us = fixture_snapshot_idle_us,
                                            .db.memtable_bytes = fixture_memtable_bytes,
                                            .resume_us = 1 };

    const struct volume_dir_config dir = { .path = s->dir, .segment_bytes = SEGMENT_BYTES };
    struct volume_config volume = fixture_config();

    volume.segment_bytes = SEGMENT_BYTES;
    if (fixture_io == NULL) {
        assert_ok(volume_dir_open(&dir, &s->node));
    }
    const struct volume_io *io = fixture_io != NULL ? fixture_io : volume_dir_io(s->node);
    assert_ok(volume_open(&volume, io, &s->volume));
    assert_ok(engine_open(s->volume, &options, &s->engine));
    call_engine = s->engine;
    assert_ok(committer_start(s->engine, on_failed, NULL, &s->committer));
    assert_ok(readers_start(s->engine, 2, &s->readers));
}

void store_close(struct store *s)
{
    committer_stop(s->committer);
    readers_stop(s->readers);
    engine_close(s->engine);
    assert_ok(volume_close(TAKE(s->volume)));
    volume_dir_close(TAKE(s->node));
}

void store_fresh(struct store *s)
{
    static const struct space_settings plain = { .compress = true };

    *s = (struct store){ .dir = "/tmp/kvs_test.XXXXXX" };
    assert_non_null(mkdtemp(s->dir));
    store_open(s);
    assert_ok(space_make(s, "s", &plain));
}

void store_remove(struct store *s)
{
    file_remove_all(s->dir);
}

static void answered(struct kv_request *r)
{
    sem_post(&((struct call *)r)->answered);
}

struct kv_request *call_new(struct store *s, const char *spaces)
{
    struct call *c = calloc(1, sizeof *c);
    char names[256];
    char *rest = names;

    sem_init(&c->answered, 0, 0);
    c->request.done = answered;
    c->request.op_count = 1;
    snprintf(names, sizeof names, "%s", spaces != NULL ? spaces : "");
    if (spaces == NULL) {
        return &c->request;
    }
    for (char *name; (name = strsep(&rest, " ")) != NULL;) {
        struct space *space = engine_space(s->engine, bytes_of_string(name));
        assert_non_null(space);
        c->request.spaces[c->request.space_count++] = space;
    }
    return &c->request;
}

void call_done(struct kv_request *r)
{
    struct call *c = (struct call *)r;

    kv_request_release(call_engine, r);
    buf_done(&r->answer);
    sem_destroy(&c->answered);
    free(c);
}

enum kv_status call_wait(struct kv_request *r)
{
    while (sem_wait(&((struct call *)r)->answered) != 0) {
    }
    return r->status;
}

void call_submit(struct store *s, struct kv_request *r)
{
    assert_ok(committer_submit(s->committer, r));
}

enum kv_status call_commit(struct store *s, struct kv_request *r)
{
    call_submit(s, r);
    return call_wait(r);
}

enum kv_status call_read(struct store *s, struct kv_request *r,
                         void (*run)(struct engine *e, struct kv_request *r))
{
    r->run = run;
    assert_ok(readers_submit(s->readers, r));
    return call_wait(r);
}

static enum kv_status write_one(struct store *s, const struct kvs_op *op, uint64_t *out_rev)
{
    struct kv_request *r = call_new(s, "s");

    r->op = *op;
    enum kv_status status = call_commit(s, r);
    if (out_rev != NULL) {
        *out_rev = r->rev;
    }
    call_done(r);
    return status;
}

enum kv_status put(struct store *s, const char *key, const char *value, enum kvs_expect expect,
                   uint64_t rev, uint64_t *out_rev)
{
    const struct kvs_op op = { .type = KVS_PUT, .expect = expect, .rev = rev,
                               .key = bytes_of_string(key), .value = bytes_of_string(value) };

    return write_one(s, &op, out_rev);
}

enum kv_status delete(struct store *s, const char *key, enum kvs_expect expect, uint64_t rev)
{
    const struct kvs_op op = { .type = KVS_DELETE, .expect = expect, .rev = rev,
                               .key = bytes_of_string(key) };

    return write_one(s, &op, NULL);
}

const char *get(struct store *s, const char *key, uint64_t *out_rev)
{
    static char text[4096];
    struct kv_request *r = call_new(s, "s");
    const char *value = NULL;

    r->op = (struct kvs_op){ .type = KVS_GET, .key = bytes_of_string(key) };
    if (call_read(s, r, read_get) == KV_OK) {
        struct bytes v = r->found.record.value;
        snprintf(text, sizeof text, "%.*s", (int)v.len, (const char *)v.ptr);
        value = text;
    }
    if (out_rev != NULL) {
        *out_rev = r->rev;
    }
    call_done(r);
    return value;
}

/* --- administration, on the committer's thread --- */

static err admin_result; /* of the newest; read after its answer */

static void run_create(struct engine *e, struct kv_request *r)
{
    admin_result = engine_space_create(e, r->name, &r->settings);
}

static void run_drop(struct engine *e, struct kv_request *r)
{
    admin_result = engine_space_drop(e, r->spaces[0]);
}

static err admin(struct store *s, struct kv_request *r)
{
    call_commit(s, r);
    call_done(r);
    return admin_result;
}

err space_make(struct store *s, const char *name, const struct space_settings *settings)
{
    struct kv_request *r = call_new(s, NULL);

    r->run = run_create;
    r->name = bytes_of_string(name);
    r->settings = *settings;
    return admin(s, r);
}

err space_unmake(struct store *s, const char *name)
{
    struct kv_request *r = call_new(s, name);

    r->run = run_drop;
    return admin(s, r);
}

/* --- groups --- */

static sem_t held, go;
static struct kv_request *holder;

static void run_hold(struct engine *e, struct kv_request *r)
{
    (void)e;
    (void)r;
    sem_post(&held);
    while (sem_wait(&go) != 0) {
    }
}

void committer_hold(struct store *s)
{
    sem_init(&held, 0, 0);
    sem_init(&go, 0, 0);
    holder = call_new(s, NULL);
    holder->run = run_hold;
    call_submit(s, holder);
    while (sem_wait(&held) != 0) {
    }
}

void committer_release(struct store *s)
{
    (void)s;
    sem_post(&go);
    call_wait(holder);
    call_done(holder);
}
