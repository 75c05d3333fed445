/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/health.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"

#define HEALTH_PATIENCE_US (2 * US_PER_S)
#define HEALTH_ANSWER_BYTES_MAX (1u << 20)

static err ask(const struct place *p, const struct installed_service *s, const char *target,
               unsigned *out_status, struct buf *out)
{
    AUTO(http_client_freep) struct http_client *client = NULL;
    char url[sizeof(struct place_path) + 16];
    struct http_client_options options = {
        .base_url = url,
        .timeout_us = HEALTH_PATIENCE_US,
        .answer_bytes_max = HEALTH_ANSWER_BYTES_MAX,
    };
    struct http_call call = { .method = "GET", .target = target };

    snprintf(url, sizeof url, "http://%s", place_address(p, PLACE_HEALTH + s->port).text);
    TRY(http_client_new(NULL, &options, &client));
    return http_call(client, &call, out_status, out);
}

static int read_pid(const struct place *p, const struct installed_service *s)
{
    AUTO(buf_done) struct buf text = { .max = 16 };
    uint64_t pid = 0;

    err e = file_read(place_path(p, "run/%s.pid", s->name).text, &text);
    if (!e.code && text.len > 1) {
        e = decimal_parse((struct bytes){ text.ptr, text.len - 1 }, INT32_MAX, &pid);
    }
    return e.code ? 0 : (int)pid;
}

static void take_reason(struct service_health *h, struct bytes body)
{
    size_t n = body.len < sizeof h->reason - 1 ? body.len : sizeof h->reason - 1;

    for (size_t i = 0; i < n; i++) {
        h->reason[i] = body.ptr[i] >= ' ' && body.ptr[i] < 0x7f ? (char)body.ptr[i] : ' ';
    }
}

struct service_health health_of(const struct place *p, const struct installed_service *s)
{
    AUTO(buf_done) struct buf body = { .max = HEALTH_ANSWER_BYTES_MAX };
    struct service_health h = { .pid = read_pid(p, s) };
    unsigned status = 0;

    err e = ask(p, s, "/readyz", &status, &body);
    h.alive = !e.code;
    h.ready = h.alive && status == 200;
    if (!h.ready) {
        take_reason(&h, h.alive ? buf_bytes(&body) : bytes_of_string("does not answer"));
    }
    return h;
}
