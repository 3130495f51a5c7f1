/* Runs a fuzz target once over each file of the folders that are its arguments, so that any build
 * tests what fuzzing found. Prints TAP. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FILE_BYTES_MAX (1024 * 1024) /* corpora hold small files */
#define FILES_MAX      10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return -1;
    }
    /* Of the exact size, so that reading behind the end is seen by the sanitizer. */
    uint8_t *bytes = xcalloc(1, FILE_BYTES_MAX);
    size_t size = fread(bytes, 1, FILE_BYTES_MAX, file);
    uint8_t *exact = xcalloc(1, size ? size : 1);
    memcpy(exact, bytes, size);
    free(bytes);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int replay_folder(const char *folder, int count)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    if (!entries) {
        printf("not ok %d - no folder %s\n", count + 1, folder);
        return -1;
    }
    while ((entry = readdir(entries)) != NULL && count < FILES_MAX) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = xasprintf("%s/%s", folder, entry->d_name);
        int failed = replay_file(path);
        printf("%s %d - %s\n", failed ? "not ok" : "ok", ++count, entry->d_name);
        (void)fflush(stdout); /* a crash in the next one must not hide this line */
        free(path);
    }
    (void)closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc && count >= 0; i++) {
        count = replay_folder(argv[i], count);
    }
    printf("1..%d\n", count < 0 ? 1 : count);
    return count > 0 ? 0 : 1;
}
