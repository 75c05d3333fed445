/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a gateway on loopback with a loop in a thread of its own, and somebody who calls
 * it. */
#pragma once

#include "lib/net/test_pki.h"
#include "store/kvs/gateway.h"
#include "store/kvs/store_fixture.h"

struct site {
    struct store store; /* its committer and readers are not started: the gateway has its own */
    struct loop *loop;
    struct tls *tls;
    struct test_pki pki;
    pthread_t thread;
    struct gateway *gateway;
    struct api_keys *keys;
    char url[64];
    char all[128];    /* API keys: every right */
    char reader[128]; /* read and scan of space s */
    char prefix[128]; /* read, write, delete, scan of keys with "job-" in space s */
    char writer[128]; /* write of space s, without read */
    char expired[128];
    char key_files[5][96]; /* the same, in files: all, reader, prefix, writer, expired */
};

/* With TLS, or plain for tests that write their own octets. The space "s" exists. */
void site_begin(struct site *s, bool with_tls, uint64_t body_octets_max);
void site_restart(struct site *s); /* graceful stop, start on the same data */
void site_end(struct site *s);

/* Octets to the plain gateway, and its whole answer as text until it closes or the answer is
 * complete. The text lives until the next call. */
const char *site_raw(struct site *s, const char *request, size_t size);

/* method, target, key (NULL = none), further header lines ("" or "Name: value\r\n..."), body; the
 * answer's head and body as text. */
const char *site_call(struct site *s, const char *method, const char *target, const char *key,
                      const char *headers, const char *body);
int site_connect(struct site *s); /* a plain connection; the caller closes it */
unsigned status_of(const char *answer);
/* The text behind "Name: " up to the end of the line, or NULL. */
const char *header_of(const char *answer, const char *name);
const char *body_of(const char *answer);
