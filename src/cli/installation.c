/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/installation.h"

#include <string.h>

/* {kvs}, {sql} ... in a settings text stand for "127.0.0.1:PORT" of that service. */
const struct installed_service installed_services[INSTALLED_COUNT] = {
    { "kvs", PLACE_KVS,
      "data_dir: ../data/kvs\n"
      "root_key_file: ../secrets/root.key\n"
      "api_keys_file: kvs.keys\n"
      "anchor_file: ../data/kvs.anchor\n",
      "secure key-value store" },
    { "sql", PLACE_SQL,
      "kvs_url: https://{kvs}\n"
      "kvs_key_file: ../secrets/kvs-sql.key\n"
      "api_keys_file: sql.keys\n",
      "SQL over the store" },
    { "collector", PLACE_COLLECTOR,
      "sql_url: https://{sql}\n"
      "sql_key_file: ../secrets/sql-collector.key\n",
      "orders readings, acknowledges what is durable" },
    { "authenticator", PLACE_AUTHENTICATOR,
      "collector_address: {collector}\n"
      "session_key_file: ../pki/collector-session.key\n",
      "ends the meters' sessions" },
    { "aggregator", PLACE_AGGREGATOR,
      "authenticator_address: {authenticator}\n",
      "bridges meters, reads nothing" },
};

const struct installed_key installed_keys[] = {
    { "kvs", "sql", "read,write,delete,scan,admin:sql:" },
    { "kvs", "billing", "read,scan:sql:" },
    { "kvs", "fraud", "read,scan:sql:" },
    { "kvs", "cli", "read,write,delete,scan,admin,metrics:*:" },
    { "sql", "collector", "read,write,admin:sql:" },
    { "sql", "meter", "read,write,admin:sql:" },
    { "sql", "billing", "read:sql:" },
    { "sql", "fraud", "read:sql:" },
    { "sql", "cli", "read,write,admin:sql:" },
};
const size_t installed_key_count = sizeof installed_keys / sizeof installed_keys[0];

static const struct installed_service *service_named(struct bytes name)
{
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        if (bytes_equal(name, bytes_of_string(installed_services[i].name))) {
            return &installed_services[i];
        }
    }
    return NULL;
}

/* Copies `text` and puts addresses in the place of {service}. */
static err expand(const struct place *p, const char *text, struct buf *out)
{
    for (const char *at = text; *at != '\0';) {
        const char *open = strchr(at, '{');
        const char *close = open != NULL ? strchr(open, '}') : NULL;
        if (close == NULL) {
            return buf_string(out, at);
        }
        TRY(buf_append(out, (struct bytes){ (const uint8_t *)at, (size_t)(open - at) }));
        const struct installed_service *s = service_named(
            (struct bytes){ (const uint8_t *)open + 1, (size_t)(close - open - 1) });
        if (s == NULL) {
            FAIL(ERR_PROTO, "no such service in a settings text");
        }
        TRY(buf_string(out, place_address(p, s->port).text));
        at = close + 1;
    }
    return OK;
}

err installation_settings(const struct place *p, const struct installed_service *s, struct buf *out)
{
    enum place_port health = PLACE_HEALTH + s->port;

    TRY(buf_printf(out, "# %s: %s. Made by meterseal init; %s --help explains each key.\n", s->name,
                   s->help, s->name));
    TRY(buf_printf(out, "listen: %s\n", place_address(p, s->port).text));
    TRY(buf_printf(out, "health_listen: %s\n", place_address(p, health).text));
    TRY(buf_printf(out, "tls_certificate: ../pki/%s.crt\ntls_key: ../pki/%s.key\n", s->name,
                   s->name));
    TRY(buf_printf(out, "tls_ca: ../pki/ca.crt\ntee: sim\n"));
    return expand(p, s->settings, out);
}
