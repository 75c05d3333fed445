/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/up.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/health.h"
#include "cli/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define POLL_US 50000

static const char up_usage[] =
    "usage: meterseal up [--dir DIR] [--foreground] [--json]\n\n"
    "Starts all services of DIR on 127.0.0.1 and keeps them running: one that ends is started\n"
    "again. Returns when all are ready; --foreground stays and logs to stderr.\n";
static const char down_usage[] =
    "usage: meterseal down [--dir DIR]\n\n"
    "Stops the services of DIR, the meters' side first, the store last.\n";

/* A process of its own session, logging to DIR/log/supervisor.log. */
static err spawn_supervisor(const struct place *p, pid_t *out)
{
    struct place_path log = place_path(p, "log/supervisor.log");
    int fd = open(log.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || null_fd < 0) {
        FAIL(ERR_IO, "%s: %s", log.text, strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        dup2(null_fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execl("/proc/self/exe", "meterseal", "up", "--foreground", "--dir", p->dir, (char *)NULL);
        _exit(EXIT_FAILED);
    }
    close(fd);
    close(null_fd);
    if (pid < 0) {
        FAIL(ERR_IO, "cannot start a process: %s", strerror(errno));
    }
    *out = pid;
    return OK;
}

static bool all_ready(const struct place *p, char *out_waiting, size_t size)
{
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        struct service_health h = health_of(p, &installed_services[i]);
        if (!h.ready) {
            snprintf(out_waiting, size, "%s", installed_services[i].name);
            return false;
        }
    }
    return true;
}

/* Why a supervisor ended at once is the last line of its log or of the service it names. */
static err explain_end(const struct place *p)
{
    char line[1024] = "";
    FILE *f = fopen(place_path(p, "log/supervisor.log").text, "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
    }
    if (f != NULL) {
        fclose(f);
    }
    line[strcspn(line, "\n")] = '\0';
    FAIL(ERR_IO, "the services could not be started: %s", line);
}

/* Services whose supervisor was killed go on, and those of another directory may have the ports:
 * new ones could not start beside them, and must not be taken for ready. */
static err refuse_strangers(const struct place *p)
{
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        const struct installed_service *s = &installed_services[i];
        struct service_health h = health_of(p, s);
        if (h.alive && h.pid > 0 && kill(h.pid, 0) == 0) {
            FAIL(ERR_CONFLICT, "%s still runs without a supervisor (pid %d); end all services of "
                 "%s first: kill the pids in %s/run", s->name, h.pid, p->dir, p->dir);
        }
        if (h.alive) {
            FAIL(ERR_CONFLICT, "%s, the health port of %s, is taken by another program, perhaps "
                 "another installation; end it, or make this one with meterseal init --first-port",
                 place_address(p, PLACE_HEALTH + s->port).text, s->name);
        }
    }
    return OK;
}

err installation_up(const struct place *p)
{
    uint64_t until = time_monotonic_us() + UP_PATIENCE_S * US_PER_S;
    char waiting[32] = "";
    pid_t pid;
    int running;

    err e = supervisor_pid(p, &running);
    if (!e.code) {
        FAIL(ERR_CONFLICT, "%s is already up (pid %d); see: meterseal status --dir %s", p->dir,
             running, p->dir);
    }
    TRY(refuse_strangers(p));
    TRY(spawn_supervisor(p, &pid));
    while (!all_ready(p, waiting, sizeof waiting)) {
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            return explain_end(p);
        }
        if (time_monotonic_us() > until) {
            kill(pid, SIGTERM);
            waitpid(pid, NULL, 0);
            FAIL(ERR_IO, "%s is not ready after %d s; its log is %s", waiting, UP_PATIENCE_S,
                 place_path(p, "log/%s.log", waiting).text);
        }
        usleep(POLL_US);
    }
    return OK;
}

err installation_down(const struct place *p)
{
    uint64_t until = time_monotonic_us() + DOWN_PATIENCE_S * US_PER_S;
    int pid;
    int now;

    TRY(supervisor_pid(p, &pid));
    if (kill(pid, SIGTERM) != 0 && errno != ESRCH) {
        FAIL(ERR_AUTH, "cannot stop pid %d: %s", pid, strerror(errno));
    }
    while (!supervisor_pid(p, &now).code) {
        /* Our own child when this process started it: its end must be collected. */
        waitpid(pid, NULL, WNOHANG);
        if (time_monotonic_us() > until) {
            FAIL(ERR_IO, "pid %d does not stop; see %s", pid,
                 place_path(p, "log/supervisor.log").text);
        }
        usleep(POLL_US);
    }
    return OK;
}

static int supervise_here(const struct place *p)
{
    log_start("supervisor", LOG_INFO);
    err e = supervise(p);
    return e.code ? cli_fail(e) : EXIT_DONE;
}

int verb_up(int argc, char **argv)
{
    bool foreground = false;
    const struct option_spec specs[] = { { "foreground", &foreground, NULL } };
    struct options o;
    struct place p;
    int count;

    err e = cli_options(argc, argv, specs, 1, &o, &count);
    if (e.code || count > 0) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(up_usage);
    }
    if (o.help) {
        printf("%s", up_usage);
        return EXIT_DONE;
    }
    e = place_open(o.dir, &p);
    if (!e.code && foreground) {
        return supervise_here(&p);
    }
    if (!e.code) {
        e = installation_up(&p);
    }
    if (e.code) {
        return cli_fail(e);
    }
    char *status_argv[] = { (char *)(uintptr_t)"--dir", p.dir, (char *)(uintptr_t)"--json" };
    return verb_status(o.json ? 3 : 2, status_argv);
}

int verb_down(int argc, char **argv)
{
    struct options o;
    struct place p;
    int count;

    err e = cli_options(argc, argv, NULL, 0, &o, &count);
    if (e.code || count > 0) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(down_usage);
    }
    if (o.help) {
        printf("%s", down_usage);
        return EXIT_DONE;
    }
    e = place_open(o.dir, &p);
    if (!e.code) {
        e = installation_down(&p);
    }
    return e.code ? cli_fail(e) : EXIT_DONE;
}
