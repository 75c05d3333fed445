/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a CA, certificates and keys in a directory that is gone afterwards. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/net/tls.h"

struct test_pki {
    char dir[64];
};

struct test_certificate {
    const char *name;        /* of the files: NAME.pem, NAME.key */
    const char *common_name; /* NULL: as name */
    const char *ca;          /* NULL: "ca"; the same as name: signs itself and is a CA */
    bool expired;
};

/* Makes the directory, with "ca". Asserts on failure. */
void test_pki_begin(struct test_pki *p);
void test_pki_add(struct test_pki *p, const struct test_certificate *c);
void test_pki_end(struct test_pki *p); /* removes all of it */

/* Good until the 16th further call. */
const char *test_pki_path(struct test_pki *p, const char *file);
/* ca.pem, NAME.pem, NAME.key; the certificate of role NAME is made when it is not there. */
struct tls_files test_pki_files(struct test_pki *p, const char *name);
