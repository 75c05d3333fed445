/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: "msk_<8 base32 id>_<43 base64url secret>", shown once, stored hashed.
 *
 * A key file has one line a key: id, SHA-256 of the secret under its domain in hex, expiry as UTC
 * second (0 = never), then scopes "verbs:space:prefix", e.g.
 *     k7q2m5aa 9f...e1 0 read,scan:sql: read,write,scan,delete:tmp:job-
 * The secret has 256 random bits, so a plain hash gives an attacker nothing to guess. */
#pragma once

#include "lib/base/buf.h"

enum api_verb {
    API_READ = 1,
    API_WRITE = 2,
    API_DELETE = 4,
    API_SCAN = 8,
    API_ADMIN = 16,
    API_METRICS = 32,
};

#define API_KEY_COUNT_MAX 1024
#define API_KEY_SCOPES_MAX 8

struct api_keys; /* the keys a service accepts */

/* `path` must not be readable by others than its owner (ERR_AUTH). Bad lines name file and line. */
err api_keys_load(const char *path, struct api_keys **out) MUST_USE; /* gives */
/* The same from the text of such a file. */
err api_keys_read(struct bytes text, struct api_keys **out) MUST_USE; /* gives */
void api_keys_free(struct api_keys *k);

struct api_grant; /* who this is; borrowed from the api_keys */
/* `header` is the value of Authorization. ERR_AUTH, the same for unknown, wrong and expired, in
 * the same time. */
err api_keys_check(const struct api_keys *k, struct bytes header, int64_t now_s,
                   const struct api_grant **out) MUST_USE;
const char *api_grant_id(const struct api_grant *g); /* safe to log */
/* That a grant covers a verb on a key of a space; for scans `key` is the common prefix. */
bool api_grant_covers(const struct api_grant *g, enum api_verb verb, struct bytes space,
                      struct bytes key);

/* A fresh key: its text for the holder (appended to out_text) and its line for the key file. */
err api_key_make(const char *scopes, int64_t expires_s, struct buf *out_text, struct buf *out_line)
    MUST_USE;
