/* SPDX-License-Identifier: Apache-2.0 */
/* Consumers made from a seed: tariff, calendar, readings, seals, bill, everything signed by keys of
 * its own. Tests prove with them that clean bills are clean and that changed ones are caught. */
#pragma once

#include "lib/base/rand.h"
#include "lib/crypto/cert.h"
#include "report/audit/audit.h"
#include "report/billing/issue.h"

#define SAMPLE_RECORDS_MAX 4096
#define SAMPLE_SEALS_MAX 64

struct sample_meter {
    uint64_t id;
    struct private_key *key;
    struct public_key *public;
    struct buf certificate; /* PEM */
    struct digest certificate_hash;
};

struct world { /* what all samples share */
    struct private_key *institute_key;
    struct buf institute; /* PEM */
    struct private_key *utility_key;
    struct buf utility;
    struct sample_meter meters[2];
    struct sample_meter expired;
    struct tariff tariff; /* as shipped */
    struct calendar calendar;
};
void world_new(struct world *w);
void world_done(struct world *w);

struct sample {
    const struct world *world;
    const struct sample_meter *meter;
    struct rand64 rand;
    struct tariff tariff;
    struct calendar calendar;
    struct contract contract;
    int64_t start_s;
    int64_t end_s;
    struct record records[SAMPLE_RECORDS_MAX]; /* of the period, by sequence */
    uint8_t quality[SAMPLE_RECORDS_MAX];       /* of each, by the enum of that name */
    size_t record_count;
    struct sealed_day seals[SAMPLE_SEALS_MAX]; /* opening first when has_opening */
    size_t seal_count;
    bool has_opening;
    struct bill bill;
    bool has_previous;
    struct bill previous_bill;
    /* the files */
    struct buf files[AUDIT_FILES];
    bool present[AUDIT_FILES];
};

/* A consumer of some days; `seed` decides everything. Ends the test when billing refuses it. */
void sample_new(const struct world *w, uint64_t seed, struct sample *s);
void sample_done(struct sample *s);

/* Parts of sample_new, for those who change something on the way. */
void sample_seal(struct sample *s);                         /* the meter signs its days anew */
void sample_issue(struct sample *s);                        /* billing makes the bill anew */
void sample_try(struct sample *s, struct refusals *out);    /* the same, and may be refused */
void sample_verify(struct sample *s, struct refusals *out); /* billing checks what was signed */
void sample_join(struct sample *s);       /* the bill takes hashes and registers of the seals */
void sample_write_bill(struct sample *s); /* bill.json and bill.sig from s->bill */
void sample_write_all(struct sample *s);  /* every file */
void sample_set(struct sample *s, enum audit_file file, struct bytes octets);

struct audit_files sample_files(const struct sample *s);
