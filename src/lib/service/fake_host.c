/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/fake_host.h"

#include <assert.h>
#include <string.h>

#define SENT_BYTES_MAX (64u << 20)

struct fake_link *fake_host_link(struct fake_host *f, uint64_t id)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->links[i].id == id) {
            return &f->links[i];
        }
    }
    assert(f->count < FAKE_LINKS_MAX);
    struct fake_link *l = &f->links[f->count++];
    *l = (struct fake_link){ .id = id, .sent.max = SENT_BYTES_MAX };
    return l;
}

static err fake_send(void *self, uint64_t link, struct bytes octets)
{
    struct fake_link *l = fake_host_link(self, link);

    if (l->gone || l->closed) {
        FAIL(ERR_CLOSED, "link %llu is gone", (unsigned long long)link);
    }
    if (l->full) {
        FAIL(ERR_LIMIT, "link %llu is full", (unsigned long long)link);
    }
    return buf_append(&l->sent, octets);
}

static void fake_close(void *self, uint64_t link)
{
    fake_host_link(self, link)->closed = true;
}

static void fake_hold(void *self, uint64_t link, bool on)
{
    fake_host_link(self, link)->held = on;
}

static void fake_wake_at(void *self, uint64_t at_us)
{
    struct fake_host *f = self;

    f->wake_at_us = at_us;
}

static uint64_t fake_utc_us(void *self)
{
    struct fake_host *f = self;

    return f->utc_us;
}

static void fake_random(void *self, void *out, size_t size)
{
    struct fake_host *f = self;
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)rand64_next(&f->random);
    }
}

void fake_host_init(struct fake_host *f)
{
    *f = (struct fake_host){ .random.state = 1 };
    f->host = (struct host){ f,           fake_send,    fake_close, fake_hold,
                             fake_wake_at, fake_utc_us, fake_random };
}

void fake_host_done(struct fake_host *f)
{
    for (size_t i = 0; i < f->count; i++) {
        buf_done(&f->links[i].sent);
    }
}

struct bytes fake_host_sent(struct fake_host *f, uint64_t id)
{
    return buf_bytes(&fake_host_link(f, id)->sent);
}

void fake_host_clear(struct fake_host *f)
{
    for (size_t i = 0; i < f->count; i++) {
        buf_clear(&f->links[i].sent);
    }
}
