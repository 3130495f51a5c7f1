/* A whole state from one store into another, e.g. from a file into a database. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct store_copy {
    /* May be NULL: told of each table, whose rows were compared and are the same in both. */
    void (*told)(void *arg, const char *table, int64_t rows);
    void *arg;
    bool replace; /* what the target holds goes */
};

/* Afterwards both hold the same in every table, which was compared row by row before the change was
 * kept; *ret_copied is false when that was so already. -ENOTEMPTY: the target holds something else
 * and copy->replace does not say that it may go; store errors. Nothing has changed then. */
int store_copy(struct store *from, struct store *to, const struct store_copy *copy,
               bool *ret_copied, struct err *err);
