/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on the loop: one uv_poll a socket, one timer. */
#include "lib/net/http_client.h"

#include <assert.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/net/http_call.h"
#include "lib/net/http_guard.h"
#include "lib/net/tls_conn.h"

#define CONNECTIONS_DEFAULT 8
#define REQUESTS_DEFAULT 256
#define ANSWER_BYTES_DEFAULT (64u << 20)
#define TIMEOUT_US_DEFAULT UINT64_C(30000000)
#define SPARE_COUNT_MAX 32
#define ROLE_URL_BYTES_MAX 512

/* ---- running calls ---- */

static void running_add(struct http_client *c, struct http_request *r)
{
    r->prev = NULL;
    r->next = c->running;
    if (r->next != NULL) {
        r->next->prev = r;
    }
    c->running = r;
    c->running_count++;
}

static void running_remove(struct http_client *c, struct http_request *r)
{
    if (r->prev != NULL) {
        r->prev->next = r->next;
    } else {
        c->running = r->next;
    }
    if (r->next != NULL) {
        r->next->prev = r->prev;
    }
    r->next = r->prev = NULL;
    c->running_count--;
}

static void spare_put(struct http_client *c, struct http_request *r)
{
    if (c->spare_count >= SPARE_COUNT_MAX) {
        http_request_free(r);
        return;
    }
    http_request_clear(r);
    r->next = c->spare;
    c->spare = r;
    c->spare_count++;
}

static err spare_take(struct http_client *c, struct http_request **out)
{
    if (c->spare == NULL) {
        return http_request_new(c, out);
    }
    *out = c->spare;
    c->spare = c->spare->next;
    c->spare_count--;
    (*out)->next = NULL;
    return OK;
}

/* The owner may send more calls, or free the client, from inside `done`. */
static void finish(struct http_client *c, struct http_request *r, err e,
                   const struct http_answer *answer)
{
    running_remove(c, r);
    curl_multi_remove_handle(c->multi, r->easy);
    c->depth++;
    r->done(r->arg, e, answer);
    c->depth--;
    spare_put(c, r);
}

static void client_release(struct http_client *c);

static void take_results(struct http_client *c)
{
    struct http_answer answer;
    CURLMsg *m;
    int left;

    while (!c->freed && c->multi != NULL && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
        char *private = NULL;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result; /* m dies with the removal of the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        struct http_request *r = (struct http_request *)(void *)private;
        err e = http_request_result(r, code, &answer);
        finish(c, r, e, e.code ? NULL : &answer);
    }
    if (c->freed && c->depth == 0) {
        client_release(c);
    }
}

/* ---- sockets and time ---- */

struct poll_socket {
    uv_poll_t poll;
    struct http_client *client; /* NULL: libcurl has let go */
    curl_socket_t fd;
};

static void on_poll_closed(uv_handle_t *handle)
{
    mem_give(handle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct poll_socket *p = poll->data;
    struct http_client *c = p->client;
    int flags = 0;
    int running;

    if (c == NULL) {
        return;
    }
    if (status < 0) {
        flags = CURL_CSELECT_ERR;
    }
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(c->multi, p->fd, flags, &running);
    take_results(c);
}

static struct poll_socket *poll_new(struct http_client *c, curl_socket_t fd)
{
    struct poll_socket *p = mem_take(sizeof *p);

    if (p == NULL) {
        return NULL;
    }
    p->client = c;
    p->fd = fd;
    if (uv_poll_init_socket(&c->loop->uv, &p->poll, fd) != 0) {
        mem_give(p);
        return NULL;
    }
    p->poll.data = p;
    curl_multi_assign(c->multi, fd, p);
    return p;
}

/* libcurl says what it waits for on a socket. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http_client *c = arg;
    struct poll_socket *p = socket_arg;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (p != NULL) {
            p->client = NULL;
            curl_multi_assign(c->multi, fd, NULL);
            uv_poll_stop(&p->poll);
            uv_close((uv_handle_t *)&p->poll, on_poll_closed);
        }
        return 0;
    }
    p = p != NULL ? p : poll_new(c, fd);
    if (p == NULL) {
        return -1;
    }
    events |= what != CURL_POLL_OUT ? UV_READABLE : 0;
    events |= what != CURL_POLL_IN ? UV_WRITABLE : 0;
    return uv_poll_start(&p->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(void *arg)
{
    struct http_client *c = arg;
    int running;

    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_results(c);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *c = arg;

    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_cancel(&c->timer);
        return 0;
    }
    uint64_t at_us = loop_now_us(c->loop) + (uint64_t)timeout_ms * 1000;
    return loop_timer_at(&c->timer, at_us).code == ERR_NONE ? 0 : -1;
}

err http_client_send(struct http_client *c, const struct http_call *call, http_done done, void *arg)
{
    struct http_request *r;

    if (c->multi == NULL || c->closing) {
        FAIL(ERR_CLOSED, "the HTTP client has no loop");
    }
    if (c->running_count >= c->requests_max) {
        FAIL(ERR_LIMIT, "%zu calls to %s are under way, no more", c->running_count, c->base_url);
    }
    TRY(spare_take(c, &r));
    err e = http_request_set(r, call);
    if (!e.code && curl_multi_add_handle(c->multi, r->easy) != CURLM_OK) {
        err_set(__FILE__, __LINE__, "no memory for a call");
        e = (err){ ERR_LIMIT };
    }
    if (e.code) {
        spare_put(c, r);
        return e;
    }
    r->done = done;
    r->arg = arg;
    running_add(c, r);
    return OK;
}

/* ---- options ---- */

/* Plain HTTP is for health checks on loopback only. */
static err url_check(const char *url, bool *secure)
{
    static const char plain[] = "http://127.0.0.1";
    const char *rest;

    if (strncmp(url, "https://", 8) == 0) {
        *secure = true;
        rest = url + 8;
    } else if (strncmp(url, plain, sizeof plain - 1) == 0 &&
               (url[sizeof plain - 1] == ':' || url[sizeof plain - 1] == '\0')) {
        *secure = false;
        rest = url + 7;
    } else {
        FAIL(ERR_PROTO, "URL '%s' must begin with https:// (or be http://127.0.0.1:PORT)", url);
    }
    size_t n = strcspn(rest, "/?#@ \t\r\n\\");
    if (n == 0 || rest[n] != '\0') {
        FAIL(ERR_PROTO, "URL '%s' must be a scheme, a host and a port, without a path", url);
    }
    return OK;
}

static err text_copy(const char *text, char **out)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;

    if (text == NULL) {
        return OK;
    }
    *out = mem_take(size);
    if (*out == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP client");
    }
    memcpy(*out, text, size);
    return OK;
}

static err bearer_read(const char *path, char **out)
{
    static const char head[] = "Authorization: Bearer ";
    AUTO(buf_wipe) struct buf b = { .max = HTTP_BEARER_BYTES_MAX };

    TRY(buf_reserve(&b, HTTP_BEARER_BYTES_MAX));
    TRY(file_read_private(path, &b));
    while (b.len > 0 && b.ptr[b.len - 1] <= ' ') {
        b.len--;
    }
    for (size_t i = 0; i < b.len; i++) {
        if (b.ptr[i] <= ' ' || b.ptr[i] >= 0x7f) {
            FAIL(ERR_PROTO, "%s: an API key has no blanks and only ASCII", path);
        }
    }
    if (b.len == 0) {
        FAIL(ERR_PROTO, "%s: no API key in it", path);
    }
    *out = mem_take(sizeof head + b.len);
    if (*out == NULL) {
        FAIL(ERR_LIMIT, "no memory for an API key");
    }
    memcpy(*out, head, sizeof head - 1);
    memcpy(*out + sizeof head - 1, b.ptr, b.len);
    return OK;
}

/* Names that certificates of services carry, and no address. */
static err role_check(const char *role)
{
    size_t len = strspn(role, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (role[len] != '\0' || len == 0 || len > TLS_ROLE_BYTES_MAX || role[0] < 'a') {
        FAIL(ERR_PROTO, "role '%.80s' must be a letter, then a-z, 0-9 and '-', at most %d", role,
             TLS_ROLE_BYTES_MAX);
    }
    return OK;
}

/* libcurl checks the certificate for the host of the URL: so that is the role, and libcurl is told
 * to go to the server's address instead of looking the role up. */
static err role_take(struct http_client *c, const char *role)
{
    const char *authority = strstr(c->base_url, "://") + 3;
    const char *port = strrchr(authority, ':');
    AUTO(buf_done) struct buf url = { .max = ROLE_URL_BYTES_MAX };
    AUTO(buf_done) struct buf to = { .max = ROLE_URL_BYTES_MAX };

    if (!c->secure) {
        FAIL(ERR_PROTO, "only over HTTPS can a server prove its role: %s", c->base_url);
    }
    TRY(role_check(role));
    bool has_port = port != NULL && strchr(port, ']') == NULL; /* not a colon of an IPv6 address */
    TRY(buf_printf(&url, "https://%s%s", role, has_port ? port : ""));
    TRY(buf_u8(&url, 0));
    TRY(buf_printf(&to, "::%s%s", authority, has_port ? "" : ":"));
    TRY(buf_u8(&to, 0));
    c->address = curl_slist_append(NULL, (const char *)to.ptr);
    if (c->address == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP client");
    }
    return text_copy((const char *)url.ptr, &c->role_url);
}

static err tls_check(const struct http_client_options *o)
{
    if (o->tls.ca == NULL) {
        FAIL(ERR_PROTO, "HTTPS needs the certificate of our CA");
    }
    struct tls *t; /* loads the files as our own streams do, so that errors name file and reason */
    if (o->tls.certificate != NULL) {
        TRY(tls_new(&o->tls, &t));
    } else {
        TRY(tls_new_anonymous(o->tls.ca, &t));
    }
    tls_free(t);
    return OK;
}

static err options_take(struct http_client *c, const struct http_client_options *o)
{
    TRY(url_check(o->base_url, &c->secure));
    if (c->secure) {
        TRY(tls_check(o));
    }
    c->connections_max = o->connections_max != 0 ? o->connections_max : CONNECTIONS_DEFAULT;
    c->requests_max = o->requests_max != 0 ? o->requests_max : REQUESTS_DEFAULT;
    c->answer_bytes_max = o->answer_bytes_max != 0 ? o->answer_bytes_max : ANSWER_BYTES_DEFAULT;
    c->timeout_us = o->timeout_us != 0 ? o->timeout_us : TIMEOUT_US_DEFAULT;
    TRY(text_copy(o->base_url, &c->base_url));
    TRY(text_copy(o->tls.certificate, &c->certificate));
    TRY(text_copy(o->tls.key, &c->key));
    TRY(text_copy(o->tls.ca, &c->ca));
    if (o->server_role != NULL) {
        TRY(role_take(c, o->server_role));
    }
    return o->bearer_file != NULL ? bearer_read(o->bearer_file, &c->bearer) : OK;
}

/* ---- life ---- */

static err orderly(void)
{
    FAIL(ERR_CLOSED, "the HTTP client is closed");
}

/* Ends the calls and lets go of the loop. */
static void client_detach(struct http_client *c)
{
    c->closing = true;
    while (c->running != NULL) {
        finish(c, c->running, orderly(), NULL);
    }
    while (c->spare != NULL) {
        struct http_request *r = c->spare;
        c->spare = r->next;
        http_request_free(r);
    }
    c->spare_count = 0;
    if (c->multi != NULL) {
        curl_multi_cleanup(c->multi);
        c->multi = NULL;
        loop_timer_cancel(&c->timer);
        loop_child_remove(&c->child);
    }
}

static void client_release(struct http_client *c)
{
    client_detach(c);
    http_request_free(c->blocking);
    if (c->bearer != NULL) {
        explicit_bzero(c->bearer, strlen(c->bearer));
    }
    mem_give(c->bearer);
    mem_give(c->base_url);
    mem_give(c->role_url);
    curl_slist_free_all(c->address);
    mem_give(c->certificate);
    mem_give(c->key);
    mem_give(c->ca);
    mem_give(c);
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) {
        return;
    }
    c->freed = true;
    if (c->depth == 0) {
        client_release(c);
    }
}

void http_client_freep(struct http_client **c)
{
    http_client_free(*c);
}

static void on_loop_free(struct loop_child *child)
{
    struct http_client *c =
        (struct http_client *)(void *)((char *)child - offsetof(struct http_client, child));

    client_detach(c);
    if (c->freed) {
        client_release(c);
    }
}

static err multi_start(struct http_client *c, struct loop *l)
{
    c->multi = curl_multi_init();
    if (c->multi == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP client");
    }
    c->loop = l;
    loop_timer_init(&c->timer, l, on_timer, c);
    c->child.end = on_loop_free;
    loop_child_add(l, &c->child);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->connections_max);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->connections_max);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return OK;
}

err http_client_new(struct loop *l, const struct http_client_options *options,
                    struct http_client **out)
{
    TRY(http_curl_start());
    struct http_client *c = mem_take(sizeof *c);
    if (c == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP client");
    }
    err e = options_take(c, options);
    if (!e.code && l != NULL) {
        e = multi_start(c, l);
    }
    if (e.code) {
        client_release(c);
        return e;
    }
    *out = c;
    return OK;
}
