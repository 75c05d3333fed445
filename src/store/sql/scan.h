/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the entries of a plan one by one, in key order or against it: pages of ranges, or gets of
 * single keys. Pages are checked to follow each other, so that no error of paging is silent. */
#pragma once

#include "store/sql/engine.h"
#include "store/sql/plan.h"

#define SCAN_KEY_BYTES_MAX (KVS_KEY_BYTES_MAX + 1)

enum scan_step { SCAN_ON, SCAN_PAUSE, SCAN_END };

struct scan {
    const struct sql_store *store;
    const struct plan *plan;
    bool reverse;
    bool keys_only;
    uint32_t page_keys; /* how many keys to ask for at once; may be changed between pages */
    bool one_page;      /* the keys of one page are enough, wherever they end */
    bool keep;          /* the snapshot is to stay when the ranges are through */
    void *arg;
    /* SCAN_END: no more is wanted, this entry was not used. */
    err (*entry)(void *arg, const struct kvs_entry *e, enum scan_step *step);
    /* Behind each page. SCAN_PAUSE: scan_go goes on later. */
    enum scan_step (*page)(void *arg);
    /* Once. `ended`: by the callbacks, not because there was no more. */
    void (*done)(void *arg, err e, bool ended);

    size_t range;     /* counted in the order of the scan */
    struct buf edge;  /* where within the range the next page begins (ends, in reverse) */
    bool edge_set;
    uint64_t rev;     /* of the pages so far */
    uint64_t snapshot; /* that all pages are read at; 0 = none yet, or no more */
    bool lent;         /* the snapshot is not ours to end */
};

/* The fields before the blank line are set, the others zero. */
void scan_go(struct scan *s);
void scan_clear(struct scan *s); /* the snapshot ends with it */

/* Starts at a key of a range, in the snapshot of an earlier scan (0 = in a new one), which is left
 * to end by itself. ERR_PROTO when there is no such range. */
err scan_seek(struct scan *s, size_t range, struct bytes key, uint64_t snapshot) MUST_USE;
/* Takes the snapshot out of the scan, for a later one. */
uint64_t scan_lend(struct scan *s);
