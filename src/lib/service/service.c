/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/service.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/http_server.h"
#include "lib/service/metrics.h"
#include "lib/tee/tee.h"

#define STOP_US (30 * US_PER_S)
#define PORT_COUNT_MAX 16
#define METRICS_BYTES_MAX (1u << 20)
#define HEALTH_CONNECTIONS_MAX 64

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct port {
    const char *name;
    unsigned number;
};

struct process {
    struct service_run run; /* first: services hold a pointer to it */
    const struct service *service;
    const struct service_common *common;
    struct http_server *health;
    struct port ports[PORT_COUNT_MAX];
    size_t port_count;
    struct loop_task ports_task;
    bool ports_due;
    struct loop_timer patience;
    bool ready, started, stopping;
    const char *reason;
    int exit_code;
};

static struct process *process_of(struct service_run *run)
{
    return (struct process *)(void *)run;
}

/* ---- ports ---- */

static void ports_write(void *arg)
{
    struct process *p = arg;
    AUTO(buf_done) struct buf text = { .max = 4096 };
    err e = OK;

    p->ports_due = false;
    if (!p->ready || p->common->port_file[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < p->port_count && !e.code; i++) {
        e = buf_printf(&text, "%s %u\n", p->ports[i].name, p->ports[i].number);
    }
    if (!e.code) {
        e = file_write(p->common->port_file, buf_bytes(&text), 0600);
    }
    if (e.code) {
        service_fatal(&p->run, e);
    }
}

static void ports_changed(struct process *p)
{
    if (!p->ports_due) {
        p->ports_due = true;
        p->ports_task = (struct loop_task){ .run = ports_write, .arg = p };
        loop_post(p->run.loop, &p->ports_task);
    }
}

void service_port(struct service_run *run, const char *name, unsigned port)
{
    struct process *p = process_of(run);

    assert(p->port_count < PORT_COUNT_MAX);
    p->ports[p->port_count++] = (struct port){ name, port };
    LOG(LOG_INFO, "listen", "name", name, "port", log_num(port), NULL);
    ports_changed(p);
}

void service_ready(struct service_run *run, bool ready, const char *reason)
{
    struct process *p = process_of(run);

    p->reason = reason;
    if (ready == p->ready || p->stopping) {
        return;
    }
    p->ready = ready;
    LOG(LOG_INFO, ready ? "ready" : "not_ready", "reason", reason != NULL ? reason : "", NULL);
    if (ready) {
        ports_changed(p);
    }
}

/* ---- health ---- */

static void on_healthz(void *arg, struct http_exchange *x)
{
    (void)arg;
    http_answer(x, 200, "text/plain", BYTES_LIT("ok\n"));
}

static void on_readyz(void *arg, struct http_exchange *x)
{
    const struct process *p = arg;
    char text[256];

    int n = snprintf(text, sizeof text, "%s\n", p->ready         ? "ready"
                                                : p->reason != NULL ? p->reason
                                                                    : "starting");
    size_t len = n > 0 && (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    http_answer(x, p->ready ? 200 : 503, "text/plain", (struct bytes){ (uint8_t *)text, len });
}

static void on_metrics(void *arg, struct http_exchange *x)
{
    AUTO(buf_done) struct buf text = { .max = METRICS_BYTES_MAX };
    err e = metrics_write(&text);

    (void)arg;
    if (e.code) {
        http_answer_error(x, e);
        return;
    }
    http_answer(x, 200, "text/plain; version=0.0.4", buf_bytes(&text));
}

static const struct http_route health_routes[] = {
    { "GET", "/healthz", 0, on_healthz, NULL },
    { "GET", "/readyz", 0, on_readyz, NULL },
    { "GET", "/metrics", 0, on_metrics, NULL },
    { NULL, NULL, 0, NULL, NULL },
};

/* It speaks plain HTTP, so only this machine may hear it. */
static err check_loopback(const char *address)
{
    static const char *const loopback[] = { "127.", "localhost:", "[::1]:" };

    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        if (strncmp(address, loopback[i], strlen(loopback[i])) == 0) {
            return OK;
        }
    }
    FAIL(ERR_PROTO, "health_listen must be on loopback, such as 127.0.0.1:9080, not %s", address);
}

static err health_start(struct process *p)
{
    const struct http_server_options o = {
        .stream = { .count_max = HEALTH_CONNECTIONS_MAX },
        .routes = health_routes,
        .arg = p,
    };

    TRY(check_loopback(p->common->health_listen));
    TRY(http_server_start(p->run.loop, p->common->health_listen, &o, &p->health));
    service_port(&p->run, "health", http_server_port(p->health));
    return OK;
}

/* ---- stopping ---- */

static void on_patience_over(void *arg)
{
    struct process *p = arg;

    LOG(LOG_ERROR, "stop_timeout", "seconds", log_num(STOP_US / US_PER_S), NULL);
    p->exit_code = EXIT_FAILED;
    loop_stop(p->run.loop);
}

static void on_health_stopped(void *arg)
{
    struct process *p = arg;

    loop_stop(p->run.loop);
}

static void on_service_stopped(void *arg)
{
    struct process *p = arg;

    http_server_stop(p->health, on_health_stopped, p);
}

static void stop(struct process *p, const char *reason)
{
    if (p->stopping) {
        return;
    }
    LOG(LOG_INFO, "stop", "reason", reason, NULL);
    p->ready = false;
    p->reason = "stopping";
    p->stopping = true;
    if (!p->started) {
        loop_stop(p->run.loop);
        return;
    }
    if (loop_timer_at(&p->patience, loop_now_us(p->run.loop) + STOP_US).code) {
        on_patience_over(p);
        return;
    }
    p->service->stop(&p->run, on_service_stopped, p);
}

static void on_signal(void *arg)
{
    stop(arg, "signal");
}

void service_fatal(struct service_run *run, err e)
{
    struct process *p = process_of(run);

    log_error(LOG_ERROR, "fatal", e);
    p->exit_code = EXIT_FAILED;
    stop(p, "fatal");
}

/* ---- hardening ---- */

/* No core dumps, no debugger of the same user, no file for others. A library OS may lack prctl:
 * there the enclave does its work. */
static void harden(void)
{
    const struct rlimit none = { 0, 0 };

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static err log_level_of(const char *name, enum log_level *out)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum log_level)i;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "log_level must be debug, info, warn or error, and is '%s'", name);
}

static err tee_start(const char *name)
{
    const struct tee_provider *provider;
    struct digest measurement;
    char hex[2 * sizeof measurement.octets + 1];

    TRY(tee_open(name, &provider));
    TRY(provider->measure(&measurement));
    hex_encode(BYTES_OF(measurement.octets), hex);
    LOG(LOG_INFO, "measured", "tee", name, "code", hex, NULL);
    if (!provider->secure) {
        LOG(LOG_WARN, "insecure", "tee", name, "message",
            "INSECURE: this provider proves nothing; for development only", NULL);
    }
    return OK;
}

/* ---- running ---- */

static err start(struct process *p)
{
    const struct service_common *c = p->common;
    const struct tls_files files = { c->tls_certificate, c->tls_key, c->tls_ca };

    TRY(tee_start(c->tee));
    TRY(tls_new(&files, &p->run.tls));
    TRY(loop_new(&p->run.loop));
    loop_timer_init(&p->patience, p->run.loop, on_patience_over, p);
    TRY(loop_on_signal(p->run.loop, SIGTERM, on_signal, p));
    TRY(loop_on_signal(p->run.loop, SIGINT, on_signal, p));
    TRY(health_start(p));
    p->run.state = mem_take(p->service->state_size);
    if (p->run.state == NULL) {
        FAIL(ERR_LIMIT, "no memory for the service");
    }
    TRY(p->service->start(&p->run));
    p->started = true;
    return OK;
}

/* Streams tell their owners that they end while the owners are still there. */
static void finish(struct process *p)
{
    if (p->run.loop != NULL) {
        loop_end(p->run.loop);
    }
    if (p->run.state != NULL && p->service->free != NULL) {
        p->service->free(&p->run);
    }
    http_server_free(p->health);
    loop_free(p->run.loop);
    tls_free(p->run.tls);
    mem_give(p->run.state);
}

static int run(const struct service *s, const void *config)
{
    struct process p = { .run = { .config = config }, .service = s, .common = config };
    enum log_level level;

    err e = log_level_of(p.common->log_level, &level);
    log_start(s->name, e.code ? LOG_INFO : level);
    LOG(LOG_INFO, "start", "version", METERSEAL_VERSION, NULL);
    if (!e.code) {
        e = start(&p);
    }
    if (e.code) {
        log_error(LOG_ERROR, "start_failed", e);
        p.exit_code = EXIT_FAILED;
    } else {
        e = loop_run(p.run.loop);
        if (!e.code && !p.stopping) {
            err_set(__FILE__, __LINE__, "the loop has nothing left to wait for");
            e = (err){ ERR_CLOSED };
        }
        if (e.code) {
            log_error(LOG_ERROR, "loop_failed", e);
            p.exit_code = EXIT_FAILED;
        }
    }
    finish(&p);
    LOG(LOG_INFO, "exit", "code", log_num(p.exit_code), NULL);
    return p.exit_code;
}

/* ---- the command line ---- */

static int print_text(const struct service *s, err (*write)(const struct settings *, struct buf *),
                      bool usage)
{
    AUTO(buf_done) struct buf text = { .max = 1u << 20 };

    if (write(&s->settings, &text).code) {
        fprintf(stderr, "%s: %s\n", s->name, err_text());
        return EXIT_FAILED;
    }
    if (usage) {
        printf("%s: %s\n\nusage: %s --config FILE [--setting=value ...]\n"
               "       %s --help | --version | --settings-markdown\n\nsettings:\n",
               s->name, s->help, s->name, s->name);
    }
    fwrite(text.ptr, 1, text.len, stdout);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int wrong_usage(const struct service *s, const char *what)
{
    fprintf(stderr, "%s: %s; see %s --help\n", s->name, what, s->name);
    return EXIT_USAGE;
}

/* Takes --config out; the rest are settings. */
static int take_config_option(int argc, char **argv, const char **path, int *rest)
{
    *rest = 0;
    *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0) {
            *path = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 == argc) {
                return EXIT_USAGE;
            }
            *path = argv[++i];
        } else {
            argv[1 + (*rest)++] = argv[i];
        }
    }
    return EXIT_DONE;
}

int service_main(const struct service *s, int argc, char **argv)
{
    const char *path;
    int rest;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return print_text(s, settings_help, true);
    }
    if (argc == 2 && strcmp(argv[1], "--settings-markdown") == 0) {
        return print_text(s, settings_markdown, false);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", s->name, METERSEAL_VERSION);
        return EXIT_DONE;
    }
    if (take_config_option(argc, argv, &path, &rest) != EXIT_DONE) {
        return wrong_usage(s, "--config needs a file");
    }
    for (int i = 1; i <= rest; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || strchr(argv[i], '=') == NULL) {
            return wrong_usage(s, "options have the form --name=value");
        }
    }
    harden();
    void *config = mem_take(s->settings.config_size);
    if (config == NULL || settings_load(&s->settings, path, rest, argv + 1, config).code) {
        fprintf(stderr, "%s: %s\n", s->name, config != NULL ? err_text() : "no memory");
        mem_give(config);
        return EXIT_FAILED;
    }
    int code = run(s, config);
    settings_done(&s->settings, config);
    mem_give(config);
    return code;
}
