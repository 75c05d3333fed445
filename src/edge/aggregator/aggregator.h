/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregator: many links of meters, one uplink to an authenticator. It reads the headers of
 * envelopes, to know which meter is where, and nothing else; it could read nothing else.
 *
 * Frames go up in the order of their link. When the uplink is full or lost, reading from the meters
 * stops until it is back: nothing is dropped on the way up. On the way down a frame for a meter
 * that is not known, or whose link is full, is dropped and counted: commands are repeated by their
 * sender.
 * paper: Smart metering applications, aggregator. */
#pragma once

#include "lib/service/core.h"

#define AGGREGATOR_LINKS_MAX 16384
#define AGGREGATOR_METERS_MAX 131072

struct aggregator_options {
    size_t links_max;  /* 0 = AGGREGATOR_LINKS_MAX */
    size_t meters_max; /* 0 = AGGREGATOR_METERS_MAX */
    uint64_t idle_us;  /* a meter link without octets for this long is closed; 0 = never */
};

enum aggregator_count {
    AGGREGATOR_FRAMES_UP,
    AGGREGATOR_FRAMES_DOWN,
    AGGREGATOR_MOVED,         /* a meter came by another link */
    AGGREGATOR_BAD_FRAME,     /* dropped: form, or a type of the other direction */
    AGGREGATOR_UNROUTED,      /* dropped on the way down: nobody knows the meter */
    AGGREGATOR_DOWN_FULL,     /* dropped on the way down: the meter's link is full */
    AGGREGATOR_ROUTES_FULL,   /* a meter whose answers cannot be routed */
    AGGREGATOR_LINKS_REFUSED, /* more links than allowed */
    AGGREGATOR_STALLED,       /* links closed because they stopped inside a frame */
    AGGREGATOR_IDLE,          /* links closed because nothing came */
    AGGREGATOR_HOLDS,         /* times that reading from the meters stopped */
    AGGREGATOR_COUNT
};
const char *aggregator_count_name(enum aggregator_count c);

struct aggregator;
err aggregator_new(const struct host *host, const struct aggregator_options *options,
                   struct aggregator **out) MUST_USE; /* copies host and options; gives */
void aggregator_free(struct aggregator *a);

extern const struct core_ops aggregator_ops;

const uint64_t *aggregator_counts(const struct aggregator *a); /* AGGREGATOR_COUNT of them */
size_t aggregator_links(const struct aggregator *a);
size_t aggregator_meters(const struct aggregator *a);
