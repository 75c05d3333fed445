/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the billing program. Results go to stdout as text or JSON, words to stderr. */
#pragma once

#include "lib/base/bytes.h"

struct billing_options { /* as typed; NULL = not given */
    const char *dir;
    const char *period; /* YYYY-MM */
    const char *from;   /* YYYY-MM-DD, or a UTC second's text */
    const char *to;
    const char *meter; /* 16 hex digits */
    const char *tariff;
    const char *calendar;
    const char *out;
    const char *previous; /* folder with the bundles of the period before */
    bool all;
    bool json;
};

#define BILLING_EXIT_REFUSED 1

/* Fills *out_exit: 0, or BILLING_EXIT_REFUSED when somebody could not be billed. */
err billing_run(const struct billing_options *o, int *out_exit) MUST_USE;
err billing_export(const struct billing_options *o, int *out_exit) MUST_USE;
err billing_show(const char *path, bool json) MUST_USE;
err billing_meter_id(const char *text, uint64_t *out) MUST_USE; /* ERR_PROTO names the option */
