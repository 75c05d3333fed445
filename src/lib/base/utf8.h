/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in UTF-8 (RFC 3629): no surrogates, no long spellings, nothing above U+10FFFF. */
#pragma once

#include "lib/base/bytes.h"

/* Octets of the character at the front of a text that is not empty; 0 when there is none. */
size_t utf8_size(struct bytes text);

/* The whole text is well formed, and has no NUL. */
bool utf8_valid(struct bytes text);
