/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the command line to the services of a place, with the keys that init made for it. */
#pragma once

#include <jansson.h>

#include "lib/client/sql.h"
#include "lib/service/place.h"

/* A blocking client of `service` ("kvs" or "sql") with secrets/<service>-cli.key; gives. */
err calls_http(const struct place *p, const char *service, enum place_port port,
               struct http_client **out) MUST_USE;
err calls_sql(const struct place *p, struct sql_client **out) MUST_USE;
