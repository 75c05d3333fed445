/* SPDX-License-Identifier: Apache-2.0 */
/* Octets that nobody can guess, from OpenSSL's generator. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills `out`. Ends the process when the system has no randomness: no caller could go on safely. */
void random_fill(void *out, size_t size);
