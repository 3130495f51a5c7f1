/* What the store's functions need of a database, whichever it is. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_priv.h"

static int take_value(struct store_value *value, size_t bytes_max, struct err *err)
{
    value->size = value->text ? strlen(value->text) : 0;
    if (value->size > bytes_max) {
        return err_set(err, E2BIG, "a %s of %zu bytes is over the limit of %zu",
                       bytes_max == STORE_NAME_BYTES_MAX ? "name" : "text", value->size, bytes_max);
    }
    return 0;
}

static int run(struct store *store, struct err *err, struct store_rows rows, const char *sql,
               const char *types, va_list list)
{
    struct store_value values[STORE_VALUES_MAX];
    size_t count = strlen(types);
    int failed = 0;
    assert(count <= STORE_VALUES_MAX);
    for (size_t i = 0; !failed && i < count; i++) {
        values[i] = (struct store_value){.type = types[i]};
        switch (types[i]) {
        case 'n':
            values[i].text = va_arg(list, const char *);
            failed = take_value(&values[i], STORE_NAME_BYTES_MAX, err);
            break;
        case 's':
            values[i].text = va_arg(list, const char *);
            failed = take_value(&values[i], STORE_TEXT_BYTES_MAX, err);
            break;
        case 'i':
            values[i].number = va_arg(list, int64_t);
            break;
        case 'h':
            values[i].hash = va_arg(list, const unsigned char *);
            break;
        default:
            assert(false); /* no such value type */
        }
    }
    return failed ? failed : store->driver->run(store, err, rows, sql, values, count);
}

int store_run(struct store *store, struct err *err, const char *sql, const char *types, ...)
{
    va_list list;
    va_start(list, types);
    int failed = run(store, err, (struct store_rows){0}, sql, types, list);
    va_end(list);
    return failed;
}

int store_query(struct store *store, struct err *err, struct store_rows rows, const char *sql,
                const char *types, ...)
{
    va_list list;
    va_start(list, types);
    int failed = run(store, err, rows, sql, types, list);
    va_end(list);
    return failed;
}

int64_t store_changes(const struct store *store)
{
    return store->changes;
}

/* ---- rows ---- */

const char *store_column(const struct store_row *row, int column)
{
    const char *text = row->driver->text(row, column);
    return text ? text : "";
}

int64_t store_column_int(const struct store_row *row, int column)
{
    return row->driver->number(row, column);
}

bool store_column_hash(const struct store_row *row, int column, unsigned char *ret_hash)
{
    return row->driver->bytes(row, column, ret_hash, STORE_SECRET_HASH_BYTES) ==
           STORE_SECRET_HASH_BYTES;
}

int store_take_text(void *arg, const struct store_row *row)
{
    str_replace(arg, store_column(row, 0));
    return 0;
}

int store_take_int(void *arg, const struct store_row *row)
{
    *(int64_t *)arg = store_column_int(row, 0);
    return 0;
}

/* ---- transactions ---- */

int store_transact(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                   struct err *err)
{
    assert(!store->in_transact);

    /* With the right to write: a lock that another one holds is met here, before fn has done
     * anything. */
    int failed = store->driver->begin(store, err);
    if (failed) {
        return failed;
    }
    store->in_transact = true;
    failed = fn(arg, err);
    if (!failed) {
        failed = store->driver->commit(store, err);
    }
    if (failed) {
        store->driver->rollback(store);
    }
    store->in_transact = false;
    return failed;
}

int store_within(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                 struct err *err)
{
    return store->in_transact ? fn(arg, err) : store_transact(store, fn, arg, err);
}

bool store_is_hopeless(int failed)
{
    return failed == -E2BIG || failed == -EILSEQ;
}

/* ---- life ---- */

bool store_is_url(const char *where)
{
    return strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0;
}

int64_t store_schema(void)
{
    return STORE_STEP_COUNT;
}

int store_open(const char *where, struct store **ret_store, struct err *err)
{
    return store_is_url(where) ? store_pg_open(where, ret_store, err)
                               : store_sqlite_open(where, ret_store, err);
}

struct store *store_close(struct store *store)
{
    if (store) {
        free(store->name);
        store->driver->close(store);
    }
    return NULL;
}

const char *store_name(const struct store *store)
{
    return store->name;
}
