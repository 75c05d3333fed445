/* SPDX-License-Identifier: Apache-2.0 */
/* The services of an embedded installation: one table for init, the supervisor and status. */
#pragma once

#include "lib/service/place.h"

struct installed_service {
    const char *name; /* program in libexec, role in its certificate, settings file */
    enum place_port port;
    const char *settings; /* format of its own settings; see installation_settings */
    const char *help;
};

#define INSTALLED_COUNT 5
/* In start order: each needs those before it. */
extern const struct installed_service installed_services[INSTALLED_COUNT];

/* API keys that init makes: who calls which service, with which rights. */
struct installed_key {
    const char *service; /* whose key file gets the line: "kvs", "sql" */
    const char *user;    /* secrets/<service>-<user>.key */
    const char *scopes;
};
extern const struct installed_key installed_keys[];
extern const size_t installed_key_count;

/* Appends the YAML of a service of this place. */
err installation_settings(const struct place *p, const struct installed_service *s, struct buf *out)
    MUST_USE;

/* Makes a whole installation in `dir`: PKI, keys, settings. `first_port`: a number, "auto" or NULL
 * for the default. ERR_CONFLICT when there is one already. */
err installation_make(const char *dir, const char *first_port, struct place *out) MUST_USE;
