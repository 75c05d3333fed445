/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/service.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/retry.h"
#include "lib/net/http_server.h"
#include "store/sql/route.h"
#include "store/sql/store_kvs.h"

#define RETRY_US_MAX US_PER_S   /* between attempts to reach the store at start */
#define CALL_EXTRA_US 5000000   /* a call of the store may outlive its statement by this */
#define SPACE_CALL_US 5000000

struct sql_state {
    struct api_keys *keys;
    struct access_roles roles;
    struct kvs_client *kvs;
    struct sql_engine *engine;
    struct http_server *server;
    struct sql_route route;
    struct loop_timer again; /* opening the engine */
    struct retry retry;
    bool space_made;
    struct service_run *run;
    bool server_stopped;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static const struct setting table[] = {
    SERVICE_COMMON_SETTINGS,
    { "listen", SETTING_ADDRESS, offsetof(struct sql_config, listen), "127.0.0.1:0", 0, 0, NULL,
      "where clients connect (HTTPS, POST /sql)" },
    { "kvs_url", SETTING_URL, offsetof(struct sql_config, kvs_url), NULL, 0, 0, NULL,
      "the key-value store that holds the tables" },
    { "kvs_key_file", SETTING_PATH, offsetof(struct sql_config, kvs_key_file), NULL, 0, 0, NULL,
      "file with the API key for the store: read,write,delete,scan,admin on space sql" },
    { "api_keys_file", SETTING_PATH, offsetof(struct sql_config, api_keys_file), NULL, 0, 0, NULL,
      "file with the API keys that are accepted, mode 0600; scopes are verbs:sql:table-prefix" },
    { "roles", SETTING_TEXT, offsetof(struct sql_config, roles),
      "collector=read,write,admin billing=read fraud=read", 0, 0, NULL,
      "rights of services that show a certificate and no API key" },
    { "connections_max", SETTING_UINT, offsetof(struct sql_config, connections_max), "256", 1,
      65536, "count", "open connections" },
    { "kvs_connections_max", SETTING_UINT, offsetof(struct sql_config, kvs_connections_max), "8", 1,
      256, "count", "connections to the store" },
    { "statements_max", SETTING_UINT, offsetof(struct sql_config, statements_max), "128", 1, 4096,
      "count", "statements under way at once; above it 429" },
    { "statement_rows_max", SETTING_UINT, offsetof(struct sql_config, statement_rows_max), "10000",
      1, 90000, "count", "rows that one statement may write" },
    { "statement_time_s", SETTING_UINT, offsetof(struct sql_config, statement_time_s), "60", 1,
      3600, "s", "time of one statement" },
    { "slow_ms", SETTING_UINT, offsetof(struct sql_config, slow_ms), "2000", 0, 3600000, "ms",
      "longer statements are logged, by fingerprint; 0 = none" },
};

static uint64_t now_us(void *clock)
{
    return loop_now_us(clock);
}

static struct http_client_options kvs_options(const struct sql_config *c)
{
    return (struct http_client_options){
        .base_url = c->kvs_url,
        .server_role = "kvs",
        .tls = { c->common.tls_certificate, c->common.tls_key, c->common.tls_ca },
        .bearer_file = c->kvs_key_file,
        .connections_max = (size_t)c->kvs_connections_max,
        .requests_max = (size_t)c->statements_max * 2 + 16,
        .timeout_us = c->statement_time_s * 1000000 + CALL_EXTRA_US,
    };
}

/* --- start: the tables' space is made once, the dictionary read; the store may come later --- */

static void open_engine(void *arg);

/* One blocking call, once in the life of an installation. */
static err make_space(const struct sql_config *c)
{
    struct http_client_options options = kvs_options(c);
    struct kvs_client *client;

    options.timeout_us = SPACE_CALL_US;
    TRY(kvs_client_new(NULL, &options, &client));
    err e = kvs_space_create_wait(client, DICTIONARY_SPACE);
    kvs_client_free(client);
    return e;
}

static void opened(void *arg, err e)
{
    struct sql_state *s = arg;

    if (!e.code) {
        service_ready(s->run, true, "");
        return;
    }
    bool at_once = false;
    if (e.code == ERR_MISSING) {
        e = make_space(s->run->config);
        at_once = !e.code && !s->space_made;
        s->space_made = s->space_made || !e.code;
    }
    if (e.code == ERR_CORRUPT || e.code == ERR_AUTH) {
        service_fatal(s->run, e); /* waiting makes neither better */
        return;
    }
    uint64_t pause_us = at_once ? 0 : retry_pause_us(&s->retry);
    if (loop_timer_at(&s->again, loop_now_us(s->run->loop) + pause_us).code) {
        service_fatal(s->run, (err){ ERR_LIMIT });
    }
}

static void open_engine(void *arg)
{
    struct sql_state *s = arg;
    err e = sql_engine_open(s->engine, opened, s);

    if (e.code) {
        service_fatal(s->run, e);
    }
}

static err start_engine(struct sql_state *s, const struct sql_config *c)
{
    struct http_client_options options = kvs_options(c);

    TRY(kvs_client_new(s->run->loop, &options, &s->kvs));
    struct sql_engine_options engine = {
        .store = store_kvs(s->kvs),
        .limits = { .rows_max = (uint32_t)c->statement_rows_max,
                    .statements_max = (uint32_t)c->statements_max,
                    .time_us = c->statement_time_s * 1000000 },
        .now_us = now_us,
        .clock = s->run->loop,
    };
    return sql_engine_new(&engine, &s->engine);
}

static err start_server(struct sql_state *s, const struct sql_config *c)
{
    struct http_server_options options = {
        .stream = { .tls = s->run->tls, .peer_optional = true,
                    .count_max = (size_t)c->connections_max },
        .routes = sql_routes,
        .arg = &s->route,
        .gone = sql_route_gone,
    };

    s->route = (struct sql_route){ .engine = s->engine, .keys = s->keys, .roles = &s->roles,
                                   .slow_us = c->slow_ms * 1000 };
    TRY(http_server_start(s->run->loop, c->listen, &options, &s->server));
    service_port(s->run, "sql", http_server_port(s->server));
    return OK;
}

static err sql_start(struct service_run *run)
{
    const struct sql_config *c = run->config;
    struct sql_state *s = run->state;

    s->run = run;
    TRY(api_keys_load(c->api_keys_file, &s->keys));
    TRY(err_context(access_roles_parse(c->roles, &s->roles), "setting roles"));
    sql_route_register_metrics();
    TRY(start_engine(s, c));
    TRY(start_server(s, c));
    s->retry = (struct retry){ .max_us = RETRY_US_MAX };
    loop_timer_init(&s->again, run->loop, open_engine, s);
    service_ready(run, false, "store");
    open_engine(s);
    return OK;
}

/* --- stop: statements under way are answered first --- */

static void stop_if_idle(void *arg)
{
    struct sql_state *s = arg;

    if (s->server_stopped && s->route.under_way == 0 && s->stopped != NULL) {
        void (*stopped)(void *) = s->stopped;
        s->stopped = NULL;
        stopped(s->stopped_arg);
    }
}

static void server_stopped(void *arg)
{
    struct sql_state *s = arg;

    s->server_stopped = true;
    stop_if_idle(s);
}

static void sql_stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct sql_state *s = run->state;

    s->stopped = done;
    s->stopped_arg = arg;
    s->route.idle = stop_if_idle;
    s->route.arg = s;
    loop_timer_cancel(&s->again);
    http_server_stop(s->server, server_stopped, s);
}

static void sql_free(struct service_run *run)
{
    struct sql_state *s = run->state;

    http_server_free(s->server);
    kvs_client_free(s->kvs); /* what is under way ends here, so the engine is idle */
    sql_engine_free(s->engine);
    api_keys_free(s->keys);
}

const struct service sql_service = {
    .name = "sql",
    .help = "SQL over the secure key-value store",
    .settings = { table, sizeof table / sizeof *table, sizeof(struct sql_config) },
    .state_size = sizeof(struct sql_state),
    .start = sql_start,
    .stop = sql_stop,
    .free = sql_free,
};
