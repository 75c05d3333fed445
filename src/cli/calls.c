/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calls.h"

struct call_paths {
    const char *service; /* borrowed: its role too */
    struct place_path url, ca, key;
};

static struct call_paths paths_of(const struct place *p, const char *service, enum place_port port)
{
    return (struct call_paths){
        .service = service,
        .url = place_url(p, port),
        .ca = place_path(p, "pki/ca.crt"),
        .key = place_path(p, "secrets/%s-cli.key", service),
    };
}

static struct http_client_options options_of(const struct call_paths *paths)
{
    return (struct http_client_options){
        .base_url = paths->url.text,
        .server_role = paths->service,
        .tls = { .ca = paths->ca.text },
        .bearer_file = paths->key.text,
        .connections_max = 1,
    };
}

err calls_http(const struct place *p, const char *service, enum place_port port,
               struct http_client **out)
{
    struct call_paths paths = paths_of(p, service, port);
    struct http_client_options options = options_of(&paths);

    return http_client_new(NULL, &options, out);
}

err calls_sql(const struct place *p, struct sql_client **out)
{
    struct call_paths paths = paths_of(p, "sql", PLACE_SQL);
    struct http_client_options options = options_of(&paths);

    return sql_client_new(NULL, &options, out);
}
