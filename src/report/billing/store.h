/* SPDX-License-Identifier: Apache-2.0 */
/* What billing needs of an installation: clients of the store, documents, keys, attestation. */
#pragma once

#include "lib/client/readings.h"
#include "lib/service/place.h"
#include "report/billing/bundling.h"
#include "report/billing/registry.h"
#include "report/billing/run.h"

struct store { /* a zeroed struct is closed */
    struct place place;
    struct kvs_client *kvs;
    struct sql_client *sql;
    struct readings *readings;
};
/* Also after a failure the caller closes. */
err store_open(const struct billing_options *o, struct store *out) MUST_USE;
void store_close(struct store *s);

struct terms { /* owned */
    struct tariff tariff;
    struct calendar calendar;
    struct buf tariff_json;
    struct buf calendar_json;
    struct buf institute;
    struct buf utility;
    struct buf evidence;
    struct private_key *key;
    struct digest measurement;
    int64_t start_s;
    int64_t end_s;
    struct plan *plan;
    char out_dir[PATH_MAX];
    char bills_dir[PATH_MAX]; /* where bills of other periods are looked for; "" = nowhere */
};
/* Tariff, calendar, period, folder of the bundles. */
err terms_load(const struct billing_options *o, const struct place *p, struct terms *out) MUST_USE;
/* Keys, certificates and evidence, to sign with. */
err terms_load_keys(const struct place *p, struct terms *out) MUST_USE;
void terms_done(struct terms *t);
struct bundle_terms terms_bundle(const struct terms *t);
