/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "lib/base/mem.h"

#define ARENA_CHUNK_BYTES 4096

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    size_t used;
    alignas(max_align_t) uint8_t octets[];
};

static struct arena_chunk *chunk_add(struct arena *a, size_t size)
{
    size_t room = size > ARENA_CHUNK_BYTES ? size : ARENA_CHUNK_BYTES;
    struct arena_chunk *c = mem_take(sizeof *c + room);

    if (c != NULL) {
        c->size = room;
        c->older = a->newest;
        a->newest = c;
    }
    return c;
}

void *arena_take(struct arena *a, size_t size)
{
    size_t align = alignof(max_align_t);

    assert(a->max > 0);
    if (size > a->max) {
        return NULL;
    }
    size = (size + align - 1) / align * align;
    if (a->used + size > a->max) {
        return NULL;
    }
    struct arena_chunk *c = a->newest;
    if (c == NULL || c->size - c->used < size) {
        c = chunk_add(a, size);
    }
    if (c == NULL) {
        return NULL;
    }
    void *piece = c->octets + c->used;
    c->used += size;
    a->used += size;
    return piece;
}

char *arena_string(struct arena *a, struct bytes text)
{
    char *copy = arena_take(a, text.len + 1);

    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

err arena_copy(struct arena *a, struct bytes octets, struct bytes *out)
{
    uint8_t *copy = arena_take(a, octets.len);

    if (copy == NULL) {
        FAIL(ERR_LIMIT, "request memory of %zu octets is used up", a->max);
    }
    if (octets.len > 0) {
        memcpy(copy, octets.ptr, octets.len);
    }
    *out = (struct bytes){ copy, octets.len };
    return OK;
}

static void chunk_zero(struct arena_chunk *c)
{
    explicit_bzero(c->octets, c->used);
    c->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->newest;

    while (c != NULL && c->older != NULL) {
        struct arena_chunk *older = c->older;
        chunk_zero(c);
        mem_give(c);
        c = older;
    }
    if (c != NULL) {
        chunk_zero(c);
    }
    a->newest = c;
    a->used = 0;
}

void arena_done(struct arena *a)
{
    arena_reset(a);
    mem_give(a->newest);
    a->newest = NULL;
}
