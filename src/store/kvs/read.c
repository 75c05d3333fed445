/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/read.h"

#include <assert.h>

#include "lib/base/mem.h"

struct readers {
    struct engine *engine;
    struct request_queue queue;
    pthread_t threads[READ_THREADS_MAX];
    unsigned thread_count;
};

/* --- the threads --- */

static void *reader_run(void *arg)
{
    struct readers *p = arg;
    struct kv_request *r;

    while (request_queue_take(&p->queue, 1, 0, 0, &r)) {
        r->run(p->engine, r);
        r->done(r);
    }
    return NULL;
}

err readers_start(struct engine *e, unsigned thread_count, struct readers **out)
{
    struct readers *p = mem_take(sizeof *p);

    assert(thread_count > 0 && thread_count <= READ_THREADS_MAX);
    if (p == NULL) {
        FAIL(ERR_LIMIT, "no memory for readers");
    }
    p->engine = e;
    request_queue_init(&p->queue, READ_QUEUE_MAX);
    while (p->thread_count < thread_count) {
        if (pthread_create(&p->threads[p->thread_count], NULL, reader_run, p) != 0) {
            readers_stop(p);
            FAIL(ERR_LIMIT, "no thread for a reader");
        }
        p->thread_count++;
    }
    *out = p;
    return OK;
}

err readers_submit(struct readers *p, struct kv_request *r)
{
    assert(r->run != NULL);
    return request_queue_put(&p->queue, r);
}

void readers_stop(struct readers *p)
{
    if (p == NULL) {
        return;
    }
    request_queue_stop(&p->queue);
    for (unsigned i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
    request_queue_done(&p->queue);
    mem_give(p);
}

/* --- gets --- */

void read_get(struct engine *e, struct kv_request *r)
{
    err result = engine_get(e, r->spaces[0], r->op.key, ENGINE_ANY, NULL, &r->found);

    r->status = kv_status_of(result);
    r->rev = r->found.record.rev;
}

static err get_one(struct engine *e, const struct space *s, struct bytes key,
                   const rocksdb_snapshot_t *snapshot, struct buf *answer)
{
    AUTO(found_done) struct found f = { 0 };
    err e_get = engine_get(e, s, key, ENGINE_ANY, snapshot, &f);

    if (e_get.code && e_get.code != ERR_MISSING) {
        return e_get;
    }
    const struct kvs_result result = {
        .status = e_get.code ? KVS_IS_ABSENT : KVS_DONE,
        .rev = f.record.rev,
        .value = f.record.value,
    };
    return kvs_msr_result(answer, &result);
}

static err gets_at(struct engine *e, struct kv_request *r, const rocksdb_snapshot_t *snapshot)
{
    struct bytes ops = r->ops;
    struct kvs_op op;

    r->answer.max = KVS_ANSWER_BYTES_MAX;
    TRY(engine_rev_at(e, snapshot, &r->rev));
    TRY(kvs_msr_begin(&r->answer));
    for (uint32_t i = 0; i < r->op_count; i++) {
        TRY(kvs_msb_op_take(&ops, r->space_count, &op));
        TRY(get_one(e, r->spaces[op.space], op.key, snapshot, &r->answer));
    }
    kvs_msr_finish(&r->answer, 200, r->rev, r->op_count);
    return OK;
}

void read_multi_get(struct engine *e, struct kv_request *r)
{
    const rocksdb_snapshot_t *snapshot = rocksdb_create_snapshot(engine_rocks(e));
    err result = gets_at(e, r, snapshot);

    rocksdb_release_snapshot(engine_rocks(e), snapshot);
    r->status = result.code == ERR_LIMIT ? KV_TOO_LARGE : kv_status_of(result);
}
