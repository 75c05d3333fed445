/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/store_kvs.h"

static err add_op(struct kvs_batch *b, const struct kvs_op *op)
{
    switch (op->type) {
    case KVS_PUT: return kvs_batch_put(b, op->expect, op->rev, op->key, op->value);
    case KVS_DELETE: return kvs_batch_delete(b, op->expect, op->rev, op->key);
    case KVS_CHECK: return kvs_batch_check(b, op->expect, op->rev, op->key);
    case KVS_GET: return kvs_batch_get(b, op->key);
    }
    FAIL(ERR_PROTO, "operation of type %d", (int)op->type);
}

static err send_batch(void *self, const struct kvs_op *ops, uint32_t count, kvs_batch_fn done,
                      void *arg)
{
    AUTO(kvs_batch_done) struct kvs_batch b = { 0 };

    TRY(kvs_batch_begin(&b, DICTIONARY_SPACE));
    for (uint32_t i = 0; i < count; i++) {
        TRY(add_op(&b, &ops[i]));
    }
    return kvs_batch_send(self, &b, done, arg);
}

static err send_scan(void *self, const struct kvs_range *range, kvs_page_fn done, void *arg)
{
    return kvs_scan(self, range, done, arg);
}

static void drop_snapshot(void *self, uint64_t snapshot)
{
    kvs_snapshot_drop(self, snapshot);
}

struct sql_store store_kvs(struct kvs_client *client)
{
    return (struct sql_store){ .self = client, .batch = send_batch, .scan = send_scan,
                               .drop = drop_snapshot };
}
