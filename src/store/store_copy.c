#include "store/store_copy.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_priv.h"
#include "store/store_shared.h"

/* ---- comparing ---- */

/* What a table holds: the number of its rows, and a digest (BLAKE2b) of all values in the order of
 * the key. */
struct content {
    int64_t rows;
    unsigned char digest[crypto_generichash_BYTES];
};

struct reading {
    const struct store_table *table;
    crypto_generichash_state digest;
    int64_t rows;
};

/* Each value with its length before it: no two rows give the same bytes. */
static void digest_value(struct reading *reading, const void *data, size_t size)
{
    uint64_t length = size;
    (void)crypto_generichash_update(&reading->digest, (const unsigned char *)&length,
                                    sizeof(length));
    (void)crypto_generichash_update(&reading->digest, data, size);
}

static int digest_row(void *arg, const struct store_row *row)
{
    struct reading *reading = arg;
    for (int i = 0; reading->table->types[i]; i++) {
        unsigned char hash[STORE_SECRET_HASH_BYTES];
        int64_t number;
        const char *text;
        switch (reading->table->types[i]) {
        case 'i':
            number = store_column_int(row, i);
            digest_value(reading, &number, sizeof(number));
            break;
        case 'h':
            if (!store_column_hash(row, i, hash)) {
                return -EMEDIUMTYPE; /* edited by hand */
            }
            digest_value(reading, hash, sizeof(hash));
            break;
        default:
            text = row->driver->text(row, i);
            number = text != NULL; /* SQL's NULL is another value than the empty text */
            digest_value(reading, &number, sizeof(number));
            digest_value(reading, text, text ? strlen(text) : 0);
        }
    }
    reading->rows++;
    return 0;
}

static int walk(struct store *store, const struct store_table *table, store_row_fn fn, void *arg,
                struct err *err)
{
    CLEANUP(str_free)
    char *sql = xasprintf("SELECT %s FROM %s ORDER BY %s", table->columns, table->name, table->key);
    int failed = store_query(store, err, (struct store_rows){fn, arg}, sql, "");
    return failed == -EMEDIUMTYPE ? err_set(err, EMEDIUMTYPE,
                                            "'%s': a row of the table '%s' holds no hash of %d "
                                            "bytes; delete it",
                                            store->name, table->name, STORE_SECRET_HASH_BYTES)
                                  : failed;
}

static int read_content(struct store *store, const struct store_table *table, struct content *ret,
                        struct err *err)
{
    struct reading reading = {.table = table};
    (void)crypto_generichash_init(&reading.digest, NULL, 0, sizeof(ret->digest));
    int failed = walk(store, table, digest_row, &reading, err);
    if (!failed) {
        ret->rows = reading.rows;
        (void)crypto_generichash_final(&reading.digest, ret->digest, sizeof(ret->digest));
    }
    return failed;
}

/* *ret_other: the name of the first table that differs; NULL = none does. */
static int compare(struct store *from, struct store *to, const struct store_copy *copy,
                   const char **ret_other, struct err *err)
{
    *ret_other = NULL;
    for (const struct store_table *table = STORE_TABLES; table->name && !*ret_other; table++) {
        struct content first, second;
        int failed = read_content(from, table, &first, err);
        failed = failed ? failed : read_content(to, table, &second, err);
        if (failed) {
            return failed;
        }
        if (first.rows != second.rows ||
            memcmp(first.digest, second.digest, sizeof(first.digest)) != 0) {
            *ret_other = table->name;
        } else if (copy && copy->told) {
            copy->told(copy->arg, table->name, first.rows);
        }
    }
    return 0;
}

/* A row that is there though nobody ever used the store does not count. */
static int is_used(struct store *store, bool *ret_used, struct err *err)
{
    int64_t rows = 0;
    for (const struct store_table *table = STORE_TABLES; table->name && !rows; table++) {
        bool ids = strcmp(table->name, "ids") == 0;
        CLEANUP(str_free)
        char *sql =
            xasprintf("SELECT count(*) FROM %s%s", table->name, ids ? " WHERE last > 0" : "");
        int failed = store_query(store, err, (struct store_rows){store_take_int, &rows}, sql, "");
        if (failed) {
            return failed;
        }
    }
    *ret_used = rows > 0;
    return 0;
}

/* ---- writing ---- */

struct writing {
    struct store *from;
    struct store *to;
    const struct store_table *table;
    char *sql; /* "INSERT ..."; owned */
    struct err *err;
};

static int write_row(void *arg, const struct store_row *row)
{
    const struct writing *writing = arg;
    struct store_value values[STORE_VALUES_MAX];
    unsigned char hashes[STORE_VALUES_MAX][STORE_SECRET_HASH_BYTES];
    size_t count = strlen(writing->table->types);
    for (size_t i = 0; i < count; i++) {
        values[i] = (struct store_value){.type = writing->table->types[i]};
        if (values[i].type == 'i') {
            values[i].number = store_column_int(row, (int)i);
        } else if (values[i].type == 'h') {
            (void)store_column_hash(row, (int)i, hashes[i]); /* the comparison will tell */
            values[i].hash = hashes[i];
        } else {
            values[i].text = row->driver->text(row, (int)i);
            values[i].size = values[i].text ? strlen(values[i].text) : 0;
        }
    }
    return writing->to->driver->run(writing->to, writing->err, (struct store_rows){0}, writing->sql,
                                    values, count);
}

int store_copy_table(struct store *from, struct store *to, const struct store_table *table,
                     struct err *err)
{
    char places[STORE_VALUES_MAX * 6] = "";
    for (size_t i = 0; table->types[i]; i++) {
        size_t used = strlen(places);
        (void)snprintf(places + used, sizeof(places) - used, "%s$%zu", i ? ", " : "", i + 1);
    }
    CLEANUP(str_free) char *delete = xasprintf("DELETE FROM %s", table->name);
    CLEANUP(str_free)
    char *sql = xasprintf("INSERT INTO %s (%s) VALUES (%s)", table->name, table->columns, places);
    struct writing writing = {from, to, table, sql, err};
    int failed = to->driver->script(to, delete, err);
    return failed ? failed : walk(from, table, write_row, &writing, err);
}

/* Of a database: the triggers would tell others of each row. They are told once, when the triggers
 * are there again and a statement, of no row, goes by. */
static int quiet(struct store *store, bool on, struct err *err)
{
    static const char *const tables[] = {"configs", "meta", "modules", "users", "tokens"};
    int failed = 0;
    for (size_t i = 0; !failed && store_is_shared(store) && i < sizeof(tables) / sizeof(*tables);
         i++) {
        CLEANUP(str_free)
        char *sql = xasprintf("ALTER TABLE %s %s TRIGGER changed; DELETE FROM %s WHERE false",
                              tables[i], on ? "DISABLE" : "ENABLE", tables[i]);
        failed = store->driver->script(store, sql, err);
    }
    return failed;
}

struct transfer {
    struct store *from;
    struct store *to;
    const struct store_copy *copy;
};

static int transfer(void *arg, struct err *err)
{
    const struct transfer *what = arg;
    const char *other = NULL;
    int failed = quiet(what->to, true, err);
    for (const struct store_table *table = STORE_TABLES; !failed && table->name; table++) {
        failed = store_copy_table(what->from, what->to, table, err);
    }
    failed = failed ? failed : quiet(what->to, false, err);
    failed = failed ? failed : compare(what->from, what->to, what->copy, &other, err);
    if (!failed && other) {
        failed = err_set(err, EIO, "the table '%s' did not arrive as it was; nothing was changed",
                         other);
    }
    return failed;
}

int store_copy(struct store *from, struct store *to, const struct store_copy *copy,
               bool *ret_copied, struct err *err)
{
    const char *other = NULL;
    bool used = false;
    int failed = compare(from, to, NULL, &other, err);
    failed = failed ? failed : is_used(to, &used, err);
    if (failed) {
        return failed;
    }
    *ret_copied = other != NULL;
    if (!other) {
        return compare(from, to, copy, &other, err);
    }
    if (used && !copy->replace) {
        return err_set(err, ENOTEMPTY, "'%s' holds another state already (the table '%s' differs)",
                       to->name, other);
    }
    struct transfer what = {from, to, copy};
    return store_transact(to, transfer, &what, err);
}
