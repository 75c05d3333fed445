/* SPDX-License-Identifier: Apache-2.0 */
/* A server and its clients, each a process, so that nothing of the clients is counted: many
 * connections that have answered one request and wait, and a few that ask all the time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/base/clock.h"
#include "lib/net/http_server.h"
#include "lib/net/test_pki.h"

#define ASKING_COUNT 32
#define CONNECT_AT_ONCE 64 /* the backlog is bounded */
#define DESCRIPTORS 4096
#define PATIENCE_US (300 * US_PER_S)
#define ADDRESS "127.0.0.1"

static const char request[] = "GET /small HTTP/1.1\r\nHost: " ADDRESS "\r\nUser-Agent: bench\r\n\r\n";

/* ---- the server ---- */

static void small(void *arg, struct http_exchange *x)
{
    static const uint8_t body[128] = { 'x' };

    (void)arg;
    http_answer(x, 200, "application/octet-stream", BYTES_OF(body));
}

static const struct http_route routes[] = {
    { "GET", "/small", 0, small, NULL },
    { NULL, NULL, 0, NULL, NULL },
};

static err serve(const struct tls_files *files, int port_fd)
{
    struct loop *l;
    struct tls *t;
    struct http_server *s;

    TRY(loop_new(&l));
    TRY(tls_new(files, &t));
    const struct http_server_options o = { .stream = { .tls = t },
                                           .routes = routes,
                                           .idle_us = PATIENCE_US };
    TRY(http_server_start(l, ADDRESS ":0", &o, &s));
    unsigned port = http_server_port(s);
    if (write(port_fd, &port, sizeof port) != sizeof port) {
        FAIL(ERR_IO, "nobody wants to know the port");
    }
    return loop_run(l); /* until it is killed */
}

static err server_start(const struct tls_files *files, pid_t *out_pid, unsigned *out_port)
{
    int ends[2];

    if (pipe(ends) != 0) {
        FAIL(ERR_IO, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        err e = serve(files, ends[1]);
        fprintf(stderr, "bench server: %s\n", e.code ? err_text() : "ended");
        _exit(1);
    }
    close(ends[1]);
    bool started = pid > 0 && read(ends[0], out_port, sizeof *out_port) == sizeof *out_port;
    close(ends[0]);
    if (!started) {
        FAIL(ERR_IO, "the server did not start");
    }
    *out_pid = pid;
    return OK;
}

/* ---- the clients ---- */

struct idle_bench {
    struct loop *loop;
    struct tls *tls;
    struct loop_timer patience;
    pid_t server;
    char address[32];
    struct stream *asking[ASKING_COUNT];
    size_t answered, wanted; /* the loop runs until they are equal */
    size_t left;             /* requests that answers may still be followed by */
    bool failed, ended;
};

static void failed(struct idle_bench *b)
{
    b->failed = true;
    loop_stop(b->loop);
}

static void too_long(void *arg)
{
    err_set(__FILE__, __LINE__, "the bench takes longer than %d s", (int)(PATIENCE_US / US_PER_S));
    failed(arg);
}

static err ask(struct stream *s)
{
    return stream_write(s, bytes_of_string(request));
}

static err on_opened(void *arg, struct stream *s, const char *peer)
{
    (void)arg;
    (void)peer;
    return ask(s);
}

/* Answers are small and come whole. */
static err on_octets(void *arg, struct stream *s, struct bytes in)
{
    struct idle_bench *b = arg;

    if (!bytes_have_prefix(in, BYTES_LIT("HTTP/1.1 200 "))) {
        FAIL(ERR_PROTO, "an answer that is none");
    }
    b->answered++;
    if (b->answered == b->wanted) {
        loop_stop(b->loop);
    }
    if (b->left > 0) {
        b->left--;
        return ask(s);
    }
    return OK;
}

static void on_closed(void *arg, struct stream *s, err why)
{
    struct idle_bench *b = arg;

    (void)s;
    (void)why; /* its text is there */
    if (!b->ended && !b->failed) {
        failed(b);
    }
}

static err run_until(struct idle_bench *b, size_t answers)
{
    b->answered = 0;
    b->wanted = answers;
    TRY(loop_run(b->loop));
    return b->failed ? (err){ ERR_IO } : OK;
}

/* Opens connections, each of which asks once; the first ASKING_COUNT of all are remembered. */
static err connect_some(struct idle_bench *b, size_t count, struct stream **remember)
{
    static const struct stream_events events = { on_opened, on_octets, NULL, on_closed };
    const struct stream_options o = { .tls = b->tls, .handshake_us = PATIENCE_US };

    for (size_t done = 0; done < count;) {
        size_t part = count - done < CONNECT_AT_ONCE ? count - done : CONNECT_AT_ONCE;
        for (size_t i = 0; i < part; i++) {
            struct stream *s;
            TRY(stream_connect(b->loop, b->address, &o, &events, b, &s));
            if (remember != NULL) {
                remember[done + i] = s;
            }
        }
        TRY(run_until(b, part));
        done += part;
    }
    return OK;
}

static err measure_idle(struct idle_bench *b, size_t count, struct bench_report *r)
{
    double rss = bench_rss(b->server);
    double cpu_us = bench_cpu_us(b->server);

    TRY(connect_some(b, count, NULL));
    double more = bench_rss(b->server) - rss;
    bench_add(r, (struct bench_result){
                     .name = "idle/server",
                     .value = more / (double)count,
                     .unit = "octets",
                     .cpu_us = (bench_cpu_us(b->server) - cpu_us) / (double)count,
                     .rss_bytes = bench_rss_peak(b->server),
                 });
    return OK;
}

static err measure_get(struct idle_bench *b, size_t count, struct bench_report *r)
{
    double cpu_us = bench_cpu_us(b->server);

    b->left = count - ASKING_COUNT;
    for (size_t i = 0; i < ASKING_COUNT; i++) {
        TRY(ask(b->asking[i]));
    }
    TRY(run_until(b, count));
    double each_us = (bench_cpu_us(b->server) - cpu_us) / (double)count;
    bench_add(r, (struct bench_result){ .name = "get",
                                        .value = each_us,
                                        .unit = "us",
                                        .cpu_us = each_us,
                                        .rss_bytes = bench_rss_peak(b->server) });
    return OK;
}

static err measure(struct idle_bench *b, const struct tls_files *files, bool quick,
                   struct bench_report *r)
{
    TRY(loop_new(&b->loop));
    TRY(tls_new(files, &b->tls));
    loop_timer_init(&b->patience, b->loop, too_long, b);
    TRY(loop_timer_at(&b->patience, loop_now_us(b->loop) + PATIENCE_US));
    TRY(connect_some(b, ASKING_COUNT, b->asking)); /* and warms the server up */
    TRY(measure_idle(b, quick ? 500 : 2000, r));
    return measure_get(b, quick ? 20000 : 100000, r);
}

static void bench_end(struct idle_bench *b)
{
    b->ended = true;
    if (b->server > 0) {
        kill(b->server, SIGKILL);
        waitpid(b->server, NULL, 0);
    }
    if (b->loop != NULL) {
        loop_timer_cancel(&b->patience);
        loop_free(b->loop);
    }
    tls_free(b->tls);
}

/* As many descriptors as we may have; the server inherits it. */
static err descriptors_raise(rlim_t wanted)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < wanted) {
        FAIL(ERR_LIMIT, "%llu open files are allowed, %llu needed: raise the limit (ulimit -n)",
             (unsigned long long)files.rlim_max, (unsigned long long)wanted);
    }
    files.rlim_cur = files.rlim_cur < wanted ? wanted : files.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        FAIL(ERR_IO, "setrlimit: %s", strerror(errno));
    }
    return OK;
}

static err run(struct idle_bench *b, struct test_pki *pki, bool quick, struct bench_report *r)
{
    const struct tls_files server = test_pki_files(pki, "server");
    const struct tls_files client = test_pki_files(pki, "client");
    unsigned port;

    TRY(descriptors_raise(DESCRIPTORS));
    TRY(server_start(&server, &b->server, &port));
    snprintf(b->address, sizeof b->address, ADDRESS ":%u", port);
    return measure(b, &client, quick, r);
}

err bench_idle(bool quick, struct bench_report *r)
{
    struct idle_bench b = { 0 };
    struct test_pki pki;
    char why[512];

    test_pki_begin(&pki);
    err e = run(&b, &pki, quick, r);
    snprintf(why, sizeof why, "%s", err_text());
    bench_end(&b); /* closing the connections has texts of its own */
    test_pki_end(&pki);
    if (e.code) {
        err_set(__FILE__, __LINE__, "%s", why);
    }
    return e;
}
