/* SPDX-License-Identifier: Apache-2.0 */
/* A bill for people. */
#pragma once

#include "lib/wire/bill.h"

/* Appends a table of the bill; `hash` is its bill hash. */
err show_bill(const struct bill *b, const struct digest *hash, struct buf *out) MUST_USE;
