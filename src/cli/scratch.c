#include "cli/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

#define TAIL_BYTES 1200

int scratch_make(const char *name, char **ret_folder, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    CLEANUP(str_free) char *folder = xasprintf("%s/%s-XXXXXX", tmp && *tmp ? tmp : "/tmp", name);
    if (!mkdtemp(folder)) {
        return err_errno(err, errno, "cannot make a folder '%s'", folder);
    }
    *ret_folder = TAKE(folder);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void scratch_remove(const char *folder)
{
    if (folder) {
        (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

char *scratch_tail(const char *path)
{
    char *tail = xcalloc(1, TAIL_BYTES + 1);
    FILE *file = fopen(path, "re");
    if (file) {
        (void)fseek(file, 0, SEEK_END);
        long size = ftell(file);
        (void)fseek(file, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
        tail[fread(tail, 1, TAIL_BYTES, file)] = '\0';
        (void)fclose(file);
    }
    return tail;
}
