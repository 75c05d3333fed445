/* SPDX-License-Identifier: Apache-2.0 */
/* The audit bundle: the files that prove one bill, in one folder per meter (docs/protocol.md 7.2).
 *
 * readings.bin holds canonical records one behind the other, by sequence; seals.bin stored seals
 * one behind the other, the opening seal first; leaves.bin the leaf hashes of readings.bin at the
 * time of the bill. None has a header: their octets are those that meters signed. */
#pragma once

#include "lib/wire/record.h"
#include "lib/wire/seal.h"

#define BUNDLE_BILL "bill.json"
#define BUNDLE_SIGNATURE "bill.sig"
#define BUNDLE_PREVIOUS "previous.json"
#define BUNDLE_READINGS "readings.bin"
#define BUNDLE_SEALS "seals.bin"
#define BUNDLE_LEAVES "leaves.bin"
#define BUNDLE_TARIFF "tariff.json"
#define BUNDLE_CALENDAR "calendar.json"
#define BUNDLE_EVIDENCE "evidence.bin"
#define BUNDLE_APPROVED "approved.json"
#define BUNDLE_CERTS "certs"
#define BUNDLE_INSTITUTE "certs/institute.crt"
#define BUNDLE_UTILITY "certs/utility.crt"
#define BUNDLE_REVOKED "revoked/list.json" /* signed by the institute: revoked/list.sig */
#define BUNDLE_REVOKED_SIGNATURE "revoked/list.sig"

#define BUNDLE_RECORDS_MAX 100000u /* a year at five minutes has 105,120: bills are shorter */
#define BUNDLE_SEALS_MAX 400u
#define BUNDLE_READINGS_BYTES_MAX ((size_t)BUNDLE_RECORDS_MAX * RECORD_BYTES)
#define BUNDLE_SEALS_BYTES_MAX ((size_t)BUNDLE_SEALS_MAX * SEAL_STORED_BYTES_MAX)

/* How many records a readings file has. ERR_PROTO when octets are left over, naming the offset;
 * ERR_LIMIT. */
err bundle_records_count(struct bytes file, size_t *out) MUST_USE;
/* The octets of one; `index` is below the count. */
struct bytes bundle_record_at(struct bytes file, size_t index);

/* The seals of a file, in file order; `out` has room for `max`. ERR_PROTO with the offset of the
 * first seal that does not parse: those before it are in `out` and counted. ERR_LIMIT: more. */
err bundle_seals_parse(struct bytes file, struct sealed_day *out, size_t max,
                       size_t *out_count) MUST_USE;

err bundle_record_add(struct buf *file, const struct record *r) MUST_USE;
err bundle_seal_add(struct buf *file, const struct sealed_day *d) MUST_USE;
