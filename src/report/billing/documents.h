/* SPDX-License-Identifier: Apache-2.0 */
/* Tariffs and calendars as people write them: YAML with a strict schema, turned into the canonical
 * documents that are hashed. Examples: deploy/tariff. */
#pragma once

#include "lib/wire/tariff.h"

#define DOCUMENT_BYTES_MAX (64u << 10)

/* Reads a file, appends the canonical octets to `out_json` and fills `out`. ERR_MISSING; ERR_PROTO
 * with file and field; ERR_LIMIT above 64 KiB. */
err document_tariff(const char *path, struct buf *out_json, struct tariff *out) MUST_USE;
err document_calendar(const char *path, struct buf *out_json, struct calendar *out) MUST_USE;
