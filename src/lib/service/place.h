/* SPDX-License-Identifier: Apache-2.0 */
/* One directory that holds a whole embedded installation, as `meterseal init` makes it:
 *
 *     DIR/etc/<service>.yaml   settings of each service      DIR/etc/ports   the first port
 *     DIR/pki/                 development PKI: ca, institute, services, collector's session key
 *     DIR/secrets/             root key, API keys (0600)
 *     DIR/data/kvs/            sealed files
 *     DIR/meters/              keys of the simulated meters
 *     DIR/log/                 one log a service             DIR/run/        locks, pids
 *
 * Tools find everything from DIR alone. */
#pragma once

#include <limits.h>

#include "lib/net/http_client.h"

enum place_port { /* added to the first port */
    PLACE_KVS, PLACE_SQL, PLACE_COLLECTOR, PLACE_AUTHENTICATOR, PLACE_AGGREGATOR,
    PLACE_HEALTH = 10, /* + the number of the service above */
    PLACE_PORTS = 20,
};

struct place {
    char dir[PATH_MAX];
    unsigned first_port;
};

struct place_path {
    char text[PATH_MAX];
};

/* METERSEAL_DIR, else "meterseal-data": what --dir means when it is not given. */
const char *place_default_dir(void);

/* ERR_MISSING when `dir` is no installation; the text says how to make one. */
err place_open(const char *dir, struct place *out) MUST_USE;
/* DIR/<relative>; the relative path is a constant of ours, too long asserts. */
struct place_path place_path(const struct place *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "127.0.0.1:<port>" and "https://127.0.0.1:<port>" */
struct place_path place_address(const struct place *p, enum place_port port);
struct place_path place_url(const struct place *p, enum place_port port);
