/* What the files of the store share: statements with their values, and SQLite's failures in our
 * words. Not for use outside src/store. */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

struct store {
    sqlite3 *db;      /* owned */
    char *path;       /* owned */
    bool in_transact; /* store_transact does not nest */
};

/* A row of a result; the statement's columns are borrowed until it returns. A negative result ends
 * the walk and is passed on. */
typedef int (*store_row_fn)(void *arg, sqlite3_stmt *row);

struct store_rows {
    store_row_fn fn;
    void *arg;
};

/* Runs one statement that has no rows. types names the values that follow, in order of ?1, ?2 ...:
 *   n  const char *           a name, at most STORE_NAME_BYTES_MAX bytes
 *   s  const char *           a text, at most STORE_TEXT_BYTES_MAX bytes; NULL is SQL's NULL
 *   i  int64_t
 *   h  const unsigned char *  STORE_SECRET_HASH_BYTES bytes; NULL is SQL's NULL
 * 0 or what store.h lists, and -EEXIST (a unique column's value is taken), -ENOENT (a foreign key
 * names nothing). */
int store_run(struct store *store, struct err *err, const char *sql, const char *types, ...);

/* As store_run, for a statement with rows. */
int store_query(struct store *store, struct err *err, struct store_rows rows, const char *sql,
                const char *types, ...);

/* Rows that the last statement changed. */
int64_t store_changes(const struct store *store);

/* Turns SQLite's result code into -errno and a text that begins with what, e.g. "cannot save". */
int store_fail(const struct store *store, struct err *err, int code, const char *what);

/* Borrowed column texts; never NULL. */
const char *store_column(sqlite3_stmt *row, int column);

/* A row function: copies the first column's text into *(char **)arg, owned by the caller. */
int store_take_text(void *arg, sqlite3_stmt *row);

/* A row function: the first column's number into *(int64_t *)arg. */
int store_take_int(void *arg, sqlite3_stmt *row);

/* store_schema.c: brings the tables to this version's schema. As store_open. */
int store_schema_check(struct store *store, struct err *err);
int store_schema_migrate(struct store *store, struct err *err);
