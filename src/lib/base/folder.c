/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define NAMES_FIRST 64

static err add(struct folder *f, const char *name)
{
    if (f->count == f->room) {
        size_t room = f->room == 0 ? NAMES_FIRST : 2 * f->room;
        char **grown = mem_resize(f->names, room * sizeof grown[0]);
        if (grown == NULL) {
            FAIL(ERR_LIMIT, "no memory for %zu names", room);
        }
        f->names = grown;
        f->room = room;
    }
    char *text = arena_string(&f->text, bytes_of_string(name));
    if (text == NULL) {
        FAIL(ERR_LIMIT, "%zu names are too many for one directory", f->count);
    }
    f->names[f->count++] = text;
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static err open_dir(const char *path, DIR **out)
{
    DIR *d = opendir(path);

    if (d == NULL && errno == ENOENT) {
        FAIL(ERR_MISSING, "%s: no such folder", path);
    }
    if (d == NULL && errno == ENOTDIR) {
        FAIL(ERR_PROTO, "%s: no folder", path);
    }
    if (d == NULL) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    *out = d;
    return OK;
}

err folder_read(const char *path, struct folder *out)
{
    DIR *d = NULL;
    err e = OK;

    out->text.max = FOLDER_BYTES_MAX;
    TRY(open_dir(path, &d));
    for (struct dirent *entry = readdir(d); entry != NULL && !e.code; entry = readdir(d)) {
        bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        e = self ? OK : add(out, entry->d_name);
    }
    closedir(d);
    TRY(err_context(e, "%s", path));
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof out->names[0], by_name);
    }
    return OK;
}

void folder_done(struct folder *f)
{
    arena_done(&f->text);
    mem_give(f->names);
    *f = (struct folder){ 0 };
}

bool folder_has(const struct folder *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}
