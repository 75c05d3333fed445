/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway counts for /metrics. */
#pragma once

#include "lib/service/metrics.h"
#include "store/kvs/refuse.h"

enum verb { VERB_GET, VERB_PUT, VERB_DELETE, VERB_SCAN, VERB_BATCH, VERB_SPACE, VERB_STATUS,
            VERB_COUNT };

void gateway_metrics_register(void); /* once per process, before threads; again is harmless */
void count_request(enum verb verb, uint64_t took_us, uint64_t octets_in, uint64_t octets_out);
void count_refusal(enum refusal r);
void count_commits(uint64_t groups, uint64_t requests); /* so far */
