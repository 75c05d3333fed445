/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: every call of aead_seal goes through here (linked with --wrap) and is remembered: one
 * key never seals two texts under one nonce. */
#pragma once

#include <stddef.h>

/* Forgets what was sealed: a new run whose "random" keys are those of the last. */
void volume_audit_reset(void);
/* Seals seen since; the process ends at the first repeat. */
size_t volume_audit_count(void);
