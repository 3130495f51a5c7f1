#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_priv.h"

static int get(struct store *store, const char *sql, const char *name, char **ret_text,
               struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    int failed =
        store_query(store, err, (struct store_rows){store_take_text, &text}, sql, "n", name);
    if (failed) {
        return failed;
    }
    if (!text) {
        return err_set(err, ENOENT, "'%s' is not set", name);
    }
    *ret_text = TAKE(text);
    return 0;
}

static int forget(struct store *store, const char *sql, const char *name, struct err *err)
{
    int failed = store_run(store, err, sql, "n", name);
    if (!failed && store_changes(store) == 0) {
        return err_set(err, ENOENT, "'%s' is not set", name);
    }
    return failed;
}

int store_config_get(struct store *store, const char *name, char **ret_text, struct err *err)
{
    return get(store_readable(store), "SELECT text FROM configs WHERE name = $1", name, ret_text,
               err);
}

int store_config_set(struct store *store, const char *name, const char *text, struct err *err)
{
    return store_run(store, err,
                     "INSERT INTO configs VALUES ($1, $2) "
                     "ON CONFLICT (name) DO UPDATE SET text = excluded.text",
                     "ns", name, text);
}

int store_config_delete(struct store *store, const char *name, struct err *err)
{
    return forget(store, "DELETE FROM configs WHERE name = $1", name, err);
}

struct config_walk {
    store_config_fn fn;
    void *arg;
};

static int config_row(void *arg, const struct store_row *row)
{
    struct config_walk *walk = arg;
    return walk->fn(walk->arg, store_column(row, 0), store_column(row, 1));
}

int store_config_each(struct store *store, store_config_fn fn, void *arg, struct err *err)
{
    struct config_walk walk = {.fn = fn, .arg = arg};
    return store_query(store_readable(store), err, (struct store_rows){config_row, &walk},
                       "SELECT name, text FROM configs ORDER BY name", "");
}

int store_meta_get(struct store *store, const char *key, char **ret_text, struct err *err)
{
    return get(store_readable(store), "SELECT text FROM meta WHERE key = $1", key, ret_text, err);
}

int store_meta_set(struct store *store, const char *key, const char *text, struct err *err)
{
    return store_run(store, err,
                     "INSERT INTO meta VALUES ($1, $2) "
                     "ON CONFLICT (key) DO UPDATE SET text = excluded.text",
                     "ns", key, text);
}

int store_meta_delete(struct store *store, const char *key, struct err *err)
{
    return forget(store, "DELETE FROM meta WHERE key = $1", key, err);
}
