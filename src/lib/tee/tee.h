/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to trusted hardware: which provider runs, what the code's measurement is, and evidence
 * for it. Only `sim` exists so far: it measures the program file and proves NOTHING; it exists so
 * that everything above the seam is built as it will be used. Log, status and demo say INSECURE. */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/hash.h"

struct tee_provider {
    const char *name;
    bool secure;                        /* false for sim */
    err (*measure)(struct digest *out); /* the running program's code hash */
    /* Evidence that binds `claim` (32 octets, e.g. a hash of a key and a nonce). Appends. */
    err (*quote)(const struct digest *claim, struct buf *out);
};

/* ERR_MISSING for an unknown name, listing the known ones. Borrowed, lives for ever. */
err tee_open(const char *name, const struct tee_provider **out) MUST_USE;

/* Form and claim of `sim` evidence; ERR_AUTH otherwise. `*secure` is always false here. */
err tee_verify(struct bytes evidence, const struct digest *claim, struct digest *out_measurement,
               bool *secure) MUST_USE;
