/* Whether a database is ours, and how one of an older version becomes one of this version. All is
 * in a schema of our own, "jsorc"; the version is in its table "version". */
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_pg.h"

#define SCHEMA_SQL                                                                                 \
    "CREATE SCHEMA IF NOT EXISTS jsorc;"                                                           \
    "CREATE TABLE version (number BIGINT NOT NULL);"                                               \
    "INSERT INTO version VALUES (0)"

static int read_number(struct store_pg *pg, const char *sql, int64_t *ret_number, struct err *err)
{
    return store_query(&pg->base, err, (struct store_rows){store_take_int, ret_number}, sql, "");
}

static int read_version(struct store_pg *pg, int64_t *ret_version, struct err *err)
{
    int64_t ours = 0, others = 0;
    int failed =
        read_number(pg, "SELECT count(*) FROM pg_tables WHERE schemaname = 'jsorc'", &others, err);
    if (!failed) {
        failed = read_number(pg,
                             "SELECT count(*) FROM pg_tables"
                             " WHERE schemaname = 'jsorc' AND tablename = 'version'",
                             &ours, err);
    }
    if (failed) {
        return failed;
    }
    if (!ours && others) {
        return err_set(err, EMEDIUMTYPE,
                       "the state '%s' cannot be used: its schema 'jsorc' is another program's. It "
                       "was left as it is. Name another database",
                       pg->base.name);
    }
    *ret_version = -1;
    return ours ? read_number(pg, "SELECT number FROM version", ret_version, err) : 0;
}

/* Under the lock of writers: of daemons that start together one makes the tables. */
static int migrate(void *arg, struct err *err)
{
    struct store_pg *pg = arg;
    int64_t version = 0;
    int failed = read_version(pg, &version, err);
    if (!failed && version < 0) {
        failed = pg->base.driver->script(&pg->base, SCHEMA_SQL, err);
        version = 0;
    }
    for (int64_t i = version; !failed && i < STORE_STEP_COUNT; i++) {
        failed = pg->base.driver->script(&pg->base, STORE_STEPS[i].postgres, err);
    }
    return failed
               ? failed
               : store_run(&pg->base, err, "UPDATE version SET number = $1", "i", STORE_STEP_COUNT);
}

int store_pg_migrate(struct store_pg *pg, struct err *err)
{
    int64_t version = 0;
    int failed = read_version(pg, &version, err);
    if (failed || version == STORE_STEP_COUNT) {
        return failed;
    }
    if (version > STORE_STEP_COUNT) {
        return err_set(err, ENOTSUP,
                       "the state '%s' was written by a newer jsorc (schema %lld, this one knows "
                       "%lld); use that version, or another database",
                       pg->base.name, (long long)version, (long long)STORE_STEP_COUNT);
    }
    failed = store_transact(&pg->base, migrate, pg, err);
    return failed
               ? err_wrap(err, "cannot bring the state to schema %lld", (long long)STORE_STEP_COUNT)
               : 0;
}
