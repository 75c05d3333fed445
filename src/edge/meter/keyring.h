/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of one simulated meter, as they lie in DIR/meters/<16 hex digits>.pem (0600): session
 * key, signing key, certificate of the signing key by the metrology institute. */
#pragma once

#include "lib/crypto/cert.h"
#include "lib/service/place.h"

#define KEYRING_FILE_BYTES_MAX 16384

struct keyring {
    struct private_key *session; /* RSA-2048 */
    struct private_key *signing; /* P-256 */
    struct buf certificate;      /* PEM */
    struct digest pseudonym;     /* of its contract: nobody finds it without the signing key */
};

void keyring_done(struct keyring *k);

/* ERR_MISSING: no such meter; ERR_PROTO names the file. */
err keyring_load(const struct place *p, uint64_t meter, struct keyring *out) MUST_USE;

/* Who certifies: DIR/pki/institute.key and .crt. */
struct institute {
    struct private_key *key;
    struct buf certificate;
};
err institute_load(const struct place *p, struct institute *out) MUST_USE;
void institute_done(struct institute *i);

/* Makes keys and certificate of a meter and writes its file, unless there is one. May be called by
 * several threads for different meters. */
err keyring_make(const struct place *p, const struct institute *by, uint64_t meter, bool *made)
    MUST_USE;

/* DIR/pki/collector-session.spki: the key that each meter is given. */
err collector_key_load(const struct place *p, struct public_key **out) MUST_USE;

/* The meter id of a decimal serial number of at most eight digits: 12345678 -> 0x12345678. */
uint64_t meter_id_of_serial(uint32_t serial);
uint32_t meter_serial_of_id(uint64_t id);
