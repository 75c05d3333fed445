/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/aggregator/program.h"

#include "edge/aggregator/aggregator.h"
#include "lib/base/clock.h"
#include "lib/service/core_host.h"
#include "lib/service/core_metrics.h"

#define PUBLISH_US US_PER_S

struct aggregator_config {
    struct service_common common;
    const char *listen;
    const char *authenticator_address;
    uint64_t links_max;
    uint64_t meters_max;
    uint64_t idle_s;
};

static const struct setting settings[] = {
    SERVICE_COMMON_SETTINGS,
    { "listen", SETTING_ADDRESS, offsetof(struct aggregator_config, listen), "127.0.0.1:0", 0, 0,
      NULL, "where meters connect; plain TCP, frames are sealed end to end" },
    { "authenticator_address", SETTING_ADDRESS,
      offsetof(struct aggregator_config, authenticator_address), NULL, 0, 0, NULL,
      "the authenticator that frames go to, over TLS" },
    { "links_max", SETTING_UINT, offsetof(struct aggregator_config, links_max), "16384", 1, 65536,
      "connections", "connections of meters at once" },
    { "meters_max", SETTING_UINT, offsetof(struct aggregator_config, meters_max), "131072", 1,
      1048576, "meters", "meters whose place is remembered" },
    { "idle_s", SETTING_UINT, offsetof(struct aggregator_config, idle_s), "7200", 60, 604800, "s",
      "a meter connection without octets for this long is closed" },
};

struct state {
    struct service_run *run;
    struct core_host *host;
    struct aggregator *core;
    struct core_metrics *metrics;
    struct loop_timer publish;
};

static const char *count_name(unsigned i)
{
    return aggregator_count_name((enum aggregator_count)i);
}

static void on_publish(void *arg)
{
    struct state *s = arg;

    core_metrics_set(s->metrics, aggregator_counts(s->core));
    err e = loop_timer_at(&s->publish, loop_now_us(s->run->loop) + PUBLISH_US);
    (void)e; /* no memory for a timer: the figures stay as they are */
}

static void uplink_changed(void *arg, bool open)
{
    struct state *s = arg;

    service_ready(s->run, open, open ? "ready" : "the authenticator is away");
}

static err start(struct service_run *run)
{
    static const char *const authenticator[] = { "authenticator", NULL };
    const struct aggregator_config *c = run->config;
    struct state *s = run->state;
    const struct core_host_options host = {
        .ops = &aggregator_ops,
        .listen = c->listen,
        .listen_options = { .count_max = (size_t)c->links_max },
        .uplink = c->authenticator_address,
        .uplink_options = { .tls = run->tls, .peer_roles = authenticator },
        .uplink_changed = uplink_changed,
        .arg = s,
    };
    const struct aggregator_options options = { .links_max = (size_t)c->links_max,
                                                .meters_max = (size_t)c->meters_max,
                                                .idle_us = c->idle_s * US_PER_S };

    s->run = run;
    TRY(core_metrics_new("meterseal_aggregator", NULL, "events of the aggregator", AGGREGATOR_COUNT,
                         count_name, &s->metrics));
    TRY(core_host_new(run->loop, &host, &s->host));
    TRY(aggregator_new(core_host_host(s->host), &options, &s->core));
    TRY(core_host_start(s->host, s->core));
    service_port(run, "meters", core_host_port(s->host));
    service_ready(run, false, "connecting to the authenticator");
    loop_timer_init(&s->publish, run->loop, on_publish, s);
    return loop_timer_at(&s->publish, loop_now_us(run->loop) + PUBLISH_US);
}

/* What meters sent and nobody acknowledged they send again: there is nothing to finish. */
static void stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct state *s = run->state;

    loop_timer_cancel(&s->publish);
    core_host_stop(s->host, done, arg);
}

static void state_free(struct service_run *run)
{
    struct state *s = run->state;

    core_host_free(s->host);
    aggregator_free(s->core);
}

const struct service aggregator_service = {
    .name = "aggregator",
    .help = "bridges meters to an authenticator; reads headers only",
    .settings = { settings, sizeof settings / sizeof settings[0],
                  sizeof(struct aggregator_config) },
    .state_size = sizeof(struct state),
    .start = start,
    .stop = stop,
    .free = state_free,
};
