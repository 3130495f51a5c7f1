#include <errno.h>

#include "base/err.h"
#include "store/store_priv.h"

static const char * or (const char *text, const char *fallback)
{
    return text ? text : fallback;
}

int store_module_put(struct store *store, const struct store_module *module, struct err *err)
{
    return store_run(store, err,
                     "INSERT INTO modules (name, kind, source, config, ctx, place, loaded_by,"
                     " learnt, position) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
                     " CASE WHEN $9 > 0 THEN $9"
                     " ELSE (SELECT coalesce(max(position), 0) + 1 FROM modules) END)"
                     " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind,"
                     " source = excluded.source, config = excluded.config, ctx = excluded.ctx,"
                     " place = excluded.place, loaded_by = excluded.loaded_by,"
                     " learnt = excluded.learnt,"
                     " position = CASE WHEN $9 > 0 THEN $9 ELSE modules.position END",
                     "nsssssssi", module->name, or (module->kind, ""), or (module->source, ""),
                     or (module->config, "{}"), or (module->ctx, "{}"), or (module->place, ""),
                     or (module->loaded_by, ""), or (module->learnt, "{}"), module->position);
}

static int found(struct store *store, int failed, const char *name, struct err *err)
{
    if (!failed && store_changes(store) == 0) {
        return err_set(err, ENOENT, "no module '%s' is stored", name);
    }
    return failed;
}

int store_module_set_place(struct store *store, const char *name, const char *place,
                           struct err *err)
{
    int failed =
        store_run(store, err, "UPDATE modules SET place = $2 WHERE name = $1", "ns", name, place);
    return found(store, failed, name, err);
}

int store_module_set_learnt(struct store *store, const char *name, const char *learnt,
                            struct err *err)
{
    int failed =
        store_run(store, err, "UPDATE modules SET learnt = $2 WHERE name = $1", "ns", name, learnt);
    return found(store, failed, name, err);
}

int store_module_delete(struct store *store, const char *name, struct err *err)
{
    int failed = store_run(store, err, "DELETE FROM modules WHERE name = $1", "n", name);
    return found(store, failed, name, err);
}

struct module_walk {
    store_module_fn fn;
    void *arg;
};

static int module_row(void *arg, const struct store_row *row)
{
    struct module_walk *walk = arg;
    struct store_module module = {
        .name = store_column(row, 0),
        .kind = store_column(row, 1),
        .source = store_column(row, 2),
        .config = store_column(row, 3),
        .ctx = store_column(row, 4),
        .place = store_column(row, 5),
        .loaded_by = store_column(row, 6),
        .learnt = store_column(row, 7),
        .position = store_column_int(row, 8),
    };
    return walk->fn(walk->arg, &module);
}

int store_module_each(struct store *store, store_module_fn fn, void *arg, struct err *err)
{
    struct module_walk walk = {.fn = fn, .arg = arg};
    return store_query(store_readable(store), err, (struct store_rows){module_row, &walk},
                       "SELECT name, kind, source, config, ctx, place, loaded_by, learnt, position "
                       "FROM modules ORDER BY position, name",
                       "");
}
