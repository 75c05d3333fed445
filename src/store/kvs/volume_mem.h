/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a storage node in memory, with a disk's bad manners. It loses what was not durable,
 * tears writes, fails the n-th operation, is full, stops in the middle of anything; and what it
 * keeps can be copied, changed and put back, as a hostile node's owner would. */
#pragma once

#include "store/kvs/volume_io.h"

struct volume_mem;

enum volume_mem_fault {
    VOLUME_MEM_FAIL,        /* ERR_IO, nothing done */
    VOLUME_MEM_FULL,        /* ERR_LIMIT "disk full", nothing done */
    VOLUME_MEM_TEAR,        /* ERR_IO, half of it written */
    VOLUME_MEM_LIE,         /* ERR_IO, though all of it is done */
    VOLUME_MEM_STOP_BEFORE, /* the machine stops: this and all that follows does nothing */
    VOLUME_MEM_STOP_TORN,   /* half of it is done */
    VOLUME_MEM_STOP_AFTER,  /* done, but nobody heard of it */
    VOLUME_MEM_FAULTS
};

struct volume_mem *volume_mem_new(void);
void volume_mem_free(struct volume_mem *m);
const struct volume_io *volume_mem_io(struct volume_mem *m);
void volume_mem_anchor(struct volume_mem *m, bool on); /* off at first */

/* The n-th writing operation from now on (0 = the next) meets this. With `sticky`, so do all that
 * follow it. */
void volume_mem_fault_at(struct volume_mem *m, long n, enum volume_mem_fault fault, bool sticky);
/* No room for objects, while the log, made beforehand, still takes what comes. */
void volume_mem_objects_full(struct volume_mem *m, bool full);
/* Writing of objects fails, that of the log does not. */
void volume_mem_objects_fail(struct volume_mem *m, bool fail);
/* A disk of so many octets; 0, as at first: without end. */
void volume_mem_capacity(struct volume_mem *m, uint64_t bytes);
long volume_mem_ops(const struct volume_mem *m); /* writing operations so far */

/* A power cut and a new start: what was not durable is gone, deletions may be undone. */
void volume_mem_restart(struct volume_mem *m);
/* What was deleted stays so, as when its directory was synced; only while nothing is open. */
void volume_mem_forget(struct volume_mem *m);

/* All that is stored, in a stable order: "o/<name>", "log/<segment>", "root", "anchor". */
size_t volume_mem_count(const struct volume_mem *m);
const char *volume_mem_name(const struct volume_mem *m, size_t i);
uint8_t *volume_mem_octets(struct volume_mem *m, size_t i, size_t *out_size); /* may be changed */
void volume_mem_cut(struct volume_mem *m, size_t i, size_t size);
void volume_mem_remove(struct volume_mem *m, size_t i);
void volume_mem_swap(struct volume_mem *m, size_t i, size_t j); /* contents change places */
/* Of what is stored and durable, also in the middle of things: what a power cut leaves. */
struct volume_mem *volume_mem_copy(struct volume_mem *m);
