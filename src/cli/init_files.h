/* What `jsorc init` writes: the files of src/cli/init, put into the program by init_embed.py. */
#pragma once

struct init_file {
    const char *name; /* NULL ends the table */
    const char *text;
};

extern const struct init_file INIT_FILES[];
