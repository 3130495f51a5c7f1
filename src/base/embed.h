/* Files that the program carries, in tables that base/embed.py makes at build time. */
#pragma once

struct embedded_file {
    const char *name; /* NULL ends the table */
    const char *text;
};
