/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <uv.h>

#include "cli/cli.h"
#include "cli/installation.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

enum child_state { CHILD_WAITING, CHILD_RUNNING, CHILD_STOPPING, CHILD_ENDED };

struct child {
    const struct installed_service *service;
    struct supervisor *owner;
    enum child_state state;
    uv_process_t process;
    uv_timer_t timer; /* restart while waiting, patience while stopping */
    uint64_t started_us;
    unsigned fast_failures;
    bool killed; /* the last end was by a signal */
};

struct supervisor {
    const struct place *place;
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct child children[INSTALLED_COUNT];
    bool stopping;
    int lock_fd;
    const char *given_up; /* name of the service that could not be kept running */
};

static void child_start(struct child *c);
static void stop_next(struct supervisor *s);

static void write_pid(const struct child *c, int pid)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d\n", pid);
    struct place_path path = place_path(c->owner->place, "run/%s.pid", c->service->name);

    err e = file_write(path.text, (struct bytes){ (const uint8_t *)text, (size_t)n }, 0644);
    if (e.code) {
        log_error(LOG_WARN, "pid_file", e);
    }
}

static uint64_t restart_delay_ms(const struct child *c)
{
    uint64_t ms = RESTART_FIRST_MS;

    for (unsigned i = 1; i < c->fast_failures && ms < RESTART_LAST_MS; i++) {
        ms *= 2;
    }
    return ms < RESTART_LAST_MS ? ms : RESTART_LAST_MS;
}

static void on_restart(uv_timer_t *t)
{
    child_start(t->data);
}

/* A service that ended by itself: soon again. Only one that says itself that it cannot run (exit
 * status 1, e.g. a port in use) is given up; what is killed or crashes is always started again. */
static void child_ended(struct child *c)
{
    uint64_t ran_ms = (time_monotonic_us() - c->started_us) / 1000;

    c->fast_failures = ran_ms >= STEADY_MS ? 1 : c->fast_failures + 1;
    if (c->fast_failures > FAST_FAILURES_MAX && !c->killed) {
        c->state = CHILD_ENDED;
        c->owner->given_up = c->service->name;
        log_event(LOG_ERROR, "gave_up", "service", c->service->name, NULL);
        c->owner->stopping = true;
        stop_next(c->owner);
        return;
    }
    c->state = CHILD_WAITING;
    uv_timer_start(&c->timer, on_restart, restart_delay_ms(c), 0);
}

static void on_exit_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;

    if (c->owner->stopping) {
        c->state = CHILD_ENDED;
        stop_next(c->owner);
        return;
    }
    child_ended(c);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *c = process->data;

    log_event(c->owner->stopping ? LOG_INFO : LOG_WARN, "service_ended", "service",
              c->service->name, "status", log_num(status), "signal", log_num(signal_number), NULL);
    c->killed = signal_number != 0;
    uv_timer_stop(&c->timer);
    uv_close((uv_handle_t *)process, on_exit_closed);
}

static int spawn(struct child *c, const char *program, const char *settings, int log_fd)
{
    char *args[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)"--config",
                     (char *)(uintptr_t)settings, NULL };
    /* Nothing comes by the environment: settings are files, secrets are files. */
    char *environment[] = { (char *)(uintptr_t)"LC_ALL=C.UTF-8", NULL };
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = log_fd },
        { .flags = UV_INHERIT_FD, .data.fd = log_fd },
    };
    uv_process_options_t options = {
        .file = program,
        .args = args,
        .env = environment,
        .cwd = c->owner->place->dir,
        .exit_cb = on_child_exit,
        .stdio = stdio,
        .stdio_count = 3,
    };

    c->process.data = c;
    return uv_spawn(&c->owner->loop, &c->process, &options);
}

static void child_start(struct child *c)
{
    const struct place *p = c->owner->place;
    struct place_path program;
    struct place_path log = place_path(p, "log/%s.log", c->service->name);
    struct place_path settings = place_path(p, "etc/%s.yaml", c->service->name);

    c->started_us = time_monotonic_us();
    err e = cli_program(c->service->name, &program);
    int fd = open(log.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int rc = e.code || fd < 0 ? UV_EIO : spawn(c, program.text, settings.text, fd);
    if (fd >= 0) {
        close(fd);
    }
    if (rc != 0) {
        log_event(LOG_ERROR, "cannot_start", "service", c->service->name, "reason",
                  e.code ? err_text() : uv_strerror(rc), NULL);
        child_ended(c);
        return;
    }
    c->state = CHILD_RUNNING;
    write_pid(c, c->process.pid);
    log_event(LOG_INFO, "service_started", "service", c->service->name, "pid",
              log_num(c->process.pid), NULL);
}

static void on_patience_over(uv_timer_t *t)
{
    struct child *c = t->data;

    log_event(LOG_ERROR, "service_killed", "service", c->service->name, NULL);
    uv_process_kill(&c->process, SIGKILL);
}

static void close_everything(struct supervisor *s)
{
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        uv_close((uv_handle_t *)&s->children[i].timer, NULL);
    }
    for (size_t i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    }
}

/* Stops the last service that still runs: aggregator first, store last. */
static void stop_next(struct supervisor *s)
{
    for (size_t i = INSTALLED_COUNT; i-- > 0;) {
        struct child *c = &s->children[i];
        if (c->state == CHILD_STOPPING) {
            return;
        }
        if (c->state == CHILD_WAITING) {
            uv_timer_stop(&c->timer);
            c->state = CHILD_ENDED;
        }
        if (c->state == CHILD_RUNNING) {
            c->state = CHILD_STOPPING;
            uv_process_kill(&c->process, SIGTERM);
            uv_timer_start(&c->timer, on_patience_over, STOP_PATIENCE_MS, 0);
            return;
        }
    }
    close_everything(s);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *s = handle->data;

    if (!s->stopping) {
        s->stopping = true;
        log_event(LOG_INFO, "stopping", "signal", log_num(number), NULL);
        stop_next(s);
    }
}

static err lock_read_pid(const struct place *p, int fd, int *out)
{
    char text[16];
    uint64_t pid;
    ssize_t n = pread(fd, text, sizeof text, 0);

    if (n <= 1) {
        FAIL(ERR_MISSING, "%s: no pid in run/lock", p->dir);
    }
    TRY(decimal_parse((struct bytes){ (const uint8_t *)text, (size_t)n - 1 }, INT32_MAX, &pid));
    if (pid <= 1) { /* a signal to 0 would reach our own process group */
        FAIL(ERR_CORRUPT, "%s: run/lock has no pid of a supervisor", p->dir);
    }
    *out = (int)pid;
    return OK;
}

static err lock_take(const struct place *p, int *out_fd)
{
    struct place_path path = place_path(p, "run/lock");
    int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int pid = 0;

    if (fd < 0) {
        FAIL(ERR_IO, "%s: %s", path.text, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err ignored = lock_read_pid(p, fd, &pid);
        (void)ignored;
        close(fd);
        FAIL(ERR_CONFLICT, "%s is already up (pid %d); see: meterseal status --dir %s", p->dir, pid,
             p->dir);
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        close(fd);
        FAIL(ERR_IO, "%s: %s", path.text, strerror(errno));
    }
    *out_fd = fd;
    return OK;
}

err supervisor_pid(const struct place *p, int *out)
{
    struct place_path path = place_path(p, "run/lock");
    int fd = open(path.text, O_RDONLY | O_CLOEXEC);
    err e = OK;

    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0) {
        err_set(__FILE__, __LINE__, "%s is not up; start it with: meterseal up --dir %s", p->dir,
                p->dir);
        e = (err){ ERR_MISSING };
    } else {
        e = lock_read_pid(p, fd, out);
    }
    if (fd >= 0) {
        close(fd);
    }
    return e;
}

static void start_all(struct supervisor *s)
{
    static const int numbers[2] = { SIGTERM, SIGINT };

    uv_loop_init(&s->loop);
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        struct child *c = &s->children[i];
        *c = (struct child){ .service = &installed_services[i], .owner = s };
        uv_timer_init(&s->loop, &c->timer);
        c->timer.data = c;
    }
    for (size_t i = 0; i < INSTALLED_COUNT && !s->stopping; i++) {
        child_start(&s->children[i]);
    }
}

/* The last error in a service's log says why it could not run; every service ends its log with an
 * exit line that says nothing more. */
static err explain_failure(const struct place *p, const char *service)
{
    struct place_path path = place_path(p, "log/%s.log", service);
    char line[2048];
    char words[2048] = "its log says nothing";
    FILE *f = fopen(path.text, "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strstr(line, "level=error") != NULL || strncmp(line, "ts=", 3) != 0) {
            snprintf(words, sizeof words, "%s", line);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    words[strcspn(words, "\n")] = '\0';
    FAIL(ERR_IO, "%s cannot run: %s (log: %s)", service, words, path.text);
}

err supervise(const struct place *p)
{
    struct supervisor s = { .place = p };

    TRY(lock_take(p, &s.lock_fd));
    log_event(LOG_WARN, "insecure", "tee", "sim", "reason",
              "attestation is simulated: for development only", NULL);
    start_all(&s);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    uv_loop_close(&s.loop);
    close(s.lock_fd);
    if (s.given_up != NULL) {
        return explain_failure(p, s.given_up);
    }
    return OK;
}
