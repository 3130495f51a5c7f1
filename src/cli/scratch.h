/* A temporary folder of a command that measures. */
#pragma once

struct err;

/* Makes NAME-XXXXXX in $TMPDIR or /tmp; *ret_folder is the caller's. 0 or -errno. */
int scratch_make(const char *name, char **ret_folder, struct err *err);

/* Removes it with all that is in it; NULL allowed. */
void scratch_remove(const char *folder);

/* The end of a file of it, for an error; "" when it cannot be read. Owned by the caller. */
char *scratch_tail(const char *path);
