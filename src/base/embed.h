/* Files that the program carries, in tables that base/embed.py makes at build time. */
#pragma once

#include <stdlib.h>
#include <string.h>

struct embedded_file {
    const char *name; /* NULL ends the table */
    const char *text;
};

/* Of the file of that name in the table, which has it: aborts else. */
static inline const char *embedded_text(const struct embedded_file *file, const char *name)
{
    while (file->name && strcmp(file->name, name) != 0) {
        file++;
    }
    if (!file->name) {
        abort();
    }
    return file->text;
}
