/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "store/kvs/page_json.h"
#include "store/kvs/read.h"

/* One page in the making. */
struct scan {
    struct engine *engine;
    struct kv_request *request;
    rocksdb_iterator_t *it;
    uint64_t now_s;
    uint32_t steps;
    size_t octets; /* of keys and values so far */
    struct buf object;
};

static struct bytes it_key(const rocksdb_iterator_t *it)
{
    size_t len;
    const char *key = rocksdb_iter_key(it, &len);

    return (struct bytes){ (const uint8_t *)key, len };
}

static struct bytes it_value(const rocksdb_iterator_t *it)
{
    size_t len;
    const char *value = rocksdb_iter_value(it, &len);

    return (struct bytes){ (const uint8_t *)value, len };
}

static void seek(struct scan *s)
{
    const struct kv_scan *spec = &s->request->scan;

    if (!spec->reverse) {
        rocksdb_iter_seek(s->it, (const char *)spec->start.ptr, spec->start.len);
    } else if (spec->end.len == 0) {
        rocksdb_iter_seek_to_last(s->it);
    } else {
        /* The upper bound keeps `end` itself out. */
        rocksdb_iter_seek_for_prev(s->it, (const char *)spec->end.ptr, spec->end.len);
    }
}

static void step(struct scan *s)
{
    s->steps++;
    if (s->request->scan.reverse) {
        rocksdb_iter_prev(s->it);
    } else {
        rocksdb_iter_next(s->it);
    }
}

static err entry_add(struct scan *s, struct bytes key, struct kvs_record *record)
{
    struct kv_request *r = s->request;

    if (r->scan.values && record->is_object) {
        TRY(engine_object_read(s->engine, record, &s->object));
    }
    const struct kvs_entry entry = {
        .key = key,
        .value = r->scan.values ? record->value : (struct bytes){ 0 },
        .rev = record->rev,
    };

    if (r->scan.json && r->answer_count > 0) {
        TRY(buf_u8(&r->answer, ','));
    }
    TRY(r->scan.json ? page_json_entry(&r->answer, &entry, r->scan.values)
                     : kvs_msp_entry(&r->answer, &entry));
    s->octets += entry.key.len + entry.value.len;
    r->answer_count++;
    return OK;
}

/* Whether the key under the iterator belongs on the next page. */
static bool page_is_full(const struct scan *s, const struct kvs_record *record)
{
    const struct kv_request *r = s->request;
    size_t more = it_key(s->it).len + (r->scan.values ? record->value_len : 0);

    return r->answer_count >= r->scan.limit || s->steps >= SCAN_STEPS_MAX ||
           (r->answer_count > 0 && s->octets + more > SCAN_BYTES_MAX);
}

static void key_keep(struct kv_request *r, struct bytes key)
{
    assert(key.len > 0 && key.len <= sizeof r->next_key);
    memcpy(r->next_key, key.ptr, key.len);
    r->next_key_len = key.len;
}

/* Forward the next page starts at the key that did not fit. In reverse its end, which it does not
 * include, is the last key that was looked at. */
static err page_fill(struct scan *s)
{
    struct kv_request *r = s->request;
    struct kvs_record record;

    for (seek(s); rocksdb_iter_valid(s->it); step(s)) {
        struct bytes key = it_key(s->it);
        TRY(record_read(it_value(s->it), &record));
        if (page_is_full(s, &record)) {
            r->answer_more = true;
            if (!r->scan.reverse) {
                key_keep(r, key);
            }
            break;
        }
        if (r->scan.reverse) {
            key_keep(r, key);
        }
        if (!record_expired(&record, s->now_s)) {
            TRY(entry_add(s, key, &record));
        }
    }
    if (!r->answer_more) {
        r->next_key_len = 0;
    }
    char *text = NULL;
    rocksdb_iter_get_error(s->it, &text);
    return kvs_rocks_err(text);
}

/* Whether the reader will come back for what this page leaves, or for another range. */
static bool page_goes_on(const struct kv_request *r)
{
    const struct snapshot_ask *ask = &r->snapshot_ask;

    return (ask->wanted || ask->handle != 0) && (r->answer_more || ask->keep);
}

static err page_make(struct scan *s, struct snapshot *snapshot)
{
    struct kv_request *r = s->request;

    TRY(engine_rev_at(s->engine, snapshot->rocks, &r->rev));
    TRY(r->scan.json ? buf_string(&r->answer, "{\"keys\":[") : kvs_msp_begin(&r->answer));
    TRY(page_fill(s));
    if (page_goes_on(r)) {
        TRY(engine_snapshot_keep(s->engine, &r->snapshot_ask, r->spaces[0], snapshot));
        r->snapshot = snapshot->handle;
    }
    const struct kvs_msp tail = { .count = r->answer_count, .rev = r->rev, .snapshot = r->snapshot,
                                  .next = { r->next_key, r->next_key_len } };
    return r->scan.json ? OK : kvs_msp_finish(&r->answer, &tail);
}

static rocksdb_readoptions_t *scan_options(const struct kv_scan *spec,
                                           const rocksdb_snapshot_t *snapshot)
{
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();

    rocksdb_readoptions_set_snapshot(how, snapshot);
    rocksdb_readoptions_set_total_order_seek(how, 1);
    if (spec->start.len > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(how, (const char *)spec->start.ptr,
                                                    spec->start.len);
    }
    if (spec->end.len > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(how, (const char *)spec->end.ptr,
                                                    spec->end.len);
    }
    return how;
}

static err scan_at(struct engine *e, struct kv_request *r, struct snapshot *snapshot)
{
    rocksdb_readoptions_t *how = scan_options(&r->scan, snapshot->rocks);
    struct scan s = { .engine = e, .request = r, .now_s = snapshot->utc_s };

    s.it = rocksdb_create_iterator_cf(engine_rocks(e), how, r->spaces[0]->family);
    err result = page_make(&s, snapshot);
    rocksdb_iter_destroy(s.it);
    buf_done(&s.object);
    rocksdb_readoptions_destroy(how);
    return result;
}

static enum kv_status scan_status(err e)
{
    return e.code == ERR_LIMIT ? KV_TOO_LARGE : e.code == ERR_CONFLICT ? KV_SNAPSHOTS
                                                                      : kv_status_of(e);
}

void read_scan(struct engine *e, struct kv_request *r)
{
    struct snapshot snapshot;

    assert(r->scan.limit > 0);
    r->answer.max = KVS_ANSWER_BYTES_MAX;
    if (engine_snapshot_begin(e, &r->snapshot_ask, r->spaces[0], &snapshot).code) {
        r->status = KV_SNAPSHOT;
        return;
    }
    err result = scan_at(e, r, &snapshot);
    r->status = scan_status(result);
    /* After a failure the same page may be asked for again. */
    engine_snapshot_end(e, &snapshot, result.code || r->snapshot != 0);
}
