/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_call.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/net/http_guard.h"

#define CONNECT_US_MAX UINT64_C(5000000)
/* Our servers close idle connections after 60 s: one that old is not used again. */
#define CONNECTION_AGE_S_MAX 50L
#define CURL_BUFFER_BYTES 65536L

/* ---- libcurl ---- */

static CURLcode curl_started;

static void curl_start_once(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

err http_curl_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, curl_start_once);
    if (curl_started != CURLE_OK) {
        FAIL(ERR_IO, "libcurl does not start: %s", curl_easy_strerror(curl_started));
    }
    const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
    if (tls == NULL || strncmp(tls, "OpenSSL", 7) != 0) {
        FAIL(ERR_IO, "libcurl must be the one with OpenSSL (libcurl4-openssl-dev), not %s",
             tls != NULL ? tls : "one without TLS");
    }
    return OK;
}

/* ---- what comes back ---- */

static size_t on_body(char *octets, size_t size, size_t count, void *arg)
{
    struct http_request *r = arg;
    size_t n = size * count;

    if (buf_append(&r->answer, (struct bytes){ (uint8_t *)octets, n }).code) {
        r->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return n;
}

static struct bytes trimmed(struct bytes t)
{
    while (t.len > 0 && (t.ptr[0] == ' ' || t.ptr[0] == '\t')) {
        t.ptr++;
        t.len--;
    }
    while (t.len > 0 && t.ptr[t.len - 1] <= ' ') {
        t.len--;
    }
    return t;
}

static void etag_set(struct http_request *r, struct bytes value)
{
    if (bytes_have_prefix(value, BYTES_LIT("W/"))) {
        value.ptr += 2;
        value.len -= 2;
    }
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"') {
        value.ptr++;
        value.len -= 2;
    }
    if (value.len <= sizeof r->etag) {
        memcpy(r->etag, value.ptr, value.len);
        r->etag_len = value.len;
    }
}

static size_t on_header(char *octets, size_t size, size_t count, void *arg)
{
    struct http_request *r = arg;
    struct bytes line = { (uint8_t *)octets, size * count };

    if (bytes_have_prefix(line, BYTES_LIT("HTTP/"))) {
        r->etag_len = 0; /* a new head, behind a 100 */
    } else if (line.len > 5 && strncasecmp(octets, "etag:", 5) == 0) {
        etag_set(r, trimmed((struct bytes){ line.ptr + 5, line.len - 5 }));
    }
    return line.len;
}

/* Only alerts about certificates are worth telling from other failures of a connection. */
static bool refused_certificate(const char *text)
{
    const char *alert = strstr(text, " alert ");

    return alert != NULL && (strstr(alert, "certificate") != NULL || strstr(alert, "unknown ca"));
}

static enum err_code code_of(const struct http_request *r, CURLcode code)
{
    switch (code) {
    case CURLE_OK: return ERR_NONE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return ERR_AUTH;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_OUT_OF_MEMORY: return ERR_LIMIT;
    case CURLE_WRITE_ERROR: return r->too_large ? ERR_LIMIT : ERR_IO;
    default: return refused_certificate(r->error) ? ERR_AUTH : ERR_IO;
    }
}

err http_request_result(struct http_request *r, CURLcode code, struct http_answer *answer)
{
    long status = 0;

    if (r->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        FAIL(ERR_LIMIT, "%s: the answer has more than %zu octets", r->url,
             r->client->answer_bytes_max);
    }
    if (code != CURLE_OK) {
        err_set(__FILE__, __LINE__, "%s: %s", r->url,
                r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
        return (err){ code_of(r, code) };
    }
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    *answer = (struct http_answer){ .status = (unsigned)status,
                                    .body = buf_bytes(&r->answer),
                                    .etag = { (uint8_t *)r->etag, r->etag_len } };
    return OK;
}

/* ---- the handle ---- */

static bool set_trust(CURL *e, const struct http_client *c)
{
    bool ok = curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_CAINFO, c->ca) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK && /* not the system's */
              curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK;

    if (ok && c->certificate != NULL) {
        ok = curl_easy_setopt(e, CURLOPT_SSLCERT, c->certificate) == CURLE_OK &&
             curl_easy_setopt(e, CURLOPT_SSLKEY, c->key) == CURLE_OK;
    }
    if (ok && c->address != NULL) {
        ok = curl_easy_setopt(e, CURLOPT_CONNECT_TO, c->address) == CURLE_OK;
    }
    return ok;
}

static bool set_bounds(CURL *e, const struct http_client *c)
{
    uint64_t connect_us = c->timeout_us < CONNECT_US_MAX ? c->timeout_us : CONNECT_US_MAX;

    return curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)((c->timeout_us + 999) / 1000)) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)((connect_us + 999) / 1000)) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->answer_bytes_max) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, CONNECTION_AGE_S_MAX) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_BUFFERSIZE, CURL_BUFFER_BYTES) == CURLE_OK;
}

/* No proxy of the environment, no redirect, no signal, no other protocol, the path as given. */
static bool set_manners(CURL *e, const struct http_client *c)
{
    return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, c->secure ? "https" : "http") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
}

static bool set_callbacks(struct http_request *r)
{
    CURL *e = r->easy;

    return curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, r) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, r) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, r) == CURLE_OK;
}

err http_request_new(struct http_client *c, struct http_request **out)
{
    struct http_request *r = mem_take(sizeof *r);

    if (r == NULL) {
        FAIL(ERR_LIMIT, "no memory for an HTTP call");
    }
    r->client = c;
    r->answer.max = c->answer_bytes_max;
    r->easy = curl_easy_init();
    if (r->easy == NULL || !set_callbacks(r) || !set_bounds(r->easy, c) ||
        !set_manners(r->easy, c) || (c->secure && !set_trust(r->easy, c))) {
        http_request_free(r);
        FAIL(ERR_LIMIT, "no memory for an HTTP call");
    }
    *out = r;
    return OK;
}

/* ---- what goes out ---- */

static err line_add(struct http_request *r, const char *line)
{
    struct curl_slist *longer = curl_slist_append(r->headers, line);

    if (longer == NULL) {
        FAIL(ERR_LIMIT, "no memory for a header");
    }
    r->headers = longer;
    return OK;
}

static err line_check(const char *line)
{
    size_t n = 0;

    for (; line[n] != '\0' && n <= HTTP_CALL_HEADER_BYTES_MAX; n++) {
        if (!http_is_value((uint8_t)line[n])) {
            FAIL(ERR_PROTO, "a header line may have visible ASCII, blanks and tabs only");
        }
    }
    if (n == 0 || n > HTTP_CALL_HEADER_BYTES_MAX) {
        FAIL(ERR_LIMIT, "a header line may have 1 to %d octets", HTTP_CALL_HEADER_BYTES_MAX);
    }
    return OK;
}

static err headers_set(struct http_request *r, const struct http_call *call)
{
    char line[256];

    snprintf(line, sizeof line, "Content-Type:%s%s", call->content_type != NULL ? " " : "",
             call->content_type != NULL ? call->content_type : "");
    TRY(line_check(line));
    TRY(line_add(r, line));
    TRY(line_add(r, "Expect:")); /* a second round trip before each body */
    if (r->client->bearer != NULL) {
        TRY(line_add(r, r->client->bearer));
    }
    for (int i = 0; i < 8 && call->headers[i] != NULL; i++) {
        TRY(line_check(call->headers[i]));
        TRY(line_add(r, call->headers[i]));
    }
    if (curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) != CURLE_OK) {
        FAIL(ERR_LIMIT, "no memory for headers");
    }
    return OK;
}

/* Gives base and target in one text. */
static err url_join(const char *base, const char *target, char **out)
{
    size_t size = strlen(base) + strlen(target) + 1;

    *out = mem_take(size);
    if (*out == NULL) {
        FAIL(ERR_LIMIT, "no memory for a URL");
    }
    snprintf(*out, size, "%s%s", base, target);
    return OK;
}

static err url_set(struct http_request *r, const char *target)
{
    const struct http_client *c = r->client;
    AUTO(mem_givep) char *role_url = NULL;

    if (*target != '/') {
        FAIL(ERR_PROTO, "a target must begin with '/'");
    }
    for (const char *at = target; *at != '\0'; at++) {
        if ((uint8_t)*at <= 0x20 || (uint8_t)*at >= 0x7f || *at == '#') {
            FAIL(ERR_PROTO, "a target must be escaped: see http_escape");
        }
    }
    TRY(url_join(c->base_url, target, &r->url)); /* for people; libcurl copies its own */
    if (c->role_url != NULL) {
        TRY(url_join(c->role_url, target, &role_url));
    }
    if (curl_easy_setopt(r->easy, CURLOPT_URL, role_url != NULL ? role_url : r->url) != CURLE_OK) {
        FAIL(ERR_LIMIT, "no memory for a URL");
    }
    return OK;
}

static bool has_body(const struct http_call *call)
{
    return call->body.len > 0 || strcmp(call->method, "PUT") == 0 ||
           strcmp(call->method, "POST") == 0 || strcmp(call->method, "PATCH") == 0;
}

static err body_set(struct http_request *r, struct bytes body)
{
    r->body = mem_take(body.len + 1);
    if (r->body == NULL) {
        FAIL(ERR_LIMIT, "no memory for a body of %zu octets", body.len);
    }
    if (body.len > 0) {
        memcpy(r->body, body.ptr, body.len);
    }
    if (curl_easy_setopt(r->easy, CURLOPT_POST, 1L) != CURLE_OK ||
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->body) != CURLE_OK ||
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) != CURLE_OK) {
        FAIL(ERR_LIMIT, "no memory for a body");
    }
    return OK;
}

static err method_set(struct http_request *r, const struct http_call *call)
{
    bool head = strcmp(call->method, "HEAD") == 0;
    CURLcode rc = curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);

    if (rc == CURLE_OK && head) {
        rc = curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
    }
    if (rc == CURLE_OK && !head && has_body(call)) {
        TRY(body_set(r, call->body));
    }
    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, head ? NULL : call->method);
    }
    if (rc != CURLE_OK) {
        FAIL(ERR_LIMIT, "no memory for a call");
    }
    return OK;
}

err http_request_set(struct http_request *r, const struct http_call *call)
{
    TRY(url_set(r, call->target));
    TRY(method_set(r, call));
    return headers_set(r, call);
}

/* One of the lines may be the bearer's: all are wiped. */
static void headers_free(struct http_request *r)
{
    for (struct curl_slist *at = r->headers; at != NULL; at = at->next) {
        explicit_bzero(at->data, strlen(at->data));
    }
    curl_slist_free_all(r->headers);
    r->headers = NULL;
}

void http_request_clear(struct http_request *r)
{
    if (r->easy != NULL) {
        curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, NULL);
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, NULL);
    }
    headers_free(r);
    mem_give(TAKE(r->url));
    mem_give(TAKE(r->body));
    buf_done(&r->answer);
    r->too_large = false;
    r->etag_len = 0;
    r->error[0] = '\0';
}

void http_request_free(struct http_request *r)
{
    if (r != NULL) {
        http_request_clear(r);
        curl_easy_cleanup(r->easy);
        mem_give(r);
    }
}

/* ---- without a loop ---- */

err http_call(struct http_client *c, const struct http_call *call, unsigned *out_status,
              struct buf *out_body)
{
    struct http_answer answer = { 0 };

    if (c->blocking == NULL) {
        TRY(http_request_new(c, &c->blocking));
    }
    struct http_request *r = c->blocking;
    err e = http_request_set(r, call);
    if (!e.code) {
        e = http_request_result(r, curl_easy_perform(r->easy), &answer);
    }
    if (!e.code) {
        e = buf_append(out_body, answer.body);
    }
    if (!e.code) {
        *out_status = answer.status;
    }
    http_request_clear(r);
    return e;
}

static bool unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

err http_escape(struct bytes text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t size = 0;

    for (size_t i = 0; i < text.len; i++) {
        size += unreserved(text.ptr[i]) ? 1 : 3;
    }
    TRY(buf_reserve(out, size));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (unreserved(c)) {
            out->ptr[out->len++] = c;
            continue;
        }
        out->ptr[out->len++] = '%';
        out->ptr[out->len++] = (uint8_t)hex[c >> 4];
        out->ptr[out->len++] = (uint8_t)hex[c & 15];
    }
    return OK;
}
