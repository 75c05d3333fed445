/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/keyring.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/wire/meter_id.h"

/* Simulated meters seal days of the past: their certificates begin before any series we replay. */
#define CERTIFIED_FROM_S INT64_C(1420070400) /* 2015-01-01 */
#define CERTIFIED_YEARS 20
#define PSEUDONYM_DOMAIN "meterseal.contract.v1"

void keyring_done(struct keyring *k)
{
    private_key_freep(&k->session);
    private_key_freep(&k->signing);
    buf_done(&k->certificate);
}

static struct place_path path_of(const struct place *p, uint64_t meter)
{
    return place_path(p, "meters/%" PRI_METER ".pem", meter);
}

/* Takes one PEM text off the front. */
static err take_pem(struct bytes *in, struct bytes *out)
{
    static const char mark[] = "-----END ";
    const uint8_t *end = memmem(in->ptr, in->len, mark, sizeof mark - 1);
    const uint8_t *newline =
        end != NULL ? memchr(end, '\n', (size_t)(in->ptr + in->len - end)) : NULL;

    if (newline == NULL) {
        FAIL(ERR_PROTO, "a PEM text is missing or cut");
    }
    size_t n = (size_t)(newline + 1 - in->ptr);
    return bytes_read(in, n, out);
}

static err parse(struct bytes text, struct keyring *out)
{
    struct bytes part;

    TRY(take_pem(&text, &part));
    TRY(private_key_from_pem(part, &out->session));
    TRY(take_pem(&text, &part));
    TRY(private_key_from_pem(part, &out->signing));
    out->pseudonym = sha256_domain(PSEUDONYM_DOMAIN, part);
    TRY(take_pem(&text, &part));
    return buf_append(&out->certificate, part);
}

err keyring_load(const struct place *p, uint64_t meter, struct keyring *out)
{
    AUTO(buf_wipe) struct buf text = { .max = KEYRING_FILE_BYTES_MAX };
    struct keyring k = { .certificate.max = KEYRING_FILE_BYTES_MAX };
    struct place_path path = path_of(p, meter);

    TRY(file_read(path.text, &text));
    err e = parse(buf_bytes(&text), &k);
    if (e.code) {
        keyring_done(&k);
        return err_context(e, "%s", path.text);
    }
    *out = k;
    return OK;
}

err institute_load(const struct place *p, struct institute *out)
{
    AUTO(buf_wipe) struct buf text = { .max = KEYRING_FILE_BYTES_MAX };
    struct institute i = { .certificate.max = KEYRING_FILE_BYTES_MAX };
    struct place_path key = place_path(p, "pki/institute.key");

    TRY(file_read(key.text, &text));
    err e = private_key_from_pem(buf_bytes(&text), &i.key);
    if (e.code) {
        return err_context(e, "%s", key.text);
    }
    e = file_read(place_path(p, "pki/institute.crt").text, &i.certificate);
    if (e.code) {
        institute_done(&i);
        return e;
    }
    *out = i;
    return OK;
}

void institute_done(struct institute *i)
{
    private_key_freep(&i->key);
    buf_done(&i->certificate);
}

static err certify(const struct institute *by, uint64_t meter, const struct private_key *signing,
                   struct buf *out)
{
    AUTO(public_key_freep) struct public_key *subject = NULL;
    int64_t now = (int64_t)(time_utc_us() / US_PER_S);
    char name[METER_ID_CHARS + 1];
    const struct cert_request request = {
        .use = CERT_METER,
        .common_name = name,
        .not_before_s = CERTIFIED_FROM_S,
        .not_after_s = now + INT64_C(366) * CERTIFIED_YEARS * S_PER_DAY,
    };

    meter_id_text(meter, name);
    TRY(public_key_of(signing, &subject));
    return cert_issue(&request, subject, by->key, buf_bytes(&by->certificate), out);
}

err keyring_make(const struct place *p, const struct institute *by, uint64_t meter, bool *made)
{
    AUTO(private_key_freep) struct private_key *session = NULL;
    AUTO(private_key_freep) struct private_key *signing = NULL;
    AUTO(buf_wipe) struct buf text = { .max = KEYRING_FILE_BYTES_MAX };
    struct place_path path = path_of(p, meter);

    if (access(path.text, F_OK) == 0) {
        *made = false;
        return OK;
    }
    TRY(buf_reserve(&text, KEYRING_FILE_BYTES_MAX)); /* never moved: no copy of a key is left */
    TRY(private_key_new(SIGN_RSA2048, &session));
    TRY(private_key_new(SIGN_P256, &signing));
    TRY(private_key_to_pem(session, &text));
    TRY(private_key_to_pem(signing, &text));
    TRY(certify(by, meter, signing, &text));
    TRY(file_write(path.text, buf_bytes(&text), 0600));
    *made = true;
    return OK;
}

err collector_key_load(const struct place *p, struct public_key **out)
{
    AUTO(buf_done) struct buf der = { .max = SPKI_BYTES_MAX };
    struct place_path path = place_path(p, "pki/collector-session.spki");

    TRY(file_read(path.text, &der));
    return err_context(public_key_from_spki(buf_bytes(&der), out), "%s", path.text);
}

uint64_t meter_id_of_serial(uint32_t serial)
{
    uint64_t id = 0;

    for (unsigned shift = 0; shift < 32; shift += 4) {
        id |= (uint64_t)(serial % 10) << shift;
        serial /= 10;
    }
    return id;
}

uint32_t meter_serial_of_id(uint64_t id)
{
    uint32_t serial = 0;

    for (int shift = 28; shift >= 0; shift -= 4) {
        serial = serial * 10 + (uint32_t)(id >> shift & 15);
    }
    return serial;
}
