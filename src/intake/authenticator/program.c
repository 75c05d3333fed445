/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/program.h"

#include <stdio.h>

#include "intake/authenticator/authenticator.h"
#include "intake/authenticator/hello_pool.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/service/core_host.h"
#include "lib/service/core_metrics.h"
#include "lib/wire/meter_id.h"

#define PUBLISH_US US_PER_S
#define KEY_FILE_BYTES_MAX 8192

struct authenticator_config {
    struct service_common common;
    const char *listen;
    const char *collector_address;
    const char *session_key_file;
    uint64_t links_max;
    uint64_t sessions_max;
    uint64_t hello_rate;
    uint64_t hello_threads;
};

static const struct setting settings[] = {
    SERVICE_COMMON_SETTINGS,
    { "listen", SETTING_ADDRESS, offsetof(struct authenticator_config, listen), "127.0.0.1:0", 0, 0,
      NULL, "where aggregators connect, over TLS" },
    { "collector_address", SETTING_ADDRESS,
      offsetof(struct authenticator_config, collector_address), NULL, 0, 0, NULL,
      "the collector that readings go to, over TLS" },
    { "session_key_file", SETTING_PATH, offsetof(struct authenticator_config, session_key_file),
      NULL, 0, 0, NULL, "PEM private key that ends the meters' sessions (RSA-2048), mode 0600" },
    { "links_max", SETTING_UINT, offsetof(struct authenticator_config, links_max), "4096", 1, 65536,
      "connections", "aggregators connected at once" },
    { "sessions_max", SETTING_UINT, offsetof(struct authenticator_config, sessions_max), "262144",
      1, 4194304, "meters", "open sessions" },
    { "hello_rate", SETTING_UINT, offsetof(struct authenticator_config, hello_rate), "1000", 1,
      100000, "1/s", "session openings from one aggregator" },
    { "hello_threads", SETTING_UINT, offsetof(struct authenticator_config, hello_threads), "2", 1,
      64, "threads", "threads for the public-key work of session openings" },
};

struct state {
    struct service_run *run;
    struct private_key *session_key;
    struct core_host *host;
    struct authenticator *core;
    struct hello_pool *pool;
    struct core_metrics *metrics;
    struct core_metrics *refusals;
    struct metric sessions;
    struct metric late;
    struct loop_timer publish;
    struct loop_timer patience; /* while stopping: jobs at work come back first */
    void (*done)(void *arg);
    void *done_arg;
};

static const char *count_name(unsigned i)
{
    return authenticator_count_name((enum authenticator_count)i);
}

static const char *refusal_text(unsigned i)
{
    return authenticator_refusal_name((enum authenticator_refusal)i);
}

static void on_publish(void *arg)
{
    struct state *s = arg;

    core_metrics_set(s->metrics, authenticator_counts(s->core));
    core_metrics_set(s->refusals, authenticator_refusals(s->core));
    metric_set(&s->sessions, authenticator_sessions(s->core));
    metric_set(&s->late, authenticator_late(s->core));
    err e = loop_timer_at(&s->publish, loop_now_us(s->run->loop) + PUBLISH_US);
    (void)e; /* no memory for a timer: the figures stay as they are */
}

static void on_refused(void *arg, uint64_t meter, enum authenticator_refusal why)
{
    char id[METER_ID_CHARS + 1];

    (void)arg;
    meter_id_text(meter, id);
    LOG(LOG_WARN, "refused", "meter", id, "reason", authenticator_refusal_name(why), NULL);
}

static void on_hello_done(void *arg, struct hello_job *job)
{
    struct state *s = arg;

    authenticator_hello_done(s->core, loop_now_us(s->run->loop), job);
}

/* Without memory to hand a HELLO over it is worked here. */
static void on_work(void *arg, struct hello_job *job)
{
    struct state *s = arg;

    if (hello_pool_give(s->pool, job).code) {
        hello_job_run(job);
        on_hello_done(s, job);
    }
}

static void uplink_changed(void *arg, bool open)
{
    struct state *s = arg;

    service_ready(s->run, open, open ? "ready" : "the collector is away");
}

static err load_key(const char *path, struct private_key **out)
{
    AUTO(buf_wipe) struct buf pem = { .max = KEY_FILE_BYTES_MAX };

    TRY(buf_reserve(&pem, KEY_FILE_BYTES_MAX));
    TRY(file_read_private(path, &pem));
    return err_context(private_key_from_pem(buf_bytes(&pem), out), "%s", path);
}

static err make_metrics(struct state *s)
{
    s->sessions = (struct metric){ .kind = METRIC_GAUGE, .name = "meterseal_authenticator_sessions",
                                   .help = "meters with a session" };
    s->late = (struct metric){ .kind = METRIC_GAUGE, .name = "meterseal_authenticator_late",
                               .help = "meters that were silent for two intervals" };
    metric_register(&s->sessions);
    metric_register(&s->late);
    TRY(core_metrics_new("meterseal_authenticator", NULL, "events of the authenticator",
                         AUTHENTICATOR_COUNT, count_name, &s->metrics));
    return core_metrics_new("meterseal_authenticator_refused", "reason",
                            "what was refused, and why", AUTHENTICATOR_REFUSAL_COUNT, refusal_text,
                            &s->refusals);
}

static err make_core(struct service_run *run, struct state *s)
{
    static const char *const aggregator[] = { "aggregator", NULL };
    static const char *const collector[] = { "collector", NULL };
    const struct authenticator_config *c = run->config;
    const struct core_host_options host = {
        .ops = &authenticator_ops,
        .listen = c->listen,
        .listen_options = { .tls = run->tls, .peer_roles = aggregator,
                            .count_max = (size_t)c->links_max },
        .uplink = c->collector_address,
        .uplink_options = { .tls = run->tls, .peer_roles = collector },
        .uplink_changed = uplink_changed,
        .arg = s,
    };
    const struct authenticator_options options = {
        .own = s->session_key,
        .links_max = (size_t)c->links_max,
        .sessions_max = (size_t)c->sessions_max,
        .hello_rate = (size_t)c->hello_rate,
        .work = on_work,
        .refused = on_refused,
        .arg = s,
    };

    TRY(core_host_new(run->loop, &host, &s->host));
    return authenticator_new(core_host_host(s->host), &options, &s->core);
}

static err start(struct service_run *run)
{
    const struct authenticator_config *c = run->config;
    struct state *s = run->state;

    s->run = run;
    TRY(load_key(c->session_key_file, &s->session_key));
    TRY(make_metrics(s));
    TRY(hello_pool_new(run->loop, (size_t)c->hello_threads, on_hello_done, s, &s->pool));
    TRY(make_core(run, s));
    TRY(core_host_start(s->host, s->core));
    service_port(run, "aggregators", core_host_port(s->host));
    service_ready(run, false, "connecting to the collector");
    loop_timer_init(&s->publish, run->loop, on_publish, s);
    return loop_timer_at(&s->publish, loop_now_us(run->loop) + PUBLISH_US);
}

/* Jobs at work still belong to the core: they come back before it goes. */
static void wait_for_jobs(void *arg)
{
    struct state *s = arg;

    if (authenticator_jobs(s->core) > 0 &&
        !loop_timer_at(&s->patience, loop_now_us(s->run->loop) + 10000).code) {
        return;
    }
    s->done(s->done_arg);
}

/* Sessions are not kept: meters open new ones, here or at another authenticator. */
static void stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct state *s = run->state;

    s->done = done;
    s->done_arg = arg;
    loop_timer_cancel(&s->publish);
    loop_timer_init(&s->patience, run->loop, wait_for_jobs, s);
    core_host_stop(s->host, wait_for_jobs, s);
}

static void state_free(struct service_run *run)
{
    struct state *s = run->state;

    hello_pool_free(s->pool);
    core_host_free(s->host);
    authenticator_free(s->core);
    private_key_free(s->session_key);
}

const struct service authenticator_service = {
    .name = "authenticator",
    .help = "ends the sealed sessions of meters; hands clear blocks to the collector",
    .settings = { settings, sizeof settings / sizeof settings[0],
                  sizeof(struct authenticator_config) },
    .state_size = sizeof(struct state),
    .start = start,
    .stop = stop,
    .free = state_free,
};
