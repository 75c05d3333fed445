/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate or private key of any octets: everything that may be asked of it is asked. */
#include <assert.h>
#include <string.h>

#include "lib/crypto/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct cert *c)
{
    AUTO(public_key_freep) struct public_key *k = NULL;
    char name[CERT_NAME_BYTES_MAX + 1];
    int64_t from;
    int64_t to;

    cert_validity(c, &from, &to);
    if (!cert_common_name(c, name, sizeof name).code) {
        assert(strlen(name) <= CERT_NAME_BYTES_MAX);
    }
    if (!cert_public_key(c, &k).code) {
        assert(signature_bytes(public_key_alg(k)) > 0);
    }
    struct digest hash = cert_hash(c);
    assert(!digest_is_zero(&hash));
    if (!cert_check(c, c, from).code) {
        assert(from <= to);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(cert_freep) struct cert *c = NULL;
    AUTO(private_key_freep) struct private_key *own = NULL;
    AUTO(public_key_freep) struct public_key *spki = NULL;
    AUTO(buf_done) struct buf again = { .max = SPKI_BYTES_MAX };
    struct bytes in = { data, size };

    if (!cert_from_pem(in, &c).code) {
        ask(c);
    }
    if (!private_key_from_pem(in, &own).code) {
        assert(signature_bytes(private_key_alg(own)) > 0);
    }
    if (!public_key_from_spki(in, &spki).code) {
        err e = public_key_to_spki(spki, &again);
        assert(!e.code && bytes_equal(buf_bytes(&again), in));
    }
    return 0;
}
