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

static err page_make(struct scan *s, const rocksdb_snapshot_t *snapshot)
{
    struct kv_request *r = s->request;

    TRY(engine_rev_at(s->engine, snapshot, &r->rev));
    if (r->scan.json) {
        TRY(buf_string(&r->answer, "{\"keys\":["));
        return page_fill(s);
    }
    TRY(kvs_msp_begin(&r->answer));
    TRY(page_fill(s));
    return kvs_msp_finish(&r->answer, r->answer_count, r->rev,
                          (struct bytes){ r->next_key, r->next_key_len });
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

void read_scan(struct engine *e, struct kv_request *r)
{
    const rocksdb_snapshot_t *snapshot = rocksdb_create_snapshot(engine_rocks(e));
    rocksdb_readoptions_t *how = scan_options(&r->scan, snapshot);
    struct scan s = { .engine = e, .request = r, .now_s = engine_utc_s(e) };

    assert(r->scan.limit > 0);
    r->answer.max = KVS_ANSWER_BYTES_MAX;
    s.it = rocksdb_create_iterator_cf(engine_rocks(e), how, r->spaces[0]->family);
    err result = page_make(&s, snapshot);
    rocksdb_iter_destroy(s.it);
    buf_done(&s.object);
    rocksdb_readoptions_destroy(how);
    rocksdb_release_snapshot(engine_rocks(e), snapshot);
    r->status = result.code == ERR_LIMIT ? KV_TOO_LARGE : kv_status_of(result);
}
