/* SPDX-License-Identifier: Apache-2.0 */
/* The service `sql`: the engine behind HTTPS `POST /sql`, on the key-value store. */
#pragma once

#include "lib/service/service.h"

struct sql_config {
    struct service_common common;
    const char *listen;
    const char *kvs_url;
    const char *kvs_key_file;
    const char *api_keys_file;
    const char *roles;
    uint64_t connections_max;
    uint64_t kvs_connections_max;
    uint64_t statements_max;
    uint64_t statement_rows_max;
    uint64_t statement_time_s;
    uint64_t slow_ms;
};

extern const struct service sql_service;
