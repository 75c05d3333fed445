/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, revocation, and the signatures of bill and seals. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/meter_id.h"
#include "report/audit/inside.h"

/* The auditor's own file where one is given, the bundle's otherwise. */
static struct bytes trusted(const struct audit *a, struct bytes given, enum audit_file file)
{
    return given.len > 0 ? given : a->files->octets[file];
}

void audit_bill_signature(struct audit *a)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(public_key_freep) struct public_key *key = NULL;
    struct digest hash = bill_hash(a->files->octets[AUDIT_BILL]);

    if (!a->files->present[AUDIT_BILL]) {
        return;
    }
    if (!a->files->present[AUDIT_SIGNATURE]) {
        found(a, E203, NOWHERE, "%s is missing", BUNDLE_SIGNATURE);
        return;
    }
    if (cert_from_pem(trusted(a, a->options->utility, AUDIT_UTILITY), &cert).code ||
        cert_public_key(cert, &key).code) {
        found(a, E203, NOWHERE, "the utility's certificate: %s", err_text());
        return;
    }
    if (verify(key, DIGEST_VIEW(&hash), a->files->octets[AUDIT_SIGNATURE]).code) {
        found(a, E203, NOWHERE, "the bill is not signed by the utility");
    }
}

/* --- revocation: a list signed by the institute --- */

#define REVOKED_ENTRIES_MAX 100000

static err revoked_find(const json_t *doc, const struct digest *cert, bool *out, int64_t *out_from)
{
    static const char *const fields[] = { "certificates", "schema", NULL };
    static const char *const entry_fields[] = { "from", "hash", NULL };
    json_t *list;

    TRY(canon_fields(doc, fields));
    TRY(json_field_array(doc, "certificates", &list));
    if (json_array_size(list) > REVOKED_ENTRIES_MAX) {
        FAIL(ERR_LIMIT, "more than %d revoked certificates", REVOKED_ENTRIES_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        struct digest hash;
        int64_t from = 0;
        TRY(canon_fields(entry, entry_fields));
        TRY(canon_field_digest(entry, "hash", &hash));
        TRY(json_field_int(entry, "from", 0, UINT32_MAX, &from));
        if (digest_equal(&hash, cert)) {
            *out_from = *out && *out_from < from ? *out_from : from; /* the earliest counts */
            *out = true;
        }
    }
    return OK;
}

static void check_revoked(struct audit *a, const struct cert *cert, const struct public_key *issuer)
{
    AUTO(json_freep) json_t *doc = NULL;
    bool own = a->options->revoked.len > 0;
    struct bytes text = trusted(a, a->options->revoked, AUDIT_REVOKED);
    struct bytes signature =
        own ? a->options->revoked_signature : a->files->octets[AUDIT_REVOKED_SIGNATURE];
    struct digest signed_hash = sha256_domain("meterseal.revoked.v1", text);
    struct digest hash = cert_hash(cert);
    bool revoked = false;
    int64_t from = 0;

    if (!own && !a->files->present[AUDIT_REVOKED]) {
        return;
    }
    if (verify(issuer, DIGEST_VIEW(&signed_hash), signature).code) {
        found(a, E203, NOWHERE, "the list of revoked certificates is not signed by the institute");
    }
    err e = canon_read(text, &doc);
    e = e.code ? e : revoked_find(doc, &hash, &revoked, &from);
    if (e.code) {
        found(a, e.code == ERR_CORRUPT ? E103 : E101, NOWHERE, "list of revoked certificates: %s",
              err_text());
        return;
    }
    for (size_t i = 0; revoked && i < a->seal_count; i++) {
        if (a->seals[i].seal.end_s > from) {
            found(a, E202, AT_DAY(a->seals[i].seal.start_s),
                  "the meter's certificate is revoked since %" PRId64, from);
            return;
        }
    }
}

/* --- the meter's certificate and what it signed --- */

static void check_identity(struct audit *a, const struct cert *cert)
{
    char want[METER_ID_CHARS + 1];
    char name[80];
    struct digest hash = cert_hash(cert);

    meter_id_text(a->bill.meter.id, want);
    if (cert_common_name(cert, name, sizeof name).code || strcmp(name, want) != 0) {
        found(a, E201, NOWHERE, "the certificate is not of this meter");
    }
    if (!digest_equal(&hash, &a->bill.meter.certificate)) {
        found_digests(a, E201, NOWHERE, &a->bill.meter.certificate, &hash,
                      "the bill names another certificate");
    }
}

/* The institute's certificate is a root, signed by itself. When it is trusted is the auditor's
 * business, so its own dates are not held against the seals. */
static void check_root(struct audit *a, const struct cert *institute)
{
    int64_t from_s = 0;
    int64_t to_s = 0;

    cert_validity(institute, &from_s, &to_s);
    if (cert_check(institute, institute, from_s).code) {
        found(a, E202, NOWHERE, "the institute's certificate: %s", err_text());
    }
}

/* The first bad day is named. */
static void check_validity(struct audit *a, const struct cert *cert, const struct cert *institute)
{
    for (size_t i = 0; i < a->seal_count; i++) {
        if (cert_check(cert, institute, a->seals[i].seal.end_s).code) {
            found(a, E202, AT_DAY(a->seals[i].seal.start_s), "%s", err_text());
            return;
        }
    }
}

static void check_seals(struct audit *a, const struct public_key *key)
{
    for (size_t i = 0; i < a->seal_count; i++) {
        const struct seal *s = &a->seals[i].seal;
        if (seal_verify(&a->seals[i], key).code) {
            found(a, E203, AT_DAY(s->start_s),
                  "the seal is not signed by the meter's certified key");
        }
    }
}

void audit_keys(struct audit *a)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(cert_freep) struct cert *institute = NULL;
    AUTO(public_key_freep) struct public_key *key = NULL;
    AUTO(public_key_freep) struct public_key *issuer = NULL;

    if (!a->files->present[AUDIT_METER]) {
        found(a, E201, NOWHERE, "no certificate of the meter");
        return;
    }
    if (cert_from_pem(a->files->octets[AUDIT_METER], &cert).code ||
        cert_public_key(cert, &key).code) {
        found(a, E201, NOWHERE, "the meter's certificate: %s", err_text());
        return;
    }
    check_identity(a, cert);
    check_seals(a, key);
    if (cert_from_pem(trusted(a, a->options->institute, AUDIT_INSTITUTE), &institute).code ||
        cert_public_key(institute, &issuer).code) {
        found(a, E202, NOWHERE, "the institute's certificate: %s", err_text());
        return;
    }
    check_root(a, institute);
    check_validity(a, cert, institute);
    check_revoked(a, cert, issuer);
}
