/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/gateway_metrics.h"

#include <assert.h>

#define REQUESTS "meterseal_kvs_requests_total"
#define SECONDS "meterseal_kvs_request_seconds"
#define REFUSED "meterseal_kvs_refused_total"

#define COUNTER(n, l, h) { .kind = METRIC_COUNTER, .name = (n), .label = (l), .help = (h) }
#define LATENCY(n, l, h) { .kind = METRIC_HISTOGRAM, .name = (n), .label = (l), .help = (h) }

static struct metric requests[VERB_COUNT] = {
    [VERB_GET] = COUNTER(REQUESTS, "verb=\"get\"", "requests answered"),
    [VERB_PUT] = COUNTER(REQUESTS, "verb=\"put\"", "requests answered"),
    [VERB_DELETE] = COUNTER(REQUESTS, "verb=\"delete\"", "requests answered"),
    [VERB_SCAN] = COUNTER(REQUESTS, "verb=\"scan\"", "requests answered"),
    [VERB_BATCH] = COUNTER(REQUESTS, "verb=\"batch\"", "requests answered"),
    [VERB_SPACE] = COUNTER(REQUESTS, "verb=\"space\"", "requests answered"),
    [VERB_STATUS] = COUNTER(REQUESTS, "verb=\"status\"", "requests answered"),
};

static struct metric latency[VERB_COUNT] = {
    [VERB_GET] = LATENCY(SECONDS, "verb=\"get\"", "from the head to the answer"),
    [VERB_PUT] = LATENCY(SECONDS, "verb=\"put\"", "from the head to the answer"),
    [VERB_DELETE] = LATENCY(SECONDS, "verb=\"delete\"", "from the head to the answer"),
    [VERB_SCAN] = LATENCY(SECONDS, "verb=\"scan\"", "from the head to the answer"),
    [VERB_BATCH] = LATENCY(SECONDS, "verb=\"batch\"", "from the head to the answer"),
    [VERB_SPACE] = LATENCY(SECONDS, "verb=\"space\"", "from the head to the answer"),
    [VERB_STATUS] = LATENCY(SECONDS, "verb=\"status\"", "from the head to the answer"),
};

/* One counter a code word; refusals with the same word share it. */
static struct metric refusals[] = {
    COUNTER(REFUSED, "reason=\"auth\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"scope\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"client\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"precondition\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"rate\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"full\"", "requests refused"),
    COUNTER(REFUSED, "reason=\"server\"", "requests refused"),
};

static struct metric octets_in = COUNTER("meterseal_kvs_octets_total", "direction=\"in\"",
                                         "octets of bodies");
static struct metric octets_out = COUNTER("meterseal_kvs_octets_total", "direction=\"out\"",
                                          "octets of bodies");
static struct metric groups = COUNTER("meterseal_kvs_commit_groups_total", NULL,
                                      "commit groups made durable");
static struct metric grouped = COUNTER("meterseal_kvs_commit_requests_total", NULL,
                                       "requests in these groups");
static void register_all(struct metric *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metric_register(&m[i]);
    }
}

void gateway_metrics_register(void)
{
    static bool done;

    if (done) {
        return;
    }
    done = true;
    register_all(requests, VERB_COUNT);
    register_all(latency, VERB_COUNT);
    register_all(refusals, sizeof refusals / sizeof *refusals);
    register_all(&octets_in, 1);
    register_all(&octets_out, 1);
    register_all(&groups, 1);
    register_all(&grouped, 1);
}

void count_request(enum verb verb, uint64_t took_us, uint64_t in, uint64_t out)
{
    assert(verb < VERB_COUNT);
    metric_add(&requests[verb], 1);
    metric_observe_us(&latency[verb], took_us);
    metric_add(&octets_in, in);
    metric_add(&octets_out, out);
}

static size_t refusal_index(enum refusal r)
{
    switch (refusal_status(r)) {
    case 401:
        return 0;
    case 403:
        return 1;
    case 412:
        return 3;
    case 429:
        return 4;
    case 507:
        return 5;
    default:
        return refusal_status(r) >= 500 ? 6 : 2;
    }
}

void count_refusal(enum refusal r)
{
    metric_add(&refusals[refusal_index(r)], 1);
}

void count_commits(uint64_t groups_so_far, uint64_t requests_so_far)
{
    metric_set(&groups, groups_so_far);
    metric_set(&grouped, requests_so_far);
}
