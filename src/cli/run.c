/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

/* exec takes the arguments as if it might write to them; it does not. */
static void run_child(const char *const *args, int out_fd)
{
    union {
        const char *const *given;
        char *const *taken;
    } argv = { .given = args };

    dup2(out_fd, STDOUT_FILENO);
    execv(args[0], argv.taken);
    _exit(127);
}

static err drain(int fd, struct buf *out)
{
    uint8_t part[65536];

    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            FAIL(ERR_IO, "reading a program's output: %s", strerror(errno));
        }
        if (n == 0) {
            return OK;
        }
        TRY(buf_append(out, (struct bytes){ part, (size_t)n }));
    }
}

static uint64_t us_of(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static err collect(pid_t pid, const char *program, struct run_result *result)
{
    struct rusage usage;
    int status;

    while (wait4(pid, &status, 0, &usage) != pid) {
        if (errno != EINTR) {
            FAIL(ERR_IO, "%s: %s", program, strerror(errno));
        }
    }
    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result->cpu_us = us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
    result->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    if (result->status == 127) {
        FAIL(ERR_IO, "%s cannot be run", program);
    }
    return OK;
}

err run_capture(const char *const *args, struct buf *out, struct run_result *result)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        FAIL(ERR_IO, "no pipe: %s", strerror(errno));
    }
    AUTO(close_fd) int from = fds[0];
    pid_t pid = fork();
    if (pid == 0) {
        run_child(args, fds[1]);
    }
    close(fds[1]);
    if (pid < 0) {
        FAIL(ERR_IO, "no process: %s", strerror(errno));
    }
    err drained = drain(from, out);
    TRY(collect(pid, args[0], result));
    return drained;
}
