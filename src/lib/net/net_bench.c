/* SPDX-License-Identifier: Apache-2.0 */
/* What a TLS connection costs the server: resident octets while idle, and CPU per small request.
 * Usage: net_bench [connections] [requests]. The server is a process of its own, so that nothing of
 * the clients is counted. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/net/http_server.h"
#include "lib/net/test_pki.h"

#define CONNECTIONS_MAX 20000
#define ACTIVE_COUNT 32

static const char request[] = "GET /small HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n";

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

static void stop(void *arg)
{
    loop_stop(arg);
}

static void must(err e)
{
    if (e.code) {
        fprintf(stderr, "net_bench: %s\n", err_text());
        exit(1);
    }
}

static void serve(struct test_pki *pki, int port_fd)
{
    const struct tls_files files = test_pki_files(pki, "kvs");
    struct loop *l;
    struct tls *t;
    struct http_server *s;

    must(loop_new(&l));
    must(tls_new(&files, &t));
    const struct http_server_options o = { .stream = { .tls = t }, .routes = routes };
    must(http_server_start(l, "127.0.0.1:0", &o, &s));
    must(loop_on_signal(l, SIGTERM, stop, l));
    unsigned port = http_server_port(s);
    ssize_t n = write(port_fd, &port, sizeof port);
    assert(n == sizeof port);
    (void)n;
    must(loop_run(l));
    _exit(0);
}

/* ---- looking at it ---- */

static uint64_t number_at(const char *path, unsigned field)
{
    struct buf text = { .max = 4096 };

    must(file_read(path, &text));
    must(buf_u8(&text, 0));
    const char *at = (const char *)text.ptr;
    if (strchr(at, ')') != NULL) { /* stat: the name may have blanks */
        at = strrchr(at, ')') + 2;
        field -= 2;
    }
    for (; field > 0; field--) {
        at = strchr(at, ' ') + 1;
    }
    uint64_t v = 0;
    must(decimal_parse((struct bytes){ (const uint8_t *)at, strcspn(at, " ") }, UINT64_MAX, &v));
    buf_done(&text);
    return v;
}

static uint64_t resident(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    return number_at(path, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_us(pid_t pid)
{
    char path[64];
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    return (number_at(path, 13) + number_at(path, 14)) * tick_us;
}

/* ---- the clients ---- */

struct bench {
    struct loop *loop;
    size_t wanted, open, answered, left;
};

static err on_opened(void *arg, struct stream *s, const char *peer)
{
    struct bench *b = arg;

    (void)peer;
    b->open++;
    return stream_write(s, BYTES_LIT(request));
}

/* Answers are small and come whole. */
static err on_octets(void *arg, struct stream *s, struct bytes in)
{
    struct bench *b = arg;

    (void)in;
    b->answered++;
    if (b->left > 0) {
        b->left--;
        return stream_write(s, BYTES_LIT(request));
    }
    if (b->answered == b->wanted) {
        loop_stop(b->loop);
    }
    return OK;
}

static void on_closed(void *arg, struct stream *s, err why)
{
    (void)arg, (void)s, (void)why;
    fprintf(stderr, "net_bench: a connection was closed: %s\n", err_text());
    exit(1);
}

static const struct stream_events events = { on_opened, on_octets, NULL, on_closed };

static struct stream **connect_all(struct bench *b, struct tls *t, unsigned port, size_t count)
{
    const struct stream_options o = { .tls = t, .handshake_us = 120000000 };
    struct stream **streams = mem_take(count * sizeof(struct stream *));
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    for (size_t done = 0; done < count;) {
        size_t part = count - done < 64 ? count - done : 64; /* the backlog is bounded */
        b->wanted = b->answered + part;
        for (size_t i = 0; i < part; i++) {
            must(stream_connect(b->loop, address, &o, &events, b, &streams[done + i]));
        }
        must(loop_run(b->loop));
        done += part;
    }
    return streams;
}

static void measure(struct test_pki *pki, pid_t server, unsigned port, size_t count,
                    size_t requests)
{
    const struct tls_files files = test_pki_files(pki, "sql");
    struct bench b = { 0 };
    struct tls *t;

    must(loop_new(&b.loop));
    must(tls_new(&files, &t));
    connect_all(&b, t, port, ACTIVE_COUNT); /* warms up */
    uint64_t before = resident(server);
    uint64_t cpu = cpu_us(server);
    connect_all(&b, t, port, count);
    uint64_t per = (resident(server) - before) / count;
    printf("idle connection: %llu octets resident, %llu us CPU to open\n", (unsigned long long)per,
           (unsigned long long)((cpu_us(server) - cpu) / count));
    struct bench run = { .loop = b.loop, .left = requests };
    cpu = cpu_us(server);
    run.wanted = requests + ACTIVE_COUNT;
    const struct stream_options o = { .tls = t };
    char address[32];
    struct stream *s;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    for (int i = 0; i < ACTIVE_COUNT; i++) {
        must(stream_connect(run.loop, address, &o, &events, &run, &s));
    }
    uint64_t start = loop_now_us(run.loop);
    must(loop_run(run.loop));
    printf("request of 128 octets over TLS: %.1f us CPU of the server, %.0f per second\n",
           (double)(cpu_us(server) - cpu) / (double)requests,
           (double)requests * 1e6 / (double)(loop_now_us(run.loop) - start));
}

int main(int argc, char **argv)
{
    static struct test_pki pki;
    uint64_t count = 2000, requests = 100000;
    int port_pipe[2];
    unsigned port;

    if ((argc > 1 && decimal_parse(bytes_of_string(argv[1]), CONNECTIONS_MAX, &count).code) ||
        (argc > 2 && decimal_parse(bytes_of_string(argv[2]), 100000000, &requests).code) ||
        pipe(port_pipe) != 0) {
        fprintf(stderr, "usage: net_bench [connections] [requests]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    test_pki_begin(&pki);
    test_pki_files(&pki, "kvs");
    test_pki_files(&pki, "sql");
    pid_t server = fork();
    if (server == 0) {
        serve(&pki, port_pipe[1]);
    }
    if (server < 0 || read(port_pipe[0], &port, sizeof port) != sizeof port) {
        return 1;
    }
    measure(&pki, server, port, count, requests);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    test_pki_end(&pki);
    return 0;
}
