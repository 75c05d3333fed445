/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/crypto only: what cert_issue.c needs of a parsed certificate. */
#pragma once

#include <openssl/x509.h>

#include "lib/crypto/cert.h"

X509 *cert_x509(const struct cert *c); /* borrowed from `c` */
