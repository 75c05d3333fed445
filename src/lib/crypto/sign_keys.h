/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/crypto only: what a key pair is made of, for agree.c and cert.c. */
#pragma once

#include <stdatomic.h>

#include <openssl/evp.h>

#include "lib/crypto/sign.h"

/* One ready context, kept for the next signature: preparing one costs several us. A second thread
 * that comes at the same time finds it taken and makes its own. */
struct spare {
    _Atomic(EVP_PKEY_CTX *) ctx;
};

struct private_key {
    EVP_PKEY *pkey;
    enum sign_alg alg;
    uint64_t id;         /* of its public key */
    struct spare *spare; /* = &spare_place, so that a const key can lend it */
    struct spare spare_place;
};

struct public_key {
    EVP_PKEY *pkey;
    enum sign_alg alg;
    uint64_t id;
    struct spare *spare;
    struct spare spare_place;
};

/* Takes `pkey`, also on failure. ERR_PROTO if it is none of the three kinds. */
err private_key_wrap(EVP_PKEY *pkey, struct private_key **out) MUST_USE;
err public_key_wrap(EVP_PKEY *pkey, struct public_key **out) MUST_USE;
