/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/object.h"

#include <stdio.h>
#include <string.h>

#include "lib/crypto/random.h"

#define PIECE_BYTES (1u << 20)

struct object_path {
    char text[sizeof OBJECT_DIR + 1 + 2 * OBJECT_ID_BYTES];
};

static struct object_path path_of(const struct object_id *id)
{
    struct object_path p = { OBJECT_DIR "/" };

    hex_encode(BYTES_OF(id->octets), p.text + sizeof OBJECT_DIR);
    return p;
}

static err fill(struct volume_file *file, struct bytes value)
{
    while (value.len > 0) {
        struct bytes piece = { value.ptr, value.len < PIECE_BYTES ? value.len : PIECE_BYTES };
        TRY(volume_append(file, piece));
        value.ptr += piece.len;
        value.len -= piece.len;
    }
    return volume_seal(file);
}

err object_write(struct volume *v, struct bytes value, struct object_id *out)
{
    AUTO(volume_file_freep) struct volume_file *file = NULL;
    struct object_id id;

    random_fill(id.octets, sizeof id.octets);
    TRY(volume_create(v, path_of(&id).text, VOLUME_OBJECT, &file));
    TRY(fill(file, value));
    *out = id;
    return OK;
}

err object_read(struct volume *v, const struct object_id *id, uint64_t len, struct buf *out)
{
    AUTO(volume_reader_freep) struct volume_reader *reader = NULL;

    TRY(volume_reader_open(v, path_of(id).text, &reader));
    if (volume_reader_size(reader) != len || len > SIZE_MAX) {
        FAIL(ERR_CORRUPT, "an object has another length than its record says");
    }
    TRY(buf_reserve(out, (size_t)len));
    struct volume_range all = { .out = out->ptr + out->len, .size = (size_t)len };
    TRY(volume_read(reader, &all, 1));
    if (all.got != len) {
        FAIL(ERR_CORRUPT, "an object ends early");
    }
    out->len += (size_t)len;
    return OK;
}

err object_delete(struct volume *v, const struct object_id *id)
{
    return volume_delete(v, path_of(id).text);
}

struct listing {
    struct buf *out;
    err result;
};

static void note(void *arg, const char *name, bool is_dir)
{
    struct listing *l = arg;
    struct object_id id;

    if (is_dir || l->result.code) {
        return;
    }
    l->result = hex_decode(bytes_of_string(name), id.octets, sizeof id.octets);
    if (!l->result.code) {
        l->result = buf_append(l->out, BYTES_OF(id.octets));
    }
}

err object_list(struct volume *v, struct buf *out)
{
    struct listing l = { .out = out };
    err e = volume_list(v, OBJECT_DIR, note, &l);

    if (e.code == ERR_MISSING) {
        return OK;
    }
    TRY(e);
    if (l.result.code == ERR_PROTO) {
        FAIL(ERR_CORRUPT, "a file among the objects has a name that is none");
    }
    return l.result;
}
