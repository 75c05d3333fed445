/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/program.h"

#include "intake/collector/collector.h"
#include "intake/collector/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/retry.h"
#include "lib/service/core_host.h"
#include "lib/service/core_metrics.h"

#define PUBLISH_US US_PER_S
#define TABLES_RETRY_US_MAX US_PER_S
#define FLUSH_POLL_US 20000
#define SQL_REQUESTS_MAX 1024 /* above all that the core may ask at once */
#define SQL_CONNECTIONS_MAX 16

struct collector_config {
    struct service_common common;
    const char *listen;
    const char *sql_url;
    const char *sql_key_file;
    uint64_t links_max;
    uint64_t meters_max;
    uint64_t reader;
    uint64_t hole_wait_s;
};

static const struct setting settings[] = {
    SERVICE_COMMON_SETTINGS,
    { "listen", SETTING_ADDRESS, offsetof(struct collector_config, listen), "127.0.0.1:0", 0, 0,
      NULL, "where authenticators connect, over TLS" },
    { "sql_url", SETTING_URL, offsetof(struct collector_config, sql_url), NULL, 0, 0, NULL,
      "the SQL service that keeps the readings" },
    { "sql_key_file", SETTING_PATH, offsetof(struct collector_config, sql_key_file), NULL, 0, 0,
      NULL, "file with the API key for it, mode 0600" },
    { "links_max", SETTING_UINT, offsetof(struct collector_config, links_max), "256", 1, 4096,
      "connections", "authenticators connected at once" },
    { "meters_max", SETTING_UINT, offsetof(struct collector_config, meters_max), "262144", 1,
      4194304, "meters", "meters that may speak" },
    { "reader", SETTING_UINT, offsetof(struct collector_config, reader), "1", 0, 999999, NULL,
      "serial number of this reader, that meters write into their logs" },
    { "hole_wait_s", SETTING_UINT, offsetof(struct collector_config, hole_wait_s), "20", 1, 86400,
      "s", "how long a missing reading may stay missing before it is asked for" },
};

struct state {
    struct service_run *run;
    struct sql_client *sql;
    struct store_sql *store;
    struct core_host *host;
    struct collector *core;
    struct core_metrics *metrics;
    struct metric meters;
    struct metric batches;
    struct loop_timer publish;
    struct loop_timer later;  /* answers of the store that came too early */
    struct loop_timer tables; /* creating them, again */
    struct retry tables_retry;
    struct loop_timer flush;  /* while stopping */
    void (*done)(void *arg);
    void *done_arg;
};

static const char *count_name(unsigned i)
{
    return collector_count_name((enum collector_count)i);
}

static void on_publish(void *arg)
{
    struct state *s = arg;

    core_metrics_set(s->metrics, collector_counts(s->core));
    metric_set(&s->meters, collector_meters(s->core));
    metric_set(&s->batches, collector_batches(s->core));
    err e = loop_timer_at(&s->publish, loop_now_us(s->run->loop) + PUBLISH_US);
    (void)e; /* no memory for a timer: the figures stay as they are */
}

/* --- the store's port --- */

static err port_send(void *self, struct bytes statement, sql_fn done, void *arg)
{
    struct state *s = self;

    return sql_send(s->sql, statement, (struct bytes){ 0 }, done, arg);
}

static void on_later(void *arg)
{
    struct state *s = arg;

    store_sql_later(s->store);
}

static void port_soon(void *self)
{
    struct state *s = self;

    if (loop_timer_at(&s->later, loop_now_us(s->run->loop)).code) {
        service_fatal(s->run, (err){ ERR_LIMIT });
    }
}

static uint64_t port_now_us(void *self)
{
    struct state *s = self;

    return loop_now_us(s->run->loop);
}

/* --- start --- */

static void create_tables(void *arg);

static err listen_now(struct state *s)
{
    TRY(core_host_start(s->host, s->core));
    service_port(s->run, "authenticators", core_host_port(s->host));
    service_ready(s->run, true, "ready");
    return loop_timer_at(&s->publish, loop_now_us(s->run->loop) + PUBLISH_US);
}

static void on_tables(void *arg, err e)
{
    struct state *s = arg;

    if (s->done != NULL) {
        return; /* stopping */
    }
    if (e.code) {
        log_error(LOG_WARN, "tables_failed", e);
        e = loop_timer_at(&s->tables, loop_now_us(s->run->loop) + retry_pause_us(&s->tables_retry));
    } else {
        e = listen_now(s);
    }
    if (e.code) {
        service_fatal(s->run, e);
    }
}

static void create_tables(void *arg)
{
    struct state *s = arg;

    store_sql_create_tables(s->store, on_tables, s);
}

static err make_store(struct service_run *run, struct state *s)
{
    const struct collector_config *c = run->config;
    const struct http_client_options http = {
        .base_url = c->sql_url,
        .server_role = "sql",
        .tls = { .ca = c->common.tls_ca },
        .bearer_file = c->sql_key_file,
        .connections_max = SQL_CONNECTIONS_MAX,
        .requests_max = SQL_REQUESTS_MAX,
    };
    const struct sql_port port = { s, port_send, port_soon, port_now_us };

    TRY(sql_client_new(run->loop, &http, &s->sql));
    return store_sql_new(&port, &s->store);
}

static err make_core(struct service_run *run, struct state *s)
{
    static const char *const authenticator[] = { "authenticator", NULL };
    const struct collector_config *c = run->config;
    const struct core_host_options host = {
        .ops = &collector_ops,
        .listen = c->listen,
        .listen_options = { .tls = run->tls, .peer_roles = authenticator,
                            .count_max = (size_t)c->links_max },
    };
    const struct collector_options options = { .links_max = (size_t)c->links_max,
                                               .meters_max = (size_t)c->meters_max,
                                               .reader = (uint32_t)c->reader,
                                               .hole_wait_us = c->hole_wait_s * US_PER_S };

    TRY(core_host_new(run->loop, &host, &s->host));
    TRY(collector_new(core_host_host(s->host), store_sql_store(s->store), &options, &s->core));
    store_sql_attach(s->store, s->core);
    return OK;
}

static err make_metrics(struct state *s)
{
    s->meters = (struct metric){ .kind = METRIC_GAUGE, .name = "meterseal_collector_meters",
                                 .help = "meters that spoke since the start" };
    s->batches = (struct metric){ .kind = METRIC_GAUGE, .name = "meterseal_collector_batches",
                                  .help = "batches of rows on their way to the store" };
    metric_register(&s->meters);
    metric_register(&s->batches);
    return core_metrics_new("meterseal_collector", NULL, "events of the collector", COLLECTOR_COUNT,
                            count_name, &s->metrics);
}

static err start(struct service_run *run)
{
    struct state *s = run->state;

    s->run = run;
    loop_timer_init(&s->publish, run->loop, on_publish, s);
    loop_timer_init(&s->later, run->loop, on_later, s);
    s->tables_retry = (struct retry){ .max_us = TABLES_RETRY_US_MAX };
    loop_timer_init(&s->tables, run->loop, create_tables, s);
    TRY(make_metrics(s));
    TRY(make_store(run, s));
    TRY(make_core(run, s));
    service_ready(run, false, "creating the tables");
    create_tables(s);
    return OK;
}

/* --- stop --- */

/* What is on its way to the store is waited for. A batch that the store refuses now is not tried
 * again: nothing of it was acknowledged. */
static void on_flush(void *arg)
{
    struct state *s = arg;

    if (!collector_flush(s->core, loop_now_us(s->run->loop)) &&
        !loop_timer_at(&s->flush, loop_now_us(s->run->loop) + FLUSH_POLL_US).code) {
        return;
    }
    store_sql_attach(s->store, NULL);
    s->done(s->done_arg);
}

static void stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct state *s = run->state;

    s->done = done;
    s->done_arg = arg;
    loop_timer_cancel(&s->publish);
    loop_timer_cancel(&s->tables);
    loop_timer_init(&s->flush, run->loop, on_flush, s);
    core_host_stop(s->host, on_flush, s);
}

static void state_free(struct service_run *run)
{
    struct state *s = run->state;

    if (s->store != NULL) {
        store_sql_attach(s->store, NULL);
    }
    sql_client_free(s->sql);
    core_host_free(s->host);
    collector_free(s->core);
    store_sql_free(s->store);
}

const struct service collector_service = {
    .name = "collector",
    .help = "orders readings, fills holes, acknowledges what is durable",
    .settings = { settings, sizeof settings / sizeof settings[0],
                  sizeof(struct collector_config) },
    .state_size = sizeof(struct state),
    .start = start,
    .stop = stop,
    .free = state_free,
};
