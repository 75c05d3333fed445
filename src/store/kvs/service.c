/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/service.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/crypto/secret.h"
#include "store/kvs/gateway.h"
#include "store/kvs/volume_dir.h"

#define ROOT_KEY_CHARS 64
#define POOL_SEGMENTS 2
/* Table writers, frames, read-ahead, table readers, code: what the settings do not govern. */
#define MEMORY_FIXED_BYTES (UINT64_C(112) << 20)
#define CONNECTION_BYTES (40u << 10)
#define MIB(n) (UINT64_C(n) << 20)

struct kvs_state {
    struct api_keys *keys;
    struct volume_dir *node;
    struct volume *volume;
    struct engine *engine;
    struct gateway *gateway;
    struct service_run *run;
    struct loop_task failed; /* from the committer's thread */
    char why[256];
};

static const struct setting table[] = {
    SERVICE_COMMON_SETTINGS,
    { "listen", SETTING_ADDRESS, offsetof(struct kvs_config, listen), "127.0.0.1:0", 0, 0, NULL,
      "where clients connect (HTTPS)" },
    { "data_dir", SETTING_PATH, offsetof(struct kvs_config, data_dir), NULL, 0, 0, NULL,
      "directory of the sealed files" },
    { "root_key_file", SETTING_PATH, offsetof(struct kvs_config, root_key_file), NULL, 0, 0, NULL,
      "file with the root key: 64 hex digits, mode 0600" },
    { "api_keys_file", SETTING_PATH, offsetof(struct kvs_config, api_keys_file), NULL, 0, 0, NULL,
      "file with the API keys that are accepted, mode 0600" },
    { "anchor_file", SETTING_PATH, offsetof(struct kvs_config, anchor_file), "", 0, 0, NULL,
      "file outside data_dir that remembers the newest state; empty = an older copy of data_dir "
      "would be accepted" },
    { "create", SETTING_BOOL, offsetof(struct kvs_config, create), "true", 0, 0, NULL,
      "make a new store where data_dir is empty" },
    { "accept_rollback", SETTING_BOOL, offsetof(struct kvs_config, accept_rollback), "false", 0, 0,
      NULL, "open a state that is older than the anchor: an operator's decision, for one start" },
    { "memory_max_bytes", SETTING_UINT, offsetof(struct kvs_config, memory_max_bytes), "402653184",
      MIB(192), MIB(1048576), "octets", "the settings below together must stay within this" },
    { "block_cache_bytes", SETTING_UINT, offsetof(struct kvs_config, block_cache_bytes), "67108864",
      MIB(8), MIB(1048576), "octets", "decrypted blocks kept for reading" },
    { "memtable_bytes", SETTING_UINT, offsetof(struct kvs_config, memtable_bytes), "67108864",
      MIB(8), MIB(65536), "octets", "new records kept in memory, of all spaces together" },
    { "bodies_bytes", SETTING_UINT, offsetof(struct kvs_config, bodies_bytes), "100663296",
      MIB(65), MIB(65536), "octets", "bodies of requests under way; above it 429" },
    { "connections_max", SETTING_UINT, offsetof(struct kvs_config, connections_max), "1024", 1,
      65536, "count", "open connections" },
    { "reader_count", SETTING_UINT, offsetof(struct kvs_config, reader_count), "4", 1, 64, "count",
      "threads that read from disk" },
    { "job_count", SETTING_UINT, offsetof(struct kvs_config, job_count), "2", 1, 64, "count",
      "threads that flush and compact" },
    { "disk_reserve_bytes", SETTING_UINT, offsetof(struct kvs_config, disk_reserve_bytes),
      "268435456", 1, MIB(1048576), "octets",
      "free octets of the disk below which puts are refused (507); reads and deletes go on" },
};

err root_key_read(const char *path, struct key *out)
{
    AUTO(buf_wipe) struct buf text = { .max = ROOT_KEY_CHARS + 1 };
    AUTO(key_done) struct key key = { .size = sizeof key.octets };

    TRY(buf_reserve(&text, ROOT_KEY_CHARS + 1));
    err e = file_read_private(path, &text);
    if (e.code && e.code != ERR_LIMIT) {
        return err_context(e, "root key");
    }
    if (text.len == ROOT_KEY_CHARS + 1 && text.ptr[ROOT_KEY_CHARS] == '\n') {
        text.len--;
    }
    if (e.code || hex_decode(buf_bytes(&text), key.octets, key.size).code) {
        FAIL(ERR_PROTO, "%s is not 64 hex digits", path);
    }
    *out = key;
    return OK;
}

err kvs_memory_check(const struct kvs_config *c)
{
    uint64_t sum = MEMORY_FIXED_BYTES + c->block_cache_bytes + c->memtable_bytes +
                   c->bodies_bytes + c->connections_max * CONNECTION_BYTES;

    if (sum > c->memory_max_bytes) {
        FAIL(ERR_LIMIT,
             "the settings need %" PRIu64 " octets of memory, memory_max_bytes is %" PRIu64
             ": raise it, or lower block_cache_bytes, memtable_bytes, bodies_bytes or "
             "connections_max",
             sum, c->memory_max_bytes);
    }
    return OK;
}

static void on_rocks_warning(void *arg, int level, const char *format)
{
    (void)arg;
    LOG(level > 2 ? LOG_ERROR : LOG_WARN, "rocksdb", "format", format, NULL);
}

static err storage_open(struct kvs_state *s, const struct kvs_config *c)
{
    const struct volume_dir_config dir = {
        .path = c->data_dir,
        .anchor_path = c->anchor_file[0] != '\0' ? c->anchor_file : NULL,
        .segment_bytes = VOLUME_SEGMENT_BYTES,
        .pool_count = POOL_SEGMENTS,
    };
    struct volume_config volume = { .create = c->create, .accept_rollback = c->accept_rollback };

    TRY(root_key_read(c->root_key_file, &volume.root_key));
    err e = volume_dir_open(&dir, &s->node);
    if (!e.code) {
        e = volume_open(&volume, volume_dir_io(s->node), &s->volume);
    }
    key_done(&volume.root_key);
    return err_context(e, "%s", c->data_dir);
}

static err engine_start(struct kvs_state *s, const struct kvs_config *c)
{
    const struct engine_options options = {
        .db = { .block_cache_bytes = c->block_cache_bytes,
                .memtable_bytes = c->memtable_bytes,
                .job_count = (int)c->job_count,
                .warn = on_rocks_warning },
        .disk_free_min_bytes = c->disk_reserve_bytes,
    };

    return engine_open(s->volume, &options, &s->engine);
}

/* How much an older state put back by whoever owns the disk would be noticed: told at each
 * start. */
static void rollback_tell(struct kvs_state *s)
{
    struct volume_figures info = { 0 };

    volume_info(s->volume, &info);
    bool none = info.anchor == VOLUME_ANCHOR_NONE;
    LOG(none ? LOG_WARN : LOG_INFO, "volume_open", "rollback_level", none ? "0" : "1", "epoch",
        log_num((int64_t)info.epoch), "seq", log_num((int64_t)info.seq), "rev",
        log_num((int64_t)engine_rev(s->engine)), NULL);
}

static void failed_in_loop(void *arg)
{
    struct kvs_state *s = arg;

    err_set(__FILE__, __LINE__, "a commit failed (%s): start again, the log settles what is in it",
            s->why);
    service_fatal(s->run, (err){ ERR_IO });
}

/* On the committer's thread, once. */
static void on_failed(void *arg, err why)
{
    struct kvs_state *s = arg;

    (void)why;
    snprintf(s->why, sizeof s->why, "%s", err_text());
    s->failed = (struct loop_task){ .run = failed_in_loop, .arg = s };
    loop_post(s->run->loop, &s->failed);
}

static err kvs_start(struct service_run *run)
{
    const struct kvs_config *c = run->config;
    struct kvs_state *s = run->state;
    struct gateway_options options = {
        .listen = c->listen,
        .tls = run->tls,
        .reader_count = (unsigned)c->reader_count,
        .connections_max = (unsigned)c->connections_max,
        .body_octets_max = c->bodies_bytes,
        .failed = on_failed,
        .arg = s,
    };

    s->run = run;
    TRY(kvs_memory_check(c));
    TRY(api_keys_load(c->api_keys_file, &s->keys));
    TRY(storage_open(s, c));
    TRY(engine_start(s, c));
    rollback_tell(s);
    options.keys = s->keys;
    TRY(gateway_start(run->loop, s->engine, &options, &s->gateway));
    service_port(run, "kvs", gateway_port(s->gateway));
    service_ready(run, true, "open");
    return OK;
}

static void kvs_stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct kvs_state *s = run->state;

    service_ready(run, false, "stopping");
    if (s->gateway == NULL) {
        done(arg);
        return;
    }
    gateway_stop(s->gateway, done, arg);
}

/* In this order: nobody is left who could use what goes next. */
static void kvs_free(struct service_run *run)
{
    struct kvs_state *s = run->state;

    gateway_free(s->gateway);
    engine_close(s->engine);
    if (s->volume != NULL) {
        err e = volume_close(s->volume);
        if (e.code) {
            log_error(LOG_ERROR, "volume_close", e);
        }
    }
    if (s->node != NULL) {
        volume_dir_close(s->node);
    }
    api_keys_free(s->keys);
}

const struct service kvs_service = {
    .name = "kvs",
    .help = "secure key-value store: sealed files below, REST above",
    .settings = { table, sizeof table / sizeof *table, sizeof(struct kvs_config) },
    .state_size = sizeof(struct kvs_state),
    .start = kvs_start,
    .stop = kvs_stop,
    .free = kvs_free,
};
