/* SPDX-License-Identifier: Apache-2.0 */
/* What an audit found: closed set of codes, each finding with its place and both values
 * (docs/protocol.md 7.2). */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/hash.h"

enum audit_code {             /* the number is the code; below 600 W500 is the one warning */
                  E101 = 101, /* schema */
                  E102,       /* bill hash differs from the one given */
                  E103,       /* not canonical */
                  E201 = 201, /* meter unknown */
                  E202,       /* certificate expired, revoked, or of another issuer */
                  E203,       /* signature wrong */
                  E204,       /* a reading of another meter */
                  E205,       /* key or meter changed without change record */
                  E301 = 301, /* sequence missing */
                  E302,       /* duplicate, identical octets */
                  E303,       /* duplicate, different octets */
                  E304,       /* slots overlap in time */
                  E305,       /* record outside the period */
                  E306,       /* gap to the previous bill */
                  E307,       /* overlap with the previous bill */
                  E308,       /* counts in the bill are wrong */
                  E401 = 401, /* a leaf was altered */
                  E402,       /* root of a day or of the period differs */
                  E403,       /* seal chain broken, seal missing or doubled */
                  E404,       /* registers do not close */
                  E405,       /* negative difference */
                  E406,       /* clock */
                  W500 = 500, /* valid estimate */
                  E501,       /* estimate although a measured value exists */
                  E502,       /* estimate cannot be reproduced */
                  E503,       /* more estimates than the limit */
                  E601 = 601, /* determinant */
                  E602,       /* tariff not in force, or hash */
                  E603,       /* post or calendar */
                  E604,       /* line: quantity x price */
                  E605,       /* rounding */
                  E606,       /* tax */
                  E607,       /* total */
                  E608,       /* contract parameter */
                  E609,       /* flag */
                  E801 = 801, /* code measurement not approved */
                  E802,       /* attestation evidence invalid */
};

#define FINDINGS_KEPT_MAX 1000 /* per code; the rest is counted */
#define FINDING_VALUE_BYTES 72
#define FINDING_NO_PLACE (-1)

struct finding {
    uint16_t code;
    uint64_t meter;
    int64_t sequence;                   /* first offending, or FINDING_NO_PLACE */
    int64_t day_s;                      /* civil second of the day's start, or FINDING_NO_PLACE */
    char expected[FINDING_VALUE_BYTES]; /* "" = none */
    char found[FINDING_VALUE_BYTES];
    char text[120];
};

struct finding_count {
    uint16_t code;
    uint32_t count;
};

#define FINDING_CODES_MAX 64
struct findings {         /* a zeroed struct is empty */
    struct finding *list; /* owned */
    size_t count;
    size_t capacity;
    struct finding_count counts[FINDING_CODES_MAX];
    size_t code_count;
};
void findings_done(struct findings *f);

/* Counts and keeps; memory that is full only loses the full text, never the count. */
void findings_add(struct findings *f, const struct finding *new);
uint32_t findings_count_of(const struct findings *f, enum audit_code code);
/* 0 clean (warnings allowed), otherwise 10, 20 ... 80: the highest class. */
int findings_exit(const struct findings *f);

void finding_code_text(uint16_t code, char out[8]); /* "E301", "W500" */
