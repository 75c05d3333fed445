/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/crypto only: one PEM block of a known kind (RFC 7468). */
#pragma once

#include "lib/base/bytes.h"

struct pem_block {
    char *name; /* OpenSSL's memory, all three */
    char *header;
    unsigned char *data;
    long size;
};

/* The one block of `pem`, of the kind `name`, without headers; only white space may stand behind
 * it. ERR_PROTO otherwise, naming `what` and what is wanted. */
err pem_block_read(struct bytes pem, const char *name, const char *what,
                   struct pem_block *out) MUST_USE;
void pem_block_done(struct pem_block *b); /* wipes */
