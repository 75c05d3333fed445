/* SPDX-License-Identifier: Apache-2.0 */
/* A volume whose storage has other octets than were written: edits (behind a right seal, as after a
 * bug), the end of a segment, the root. It opens or refuses; nothing else. */
#include <assert.h>
#include <string.h>

#include "store/kvs/volume_impl.h"
#include "store/kvs/volume_mem.h"

#define SEGMENT_BYTES (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct volume_config config(void)
{
    return (struct volume_config){ .root_key = { .size = 32 }, .segment_bytes = SEGMENT_BYTES,
                                   .create = true };
}

static struct volume *open_new(struct volume_mem *mem)
{
    const struct volume_config c = config();
    struct volume *v;

    err e = volume_open(&c, volume_mem_io(mem), &v);
    assert(!e.code);
    (void)e;
    return v;
}

/* As edits of a commit, or of a checkpoint. */
static void replay(struct volume_mem *mem, struct bytes in, bool checkpoint)
{
    struct volume *v = open_new(mem);
    struct replay_at at = { .text = in.ptr };

    if (!checkpoint) {
        at.segment = v->log.segments[v->log.count - 1];
    }
    (void)volume_replay(v, in, &at).code;
    volume_abandon(v);
}

static void put_over(struct volume_mem *mem, const char *prefix, size_t offset, struct bytes in)
{
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        if (strncmp(volume_mem_name(mem, i), prefix, strlen(prefix)) == 0) {
            size_t size;
            uint8_t *octets = volume_mem_octets(mem, i, &size);
            size_t room = size - offset;
            memcpy(octets + offset, in.ptr, in.len < room ? in.len : room);
        }
    }
}

static void reopen(struct volume_mem *mem)
{
    const struct volume_config c = config();
    struct volume *v;

    if (!volume_open(&c, volume_mem_io(mem), &v).code) {
        volume_abandon(v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct volume_mem *mem = volume_mem_new();
    struct bytes in = { data + 1, size > 0 ? size - 1 : 0 };

    switch (size > 0 ? data[0] % 4 : 0) {
    case 0:
    case 1:
        replay(mem, in, size > 0 && data[0] % 4 == 1);
        break;
    case 2:
        volume_abandon(open_new(mem));
        put_over(mem, "log/", KVS_FRAME_ALIGN, in);
        reopen(mem);
        break;
    default:
        volume_abandon(open_new(mem));
        put_over(mem, "root", 0, in);
        reopen(mem);
        break;
    }
    volume_mem_free(mem);
    return 0;
}
