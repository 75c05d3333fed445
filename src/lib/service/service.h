/* SPDX-License-Identifier: Apache-2.0 */
/* What every service is: a name, settings, a start and a graceful stop. main.c of a service is its
 * descriptor and a call of service_main:
 *
 *     NAME --config FILE [--key=value ...] | --help | --version | --settings-markdown
 *
 * service_main reads the settings, hardens the process (no core dumps), starts the loop, serves
 * /healthz, /readyz and /metrics on `health_listen`, and on SIGTERM calls `stop`, waits until it is
 * done (30 s at most) and exits 0. Exit 1: could not start or failed, with one clear line on
 * stderr; 2: wrong usage. */
#pragma once

#include <stddef.h>

#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "lib/service/config.h"

struct service_common { /* the first member of every service's config struct */
    const char *health_listen; /* plain HTTP on loopback, "127.0.0.1:0" allowed */
    const char *tls_certificate;
    const char *tls_key;
    const char *tls_ca;
    const char *log_level;     /* debug, info, warn, error */
    const char *port_file; /* written when ready: one "name port" line per listener; "" = none */
    const char *tee;           /* evidence provider: "sim" until attestation comes */
};

/* The settings of service_common, to stand first in each table. */
#define SERVICE_COMMON_SETTINGS                                                                    \
    { "health_listen", SETTING_ADDRESS, offsetof(struct service_common, health_listen),            \
      "127.0.0.1:0", 0, 0, NULL, "where /healthz, /readyz and /metrics are served" },              \
    { "tls_certificate", SETTING_PATH, offsetof(struct service_common, tls_certificate), NULL,     \
      0, 0, NULL, "PEM certificate of this service" },                                             \
    { "tls_key", SETTING_PATH, offsetof(struct service_common, tls_key), NULL, 0, 0, NULL,         \
      "PEM private key, mode 0600" },                                                              \
    { "tls_ca", SETTING_PATH, offsetof(struct service_common, tls_ca), NULL, 0, 0, NULL,           \
      "PEM certificate of the CA that all services trust" },                                       \
    { "log_level", SETTING_TEXT, offsetof(struct service_common, log_level), "info", 0, 0, NULL,   \
      "debug, info, warn or error" },                                                              \
    { "port_file", SETTING_PATH, offsetof(struct service_common, port_file), "", 0, 0, NULL,       \
      "file that names the ports in use, written when ready" },                                    \
    { "tee", SETTING_TEXT, offsetof(struct service_common, tee), "sim", 0, 0, NULL,                \
      "attestation provider; sim is INSECURE and for development" }

struct service_run { /* what start gets */
    struct loop *loop;
    struct tls *tls;
    const void *config;
    void *state; /* service.state_size zeroed octets */
};

struct service {
    const char *name; /* its role: certificate name, svc= in logs */
    const char *help; /* one line */
    struct settings settings;
    size_t state_size;
    err (*start)(struct service_run *run);
    /* Finish and flush; call `done` (any time, once) when that is so. */
    void (*stop)(struct service_run *run, void (*done)(void *arg), void *arg);
    /* After the loop ended and every stream said `closed`; also after a start that failed, so it
     * must bear a state that is partly zero. The loop and its http_servers, http_clients are still
     * there to be freed by it. May be NULL. */
    void (*free)(struct service_run *run);
};

int service_main(const struct service *s, int argc, char **argv);

/* For start: names a listener's port for the port file and the log. */
void service_port(struct service_run *run, const char *name, unsigned port);
/* Ready or not, with a constant reason; /readyz answers 200 or 503. Not ready at start. */
void service_ready(struct service_run *run, bool ready, const char *reason);
/* An error the service cannot live with: logs it and exits 1 by way of `stop`. */
void service_fatal(struct service_run *run, err e);
