/* SPDX-License-Identifier: Apache-2.0 */
/* A small service as a process of its own: what it prints, serves and returns. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/net/http_client.h"
#include "lib/net/test_pki.h"
#include "lib/service/service.h"

static struct test_pki pki;

struct sample_config {
    struct service_common common;
    const char *mode;
};

struct sample_state {
    struct loop_timer timer;
    void (*done)(void *arg);
    void *done_arg;
    bool started;
};

static const struct setting table[] = {
    SERVICE_COMMON_SETTINGS,
    { "mode", SETTING_TEXT, offsetof(struct sample_config, mode), "good", 0, 0, NULL,
      "what it does" },
};

static void later(void *arg)
{
    struct service_run *run = arg;
    const struct sample_config *c = run->config;
    struct sample_state *s = run->state;

    if (s->done != NULL) {
        s->done(s->done_arg);
        return;
    }
    if (strcmp(c->mode, "fatal") == 0) {
        err_set("test", 0, "the disk is gone");
        service_fatal(run, (err){ ERR_IO });
        return;
    }
    service_port(run, "main", 12345);
    service_ready(run, true, "all is well");
}

static err sample_start(struct service_run *run)
{
    const struct sample_config *c = run->config;
    struct sample_state *s = run->state;

    if (strcmp(c->mode, "bad") == 0) {
        FAIL(ERR_CONFLICT, "another one runs already");
    }
    s->started = true;
    service_ready(run, false, "warming up");
    loop_timer_init(&s->timer, run->loop, later, run);
    return loop_timer_at(&s->timer, loop_now_us(run->loop) + 1000);
}

static void sample_stop(struct service_run *run, void (*done)(void *arg), void *arg)
{
    struct sample_state *s = run->state;

    s->done = done;
    s->done_arg = arg;
    if (loop_timer_at(&s->timer, loop_now_us(run->loop) + 5000).code) {
        done(arg);
    }
}

static void sample_free(struct service_run *run)
{
    struct sample_state *s = run->state;

    if (s->started) {
        loop_timer_cancel(&s->timer);
    }
}

static const struct service sample = {
    .name = "sample",
    .help = "does nothing much",
    .settings = { table, sizeof table / sizeof table[0], sizeof(struct sample_config) },
    .state_size = sizeof(struct sample_state),
    .start = sample_start,
    .stop = sample_stop,
    .free = sample_free,
};

/* ---- the process ---- */

struct child {
    pid_t pid;
    char log[128], ports[128];
};

static struct buf said = { .max = 1u << 20 }; /* what the newest file had */

static void child_begin(struct child *c, const char *const *options)
{
    snprintf(c->log, sizeof c->log, "%s/log", pki.dir);
    snprintf(c->ports, sizeof c->ports, "%s/ports", pki.dir);
    unlink(c->ports);
    fflush(NULL);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid > 0) {
        return;
    }
    char argv_text[10][256];
    char *argv[12] = { argv_text[0] };
    int argc = 1;
    snprintf(argv_text[0], sizeof argv_text[0], "sample");
    for (; options[argc - 1] != NULL && argc < 10; argc++) {
        snprintf(argv_text[argc], sizeof argv_text[argc], "%s", options[argc - 1]);
        argv[argc] = argv_text[argc];
    }
    int fd = open(c->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    int code = service_main(&sample, argc, argv);
    fflush(NULL);
    _exit(code);
}

static void nap(void)
{
    const struct timespec t = { 0, 5000000 };

    nanosleep(&t, NULL);
}

/* A line of the port file; waits until the service is ready. */
static unsigned child_port(struct child *c, const char *name)
{
    char want[64];
    unsigned port = 0;

    snprintf(want, sizeof want, "%s %%u", name);
    for (int i = 0; i < 2000; i++) {
        buf_clear(&said);
        if (!file_read(c->ports, &said).code) {
            assert_ok(buf_u8(&said, 0));
            const char *line = strstr((const char *)said.ptr, name);
            if (line != NULL && sscanf(line + strlen(name), " %u", &port) == 1) {
                return port;
            }
        }
        assert_int_equal(waitpid(c->pid, NULL, WNOHANG), 0);
        nap();
    }
    fail_msg("never ready");
    return 0;
}

static int child_end(struct child *c)
{
    int status = 0;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status));
    buf_clear(&said);
    assert_ok(file_read(c->log, &said));
    assert_ok(buf_u8(&said, 0));
    return WEXITSTATUS(status);
}

static void assert_said(const char *words)
{
    if (strstr((const char *)said.ptr, words) == NULL) {
        fail_msg("'%s' is not in:\n%s", words, (const char *)said.ptr);
    }
}

static const char *config_file(const char *mode)
{
    static char path[128];
    char yaml[512];

    test_pki_files(&pki, "sample");
    snprintf(path, sizeof path, "%s/sample.yaml", pki.dir);
    snprintf(yaml, sizeof yaml,
             "tls_certificate: sample.pem\ntls_key: sample.key\ntls_ca: ca.pem\n"
             "port_file: ports\nmode: %s\n", mode);
    assert_ok(file_write(path, bytes_of_string(yaml), 0600));
    return path;
}

static unsigned ask(unsigned port, const char *target, struct buf *body)
{
    struct http_client *client;
    char url[64];
    unsigned status = 0;

    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    assert_ok(http_client_new(NULL, &(struct http_client_options){ .base_url = url }, &client));
    buf_clear(body);
    assert_ok(http_call(client, &(struct http_call){ .method = "GET", .target = target }, &status, body));
    assert_ok(buf_u8(body, 0));
    http_client_free(client);
    return status;
}

/* ---- tests ---- */

static void a_service_starts_serves_health_and_stops_in_order(void **state)
{
    struct child c;
    struct buf body = { .max = 1u << 20 };
    const char *const options[] = { "--config", config_file("good"), NULL };

    (void)state;
    child_begin(&c, options);
    assert_int_equal(child_port(&c, "main"), 12345);
    unsigned port = child_port(&c, "health");
    assert_int_equal(ask(port, "/healthz", &body), 200);
    assert_string_equal((const char *)body.ptr, "ok\n");
    assert_int_equal(ask(port, "/readyz", &body), 200);
    assert_int_equal(ask(port, "/metrics", &body), 200);
    assert_non_null(strstr((const char *)body.ptr, "process_cpu_seconds_total"));
    assert_int_equal(ask(port, "/else", &body), 404);
    kill(c.pid, SIGTERM);
    assert_int_equal(child_end(&c), 0);
    assert_said("event=start");
    assert_said("level=warn svc=sample event=insecure tee=sim");
    assert_said("event=measured tee=sim code=");
    assert_said("event=ready");
    assert_said("event=stop reason=signal");
    assert_said("event=exit code=0");
    buf_done(&body);
}

static void a_fatal_error_stops_in_order_and_exits_1(void **state)
{
    struct child c;
    const char *const options[] = { "--config", config_file("fatal"), NULL };

    (void)state;
    child_begin(&c, options);
    assert_int_equal(child_end(&c), 1);
    assert_said("event=fatal code=io error=\"the disk is gone\"");
    assert_said("event=exit code=1");
}

static void a_start_that_fails_says_why_and_exits_1(void **state)
{
    struct child c;
    const char *config = config_file("bad");
    const char *const bad[] = { "--config", config, NULL };
    const char *const no_key[] = { "--config", config, "--tls-key=/nonexistent/key", NULL };
    const char *const outside[] = { "--config", config, "--health-listen=0.0.0.0:0", NULL };
    const char *const level[] = { "--config", config, "--log-level=loud", NULL };
    const char *const tee[] = { "--config", config, "--tee=none", NULL };

    (void)state;
    child_begin(&c, bad);
    assert_int_equal(child_end(&c), 1);
    assert_said("another one runs already");
    child_begin(&c, no_key);
    assert_int_equal(child_end(&c), 1);
    assert_said("/nonexistent/key: no such file");
    child_begin(&c, outside);
    assert_int_equal(child_end(&c), 1);
    assert_said("health_listen must be on loopback");
    child_begin(&c, level);
    assert_int_equal(child_end(&c), 1);
    assert_said("log_level must be");
    child_begin(&c, tee);
    assert_int_equal(child_end(&c), 1);
    assert_said("event=start_failed code=missing");
}

static void wrong_settings_exit_1_with_one_line(void **state)
{
    struct child c;
    const char *const none[] = { "--mode=good", NULL };
    const char *const unknown[] = { "--config", config_file("good"), "--colour=red", NULL };
    const char *const absent[] = { "--config=/nonexistent/x.yaml", NULL };

    (void)state;
    child_begin(&c, none);
    assert_int_equal(child_end(&c), 1);
    assert_said("sample: setting 'tls_certificate' must be given");
    child_begin(&c, unknown);
    assert_int_equal(child_end(&c), 1);
    assert_said("option '--colour=red' is not known");
    child_begin(&c, absent);
    assert_int_equal(child_end(&c), 1);
    assert_said("/nonexistent/x.yaml: no such file");
}

static void wrong_usage_exits_2(void **state)
{
    struct child c;
    const char *const stray[] = { "go", NULL };
    const char *const half[] = { "--config", NULL };

    (void)state;
    child_begin(&c, stray);
    assert_int_equal(child_end(&c), 2);
    assert_said("see sample --help");
    child_begin(&c, half);
    assert_int_equal(child_end(&c), 2);
}

static void help_version_and_settings_are_printed(void **state)
{
    struct child c;
    const char *const help[] = { "--help", NULL };
    const char *const version[] = { "--version", NULL };
    const char *const markdown[] = { "--settings-markdown", NULL };

    (void)state;
    child_begin(&c, help);
    assert_int_equal(child_end(&c), 0);
    assert_said("sample: does nothing much");
    assert_said("--health-listen=HOST:PORT");
    child_begin(&c, version);
    assert_int_equal(child_end(&c), 0);
    assert_said("sample 0.");
    child_begin(&c, markdown);
    assert_int_equal(child_end(&c), 0);
    assert_said("| `mode` | `good` |");
}

static int begin(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_pki_end(&pki);
    buf_done(&said);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_starts_serves_health_and_stops_in_order),
        cmocka_unit_test(a_fatal_error_stops_in_order_and_exits_1),
        cmocka_unit_test(a_start_that_fails_says_why_and_exits_1),
        cmocka_unit_test(wrong_settings_exit_1_with_one_line),
        cmocka_unit_test(wrong_usage_exits_2),
        cmocka_unit_test(help_version_and_settings_are_printed),
    };
    return cmocka_run_group_tests_name("service", tests, begin, end);
}
