/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler sees of a request, and how it answers. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/http_conn.h"

/* ---- life ---- */

struct http_exchange *http_exchange_new(struct http_conn *c)
{
    struct http_site *site = c->site;
    struct http_exchange *x = site->spare;

    if (x != NULL) {
        site->spare = x->next;
        site->spare_count--;
    } else {
        x = mem_take(sizeof *x);
        if (x == NULL) {
            return NULL;
        }
        x->arena.max = HTTP_ARENA_BYTES_MAX;
        x->added.max = HTTP_ADDED_BYTES_MAX;
        x->out.max = HTTP_ANSWER_BYTES_MAX;
    }
    x->conn = c;
    x->next = NULL;
    x->state = EXCHANGE_BODY;
    return x;
}

static void body_wipe(struct buf *b)
{
    if (b->ptr != NULL) {
        explicit_bzero(b->ptr, b->len);
        buf_done(b);
    }
}

void http_exchange_free(struct http_exchange *x)
{
    struct http_site *site = x->conn->site;

    body_wipe(&x->body);
    buf_done(&x->out);
    if (site->spare_count >= HTTP_SPARE_COUNT_MAX) {
        buf_done(&x->added);
        arena_done(&x->arena);
        mem_give(x);
        return;
    }
    arena_reset(&x->arena);
    buf_clear(&x->added);
    x->out_at = 0;
    x->heard = x->continue_due = x->head_only = x->close = x->ready_due = false;
    x->ready = NULL;
    x->ready_user = x->user = NULL;
    x->match.route = NULL;
    x->match.count = 0;
    x->head.method = NULL;
    x->head.count = 0;
    x->next = site->spare;
    site->spare = x;
    site->spare_count++;
}

/* ---- octets on their way ---- */

/* In the middle of an answer nothing can be told any more: the connection is of no use. */
static void give_up(struct http_conn *c)
{
    c->over = true;
    c->host.abort(c->host.self);
}

static bool hand_on(struct http_conn *c, struct bytes *octets)
{
    size_t taken = 0;

    if (c->over) {
        return false;
    }
    if (c->host.write(c->host.self, *octets, &taken).code) {
        give_up(c);
        return false;
    }
    c->given += taken;
    octets->ptr += taken;
    octets->len -= taken;
    return true;
}

void http_exchange_emit(struct http_exchange *x, struct bytes octets)
{
    struct http_conn *c = x->conn;

    if (c->first == x && x->out.len == 0 && !hand_on(c, &octets)) {
        return;
    }
    if (octets.len > 0 && buf_append(&x->out, octets).code) {
        give_up(c);
    }
}

void http_exchange_flush(struct http_exchange *x)
{
    if (x->out.len == 0) {
        return;
    }
    struct bytes rest = { x->out.ptr + x->out_at, x->out.len - x->out_at };
    if (!hand_on(x->conn, &rest)) {
        return;
    }
    x->out_at = x->out.len - rest.len;
    if (rest.len == 0) {
        buf_done(&x->out);
        x->out_at = 0;
    }
}

/* ---- the head of an answer ---- */

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    { 100, "Continue" }, { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
    { 204, "No Content" }, { 206, "Partial Content" }, { 301, "Moved Permanently" },
    { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
    { 307, "Temporary Redirect" }, { 308, "Permanent Redirect" }, { 400, "Bad Request" },
    { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
    { 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 409, "Conflict" },
    { 410, "Gone" }, { 411, "Length Required" }, { 412, "Precondition Failed" },
    { 413, "Content Too Large" }, { 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" }, { 417, "Expectation Failed" }, { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" }, { 425, "Too Early" }, { 428, "Precondition Required" },
    { 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
    { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" },
};

static const char *status_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

static const char *date_text(struct http_site *site)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t now_s = site->utc_s();

    if (now_s != site->date_s || site->date[0] == '\0') {
        struct civil d = civil_from_s(now_s);
        site->date_s = now_s;
        snprintf(site->date, sizeof site->date, "%s, %02u %s %04d %02u:%02u:%02u GMT",
                 days[civil_weekday(now_s) - 1], d.day % 100, months[d.month - 1], d.year % 10000,
                 d.hour % 100, d.minute % 100, d.second % 100);
    }
    return site->date;
}

static bool bodyless(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

/* How the body is framed; `length` counts where it is not streamed. */
enum framing { FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS };

static void assert_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        assert(http_is_value((uint8_t)*text));
    }
}

static err head_build(struct http_exchange *x, unsigned status, const char *content_type,
                      enum framing framing, size_t length, struct buf *b)
{
    buf_clear(b);
    TRY(buf_printf(b, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status, status_reason(status),
                   date_text(x->conn->site)));
    if (!bodyless(status)) {
        if (content_type != NULL) {
            assert_plain(content_type);
            TRY(buf_printf(b, "Content-Type: %s\r\n", content_type));
        }
        if (framing == FRAMED_BY_CHUNKS) {
            TRY(buf_string(b, "Transfer-Encoding: chunked\r\n"));
        } else {
            TRY(buf_printf(b, "Content-Length: %zu\r\n", length));
        }
    }
    TRY(buf_append(b, buf_bytes(&x->added)));
    if (x->close) {
        TRY(buf_string(b, "Connection: close\r\n"));
    }
    return buf_string(b, "\r\n");
}

/* Stopping servers and used-up connections say so with the last answer. */
static bool head_emit(struct http_exchange *x, unsigned status, const char *content_type,
                      enum framing framing, size_t length)
{
    struct http_conn *c = x->conn;
    struct http_site *site = c->site;

    bool early = c->last == x && c->state == HTTP_CONN_BODY; /* the rest of the body is given up */
    bool final = site->stopping && c->last == x && c->state == HTTP_CONN_HEAD &&
                 c->guard.len == 0 && c->rest.len == 0;
    if (early || final) {
        c->state = HTTP_CONN_ENDED;
        x->close = true;
    }
    if (head_build(x, status, content_type, framing, length, &site->head).code) {
        give_up(c);
        return false;
    }
    site->counters.by_class[status / 100 % 6]++;
    http_exchange_emit(x, buf_bytes(&site->head));
    return true;
}

/* ---- the request ---- */

const char *http_method(const struct http_exchange *x)
{
    return x->head.method;
}

struct bytes http_path(const struct http_exchange *x)
{
    return x->head.path;
}

struct bytes http_query(const struct http_exchange *x)
{
    return x->head.query;
}

err http_path_part(struct http_exchange *x, const char *name, struct bytes *out)
{
    for (unsigned i = 0; i < x->match.count; i++) {
        if (bytes_equal(x->match.parts[i].name, bytes_of_string(name))) {
            return http_unescape(&x->arena, x->match.parts[i].value, out);
        }
    }
    FAIL(ERR_MISSING, "the path has no part '%s'", name);
}

static bool query_next(struct bytes *query, struct bytes *name, struct bytes *value)
{
    if (query->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(query->ptr, '&', query->len);
    size_t n = end != NULL ? (size_t)(end - query->ptr) : query->len;
    const uint8_t *mark = n > 0 ? memchr(query->ptr, '=', n) : NULL;
    size_t name_len = mark != NULL ? (size_t)(mark - query->ptr) : n;

    *name = (struct bytes){ query->ptr, name_len };
    *value = (struct bytes){ query->ptr + name_len + (mark != NULL),
                             n - name_len - (mark != NULL) };
    query->ptr += n + (end != NULL);
    query->len -= n + (end != NULL);
    return true;
}

err http_query_part(struct http_exchange *x, const char *name, struct bytes *out)
{
    struct bytes query = x->head.query;
    struct bytes at, value, found = { 0 };
    unsigned count = 0;

    while (query_next(&query, &at, &value)) {
        if (bytes_equal(at, bytes_of_string(name))) {
            found = value;
            count++;
        }
    }
    if (count == 0) {
        FAIL(ERR_MISSING, "the query has no '%s'", name);
    }
    if (count > 1) {
        FAIL(ERR_PROTO, "the query has '%s' more than once", name);
    }
    return http_unescape(&x->arena, found, out);
}

bool http_header(const struct http_exchange *x, const char *name, struct bytes *out)
{
    return http_head_find(&x->head, name, out);
}

struct bytes http_body(const struct http_exchange *x)
{
    return buf_bytes(&x->body);
}

const char *http_peer(const struct http_exchange *x)
{
    return x->conn->peer;
}

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

void http_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

void *http_user(const struct http_exchange *x)
{
    return x->user;
}

/* ---- the answer ---- */

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    assert(*name != '\0');
    for (const char *c = name; *c != '\0'; c++) {
        assert(http_is_token((uint8_t)*c));
    }
    assert_plain(value);
    assert(x->state == EXCHANGE_BODY || x->state == EXCHANGE_HANDLING);
    if (buf_printf(&x->added, "%s: %s\r\n", name, value).code) {
        give_up(x->conn); /* an answer that lacks a header would be a wrong answer */
    }
}

static void answered(struct http_exchange *x)
{
    x->state = EXCHANGE_ANSWERED;
    http_conn_answered(x->conn);
}

void http_answer(struct http_exchange *x, unsigned status, const char *content_type,
                 struct bytes body)
{
    assert(x->state == EXCHANGE_BODY || x->state == EXCHANGE_HANDLING);
    assert(status >= 200 && status < 600);
    if (head_emit(x, status, content_type, FRAMED_BY_LENGTH, body.len) && !x->head_only &&
        !bodyless(status) && body.len > 0) {
        http_exchange_emit(x, body);
    }
    answered(x);
}

unsigned http_status_of(err e)
{
    static const unsigned status[ERR_COUNT] = {
        [ERR_NONE] = 200,  [ERR_AGAIN] = 503,   [ERR_CLOSED] = 503, [ERR_IO] = 500,
        [ERR_PROTO] = 400, [ERR_AUTH] = 401,    [ERR_MISSING] = 404, [ERR_LIMIT] = 413,
        [ERR_CONFLICT] = 409, [ERR_CORRUPT] = 500,
    };

    assert(e.code < ERR_COUNT);
    return status[e.code];
}

/* What JSON cannot hold becomes a question mark; the texts are ours and nearly all ASCII. */
static void json_text(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 3 < size; text++) {
        uint8_t c = (uint8_t)*text;
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
        }
        out[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    out[n] = '\0';
}

static void answer_error(struct http_exchange *x, unsigned status, const char *code,
                         const char *text)
{
    char message[1024];
    char body[1200];

    json_text(text, message, sizeof message);
    int n = snprintf(body, sizeof body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code,
                     message);
    http_answer(x, status, "application/json", (struct bytes){ (uint8_t *)body, (size_t)n });
}

void http_answer_error(struct http_exchange *x, err e)
{
    answer_error(x, http_status_of(e), err_name(e.code), err_text());
}

void http_exchange_refuse(struct http_exchange *x, unsigned status, const char *code,
                          const char *message)
{
    answer_error(x, status, code, message);
}

err http_answer_begin(struct http_exchange *x, unsigned status, const char *content_type,
                      void (*ready)(void *user), void *user)
{
    assert(x->state == EXCHANGE_BODY || x->state == EXCHANGE_HANDLING);
    assert(!bodyless(status));
    if (!head_emit(x, status, content_type, FRAMED_BY_CHUNKS, 0)) {
        FAIL(ERR_CLOSED, "the connection is over");
    }
    x->state = EXCHANGE_STREAMING;
    x->ready = ready;
    x->ready_user = user;
    return OK;
}

err http_answer_piece(struct http_exchange *x, struct bytes piece)
{
    struct http_conn *c = x->conn;
    char size[24];

    assert(x->state == EXCHANGE_STREAMING);
    if (c->over) {
        FAIL(ERR_CLOSED, "the connection is over");
    }
    if (piece.len == 0 || x->head_only) {
        return OK;
    }
    if (c->first != x || x->out.len > 0 || c->host.queued(c->host.self) > HTTP_UNSENT_MAX) {
        x->ready_due = true;
        http_conn_answered(c); /* watches from now on whether the peer takes anything */
        FAIL(ERR_LIMIT, "earlier octets of the connection are not yet sent");
    }
    int n = snprintf(size, sizeof size, "%zx\r\n", piece.len);
    http_exchange_emit(x, (struct bytes){ (uint8_t *)size, (size_t)n });
    http_exchange_emit(x, piece);
    http_exchange_emit(x, BYTES_LIT("\r\n"));
    return OK;
}

void http_answer_end(struct http_exchange *x)
{
    assert(x->state == EXCHANGE_STREAMING);
    if (!x->head_only) {
        http_exchange_emit(x, BYTES_LIT("0\r\n\r\n"));
    }
    answered(x);
}
