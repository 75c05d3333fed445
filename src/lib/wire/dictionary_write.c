/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/dictionary.h"
#include "lib/wire/json_write.h"

static void write_column(struct json_writer *w, const struct table_column *c)
{
    json_write_object(w);
    json_write_key(w, "default");
    json_write_null(w);
    json_write_key(w, "dropped");
    json_write_bool(w, c->dropped);
    json_write_key(w, "id");
    json_write_uint(w, c->id);
    json_write_key(w, "name");
    json_write_string(w, c->name);
    json_write_key(w, "not_null");
    json_write_bool(w, c->not_null);
    json_write_key(w, "type");
    json_write_string(w, column_type_name(c->type));
    json_write_key(w, "typmod");
    json_write_int(w, c->typmod);
    json_write_object_end(w);
}

static void write_key(struct json_writer *w, const struct table_def *t)
{
    json_write_array(w);
    for (uint16_t i = 0; i < t->key_count; i++) {
        json_write_object(w);
        json_write_key(w, "column");
        json_write_uint(w, t->columns[t->key[i]].id);
        json_write_key(w, "desc");
        json_write_bool(w, false);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* The column id of each slot of a version; columns are in slot order. */
static void write_slots(struct json_writer *w, const struct table_def *t, uint16_t slots)
{
    uint16_t next = 0;

    json_write_array(w);
    for (uint16_t i = 0; i < t->column_count && next < slots; i++) {
        if (t->columns[i].key_index < 0) {
            json_write_uint(w, t->columns[i].id);
            next++;
        }
    }
    json_write_array_end(w);
}

static void write_versions(struct json_writer *w, const struct table_def *t)
{
    json_write_array(w);
    for (uint16_t v = 1; v <= t->version; v++) {
        json_write_object(w);
        json_write_key(w, "slots");
        write_slots(w, t, t->version_slots[v - 1]);
        json_write_key(w, "version");
        json_write_uint(w, v);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

err table_def_encode(const struct table_def *t, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "columns");
    json_write_array(&w);
    for (uint16_t i = 0; i < t->column_count; i++) {
        write_column(&w, &t->columns[i]);
    }
    json_write_array_end(&w);
    json_write_key(&w, "dropped");
    json_write_bool(&w, t->dropped);
    json_write_key(&w, "id");
    json_write_uint(&w, t->id);
    json_write_key(&w, "indexes");
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_key(&w, "key_format");
    json_write_string(&w, "tuple");
    json_write_key(&w, "name");
    json_write_string(&w, t->name);
    json_write_key(&w, "owner");
    json_write_string(&w, t->owner);
    json_write_key(&w, "pack");
    json_write_null(&w);
    json_write_key(&w, "primary_key");
    write_key(&w, t);
    json_write_key(&w, "schema");
    json_write_string(&w, "public");
    json_write_key(&w, "versions");
    write_versions(&w, t);
    json_write_object_end(&w);
    return json_write_finish(&w);
}
