/* What the files of the store share: statements with their values, and the two drivers (SQLite,
 * PostgreSQL) behind one table of functions. Not for use outside src/store.
 *
 * Statements are written once, in the SQL that both understand: values are $1, $2 ...; text is
 * compared and ordered by its bytes; flags are integers. */
#pragma once

#include "store/store.h"

struct store {
    const struct store_driver *driver;
    char *name;       /* for messages: the file, or the URL without its password; owned */
    bool in_transact; /* store_transact does not nest */
    int64_t changes;  /* rows that the last statement changed */
};

struct store_table;

struct store_value {
    char type; /* as in store_run */
    const char *text;
    size_t size;
    int64_t number;
    const unsigned char *hash;
};

/* One row of a result; its columns are borrowed until the row function returns. */
struct store_row {
    const struct store_driver *driver;
    void *result; /* the driver's */
    int index;
};

/* A negative result ends the walk and is passed on. */
typedef int (*store_row_fn)(void *arg, const struct store_row *row);

struct store_rows {
    store_row_fn fn;
    void *arg;
};

struct store_driver {
    /* Runs one statement with values[count]; sets store->changes. */
    int (*run)(struct store *store, struct err *err, struct store_rows rows, const char *sql,
               const struct store_value *values, size_t count);
    /* Runs statements without values or rows. */
    int (*script)(struct store *store, const char *sql, struct err *err);
    int (*begin)(struct store *store, struct err *err); /* with the right to write */
    int (*commit)(struct store *store, struct err *err);
    void (*rollback)(struct store *store);
    void (*close)(struct store *store); /* frees it, too */
    /* Columns of a row. */
    const char *(*text)(const struct store_row *row, int column); /* NULL = SQL's NULL */
    int64_t (*number)(const struct store_row *row, int column);
    /* Copies at most size bytes; returns how many there are. */
    size_t (*bytes)(const struct store_row *row, int column, unsigned char *ret, size_t size);
};

/* Runs one statement that has no rows. types names the values that follow, in order of $1, $2 ...:
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

#define STORE_VALUES_MAX 20 /* the widest table has 18 columns */

/* Rows that the last statement changed. */
int64_t store_changes(const struct store *store);

/* What modules, meta and configs are read from: the store, or its copy while there is no
 * connection. */
struct store *store_readable(struct store *store);

/* store_copy.c: puts the table's rows in the place of those of `to`, within its transaction. */
int store_copy_table(struct store *from, struct store *to, const struct store_table *table,
                     struct err *err);

/* Runs fn as store_transact does, or as a part of the transaction that is under way. */
int store_within(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                 struct err *err);

/* Borrowed column texts; never NULL. */
const char *store_column(const struct store_row *row, int column);
int64_t store_column_int(const struct store_row *row, int column);
/* False: it is no hash of STORE_SECRET_HASH_BYTES. */
bool store_column_hash(const struct store_row *row, int column, unsigned char *ret_hash);

/* A row function: copies the first column's text into *(char **)arg, owned by the caller. */
int store_take_text(void *arg, const struct store_row *row);

/* A row function: the first column's number into *(int64_t *)arg. */
int store_take_int(void *arg, const struct store_row *row);

/* store_steps.c: what a schema's version n + 1 adds to version n, in each driver's dialect. */
struct store_step {
    const char *sqlite;
    const char *postgres;
};

extern const struct store_step STORE_STEPS[];
extern const int64_t STORE_STEP_COUNT;

/* The tables that hold the state, for copying and comparing; ended by a NULL name. */
struct store_table {
    const char *name;
    const char *columns; /* with commas */
    const char *types;   /* of each, as in store_run */
    const char *key;     /* what orders its rows */
};

extern const struct store_table STORE_TABLES[];

/* store_sqlite.c, store_pg.c: as store_open. */
int store_sqlite_open(const char *path, struct store **ret_store, struct err *err);
int store_pg_open(const char *url, struct store **ret_store, struct err *err);
