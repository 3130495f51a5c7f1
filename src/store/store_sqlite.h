/* What the two files of the SQLite driver share. */
#pragma once

#include <sqlite3.h>

#include "store/store_priv.h"

struct store_sqlite {
    struct store base; /* first: a store of this driver is this */
    sqlite3 *db;       /* owned */
};

static inline struct store_sqlite *store_sqlite(struct store *store)
{
    return (struct store_sqlite *)store;
}

/* Turns SQLite's result code into -errno and a text that begins with what, e.g. "cannot save". */
int store_sqlite_fail(const struct store_sqlite *store, struct err *err, int code,
                      const char *what);

/* store_sqlite_schema.c: brings the tables to this version's schema. As store_open. */
int store_sqlite_check(struct store_sqlite *store, struct err *err);
int store_sqlite_migrate(struct store_sqlite *store, struct err *err);
