/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "store/kvs/gateway_fixture.h"
#include "store/kvs/volume_fixture.h"

#define ANSWER_CHARS ((64u << 20) + 4096)

/* --- keys --- */

static void key_add(struct site *s, unsigned number, const char *scopes, int64_t expires_s,
                    struct buf *lines, char *header, size_t size)
{
    AUTO(buf_done) struct buf text = { .max = 128 };

    assert_ok(api_key_make(scopes, expires_s, &text, lines));
    snprintf(header, size, "Authorization: Bearer %.*s\r\n", (int)text.len, (const char *)text.ptr);
    snprintf(s->key_files[number], sizeof s->key_files[0], "%s/key%u", s->pki.dir, number);
    assert_ok(file_write(s->key_files[number], buf_bytes(&text), 0600));
}

static void keys_make(struct site *s)
{
    AUTO(buf_done) struct buf lines = { .max = 4096 };
    char path[96];

    key_add(s, 0, "read,write,delete,scan,admin,metrics:*:", 0, &lines, s->all, sizeof s->all);
    key_add(s, 1, "read,scan:s:", 0, &lines, s->reader, sizeof s->reader);
    key_add(s, 2, "read,write,delete,scan:s:job-", 0, &lines, s->prefix, sizeof s->prefix);
    key_add(s, 3, "write:s:", 0, &lines, s->writer, sizeof s->writer);
    key_add(s, 4, "read:*:", 1000, &lines, s->expired, sizeof s->expired);
    snprintf(path, sizeof path, "%s/keys", s->pki.dir);
    assert_ok(file_write(path, buf_bytes(&lines), 0600));
    assert_ok(api_keys_load(path, &s->keys));
}

/* --- the gateway --- */

static void *loop_thread(void *arg)
{
    struct site *s = arg;

    assert_ok(loop_run(s->loop));
    return NULL;
}

static void gateway_begin(struct site *s, uint64_t body_octets_max)
{
    const struct gateway_options o = { .listen = "127.0.0.1:0", .tls = s->tls, .keys = s->keys,
                                       .reader_count = 2, .body_octets_max = body_octets_max };

    assert_ok(loop_new(&s->loop));
    assert_ok(gateway_start(s->loop, s->store.engine, &o, &s->gateway));
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%u", gateway_port(s->gateway));
    assert_int_equal(pthread_create(&s->thread, NULL, loop_thread, s), 0);
}

static void stopped(void *arg)
{
    struct site *s = arg;

    loop_stop(s->loop);
}

static void stop_in_loop(void *arg)
{
    struct site *s = arg;

    gateway_stop(s->gateway, stopped, s);
}

static void gateway_end(struct site *s)
{
    struct loop_task stop = { .run = stop_in_loop, .arg = s };

    loop_post(s->loop, &stop);
    pthread_join(s->thread, NULL);
    gateway_free(s->gateway);
    loop_free(s->loop);
}

/* A store without the fixture's own threads. */
static void store_without_threads(struct store *s)
{
    committer_stop(s->committer);
    readers_stop(s->readers);
    s->committer = NULL;
    s->readers = NULL;
}

void site_begin(struct site *s, bool with_tls, uint64_t body_octets_max)
{
    *s = (struct site){ 0 };
    test_pki_begin(&s->pki);
    keys_make(s);
    if (with_tls) {
        struct tls_files files = test_pki_files(&s->pki, "kvs");
        assert_ok(tls_new(&files, &s->tls));
    }
    store_fresh(&s->store);
    store_without_threads(&s->store);
    gateway_begin(s, body_octets_max);
}

void site_restart(struct site *s)
{
    gateway_end(s);
    store_close(&s->store);
    store_open(&s->store);
    store_without_threads(&s->store);
    gateway_begin(s, 0);
}

void site_end(struct site *s)
{
    gateway_end(s);
    store_close(&s->store);
    store_remove(&s->store);
    api_keys_free(s->keys);
    tls_free(s->tls);
    test_pki_end(&s->pki);
}

/* --- calling --- */

static int connect_to(unsigned port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int site_connect(struct site *s)
{
    return connect_to(gateway_port(s->gateway));
}

/* Stops at an error: the server may have closed before it heard all. */
static void send_all(int fd, const char *octets, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, octets, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        octets += n;
        size -= (size_t)n;
    }
}

static bool complete(const char *answer, size_t size)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = header_of(answer, "Content-Length");

    if (end == NULL) {
        return false;
    }
    size_t head = (size_t)(end + 4 - answer);
    return length == NULL || size >= head + (size_t)strtoull(length, NULL, 10);
}

const char *site_raw(struct site *s, const char *request, size_t size)
{
    static char answer[ANSWER_CHARS];
    size_t got = 0;
    int fd = site_connect(s);

    send_all(fd, request, size);
    answer[0] = 0;
    while (!complete(answer, got)) {
        ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
        answer[got] = 0;
    }
    close(fd);
    return answer;
}

const char *site_call(struct site *s, const char *method, const char *target, const char *key,
                      const char *headers, const char *body)
{
    AUTO(buf_done) struct buf b = { .max = 1u << 20 };

    assert_ok(buf_printf(&b, "%s %s HTTP/1.1\r\nHost: k\r\n%s%s", method, target,
                         key != NULL ? key : "", headers));
    if (body != NULL) {
        assert_ok(buf_printf(&b, "Content-Length: %zu\r\n\r\n%s", strlen(body), body));
    } else {
        assert_ok(buf_string(&b, "\r\n"));
    }
    return site_raw(s, (const char *)b.ptr, b.len);
}

unsigned status_of(const char *answer)
{
    unsigned status = 0;

    return sscanf(answer, "HTTP/1.1 %3u", &status) == 1 ? status : 0;
}

const char *header_of(const char *answer, const char *name)
{
    static char value[256];
    size_t len = strlen(name);
    const char *end = strstr(answer, "\r\n\r\n");

    for (const char *at = answer; end != NULL && at < end; at = strstr(at, "\r\n") + 2) {
        if (strncasecmp(at, name, len) == 0 && at[len] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(at + len + 2, "\r"), at + len + 2);
            return value;
        }
    }
    return NULL;
}

const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end != NULL ? end + 4 : "";
}
