/* The schema: one text for both dialects, a step a version. Steps are only ever added; one that was
 * released is never edited, so a state of any older version becomes one of this version. */
#include "store/store_priv.h"

/* TEXT, INT, BYTES: the dialect's types. ID: a primary key that counts up. */
#define FIRST(TEXT, INT, BYTES, ID)                                                                \
    "CREATE TABLE configs (name " TEXT " PRIMARY KEY, text " TEXT " NOT NULL);"                    \
    "CREATE TABLE meta (key " TEXT " PRIMARY KEY, text " TEXT " NOT NULL);"                        \
    "CREATE TABLE modules ("                                                                       \
    "  name " TEXT " PRIMARY KEY, kind " TEXT " NOT NULL, source " TEXT " NOT NULL,"               \
    "  config " TEXT " NOT NULL, ctx " TEXT " NOT NULL, place " TEXT " NOT NULL,"                  \
    "  loaded_by " TEXT " NOT NULL, learnt " TEXT " NOT NULL, position " INT " NOT NULL);"         \
    "CREATE TABLE users ("                                                                         \
    "  id " ID ", email " TEXT " NOT NULL UNIQUE, name " TEXT " NOT NULL, jid " TEXT " NOT NULL,"  \
    "  password_hash " TEXT " NOT NULL, is_activated " INT " NOT NULL,"                            \
    "  is_superuser " INT " NOT NULL, created_ms " INT " NOT NULL,"                                \
    "  last_login_ms " INT " NOT NULL);"                                                           \
    "CREATE TABLE tokens ("                                                                        \
    "  hash " BYTES " PRIMARY KEY, user_id " INT " NOT NULL REFERENCES users ON DELETE CASCADE,"   \
    "  created_ms " INT " NOT NULL, expiry_ms " INT " NOT NULL);"                                  \
    "CREATE INDEX tokens_by_user ON tokens (user_id, created_ms);"                                 \
    "CREATE TABLE codes ("                                                                         \
    "  kind " INT " NOT NULL, user_id " INT " NOT NULL REFERENCES users ON DELETE CASCADE,"        \
    "  hash " BYTES " NOT NULL UNIQUE, expiry_ms " INT " NOT NULL, PRIMARY KEY (kind, user_id));"

#define DECISIONS(TEXT, INT, ID)                                                                   \
    "CREATE TABLE decisions ("                                                                     \
    "  id " ID ", run " INT " NOT NULL, at_ms " INT " NOT NULL, told " TEXT " NOT NULL,"           \
    "  answer " TEXT " NOT NULL);"                                                                 \
    "CREATE INDEX decisions_by_run ON decisions (run, id);"

/* ids: the last one that was given, so that none is given twice and what was kept about a deleted
 * account cannot be taken for another's. line: the number within the run, so that a line which is
 * written again, because nobody knows whether it was, stands there once. */
#define IDS_AND_LINES(TEXT, INT, LAST_USER)                                                        \
    "CREATE TABLE ids (name " TEXT " PRIMARY KEY, last " INT " NOT NULL);"                         \
    "INSERT INTO ids VALUES ('users', " LAST_USER ");"                                             \
    "ALTER TABLE decisions ADD COLUMN line " INT " NOT NULL DEFAULT 0;"                            \
    "UPDATE decisions SET line = id - (SELECT min(d.id) FROM decisions AS d"                       \
    "  WHERE d.run = decisions.run);"                                                              \
    "CREATE UNIQUE INDEX decisions_by_line ON decisions (run, line);"                              \
    "DROP INDEX decisions_by_run;"

/* number: the order of adding. due_ms of a task that was taken: when others may take it; so one
 * index finds all that can be taken. */
#define TASKS(TEXT, INT, ID)                                                                       \
    "CREATE TABLE tasks ("                                                                         \
    "  number " ID ", id " TEXT " NOT NULL UNIQUE, name " TEXT " NOT NULL, args " TEXT             \
    " NOT NULL,"                                                                                   \
    "  kwargs " TEXT " NOT NULL, key " TEXT ", user_id " INT " NOT NULL,"                          \
    "  schedule_id " INT " NOT NULL, state " INT " NOT NULL, created_ms " INT " NOT NULL,"         \
    "  due_ms " INT " NOT NULL, expires_ms " INT " NOT NULL, retries " INT " NOT NULL,"            \
    "  runs " INT " NOT NULL, failures " INT " NOT NULL, owner " TEXT " NOT NULL,"                 \
    "  done_ms " INT " NOT NULL, result " TEXT ", error " TEXT ", UNIQUE (user_id, key));"         \
    "CREATE INDEX tasks_due ON tasks (due_ms, number) WHERE state <= 1;"                           \
    "CREATE INDEX tasks_over ON tasks (done_ms) WHERE state >= 2;"                                 \
    "CREATE INDEX tasks_by_state ON tasks (state, number);"                                        \
    "CREATE INDEX tasks_by_schedule ON tasks (schedule_id, state) WHERE schedule_id > 0;"          \
    "CREATE TABLE schedules ("                                                                     \
    "  id " INT " PRIMARY KEY, name " TEXT " NOT NULL UNIQUE, task " TEXT " NOT NULL,"             \
    "  user_id " INT " NOT NULL, kind " TEXT " NOT NULL, conf " TEXT " NOT NULL,"                  \
    "  kwargs " TEXT " NOT NULL, one_off " INT " NOT NULL, overlap " INT " NOT NULL,"              \
    "  created_ms " INT " NOT NULL, next_ms " INT " NOT NULL, last_ms " INT " NOT NULL,"           \
    "  runs " INT " NOT NULL);"                                                                    \
    "INSERT INTO ids VALUES ('schedules', 0);"

#define PG_TEXT "TEXT COLLATE \"C\"" /* by its bytes, as SQLite does */
#define PG_ID   "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"

/* What several daemons with one state need beside it: how often each table was changed, told as
 * "TABLE REVISION" on a channel; and who leads (store_lease.c). */
#define SHARED                                                                                     \
    "CREATE TABLE changes (name TEXT PRIMARY KEY, revision BIGINT NOT NULL);"                      \
    "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, number BIGINT NOT NULL,"    \
    "  until_ms BIGINT NOT NULL);"                                                                 \
    "CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"      \
    "  AS $body$ DECLARE now BIGINT; BEGIN"                                                        \
    "  UPDATE changes SET revision = revision + 1 WHERE name = TG_TABLE_NAME"                      \
    "    RETURNING revision INTO now;"                                                             \
    "  PERFORM pg_notify('jsorc', TG_TABLE_NAME || ' ' || now); RETURN NULL; END $body$;"          \
    "DO $body$ DECLARE t TEXT; BEGIN"                                                              \
    "  FOREACH t IN ARRAY ARRAY['configs', 'meta', 'modules', 'users', 'tokens'] LOOP"             \
    "    INSERT INTO changes VALUES (t, 0);"                                                       \
    "    EXECUTE format('CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON %I"            \
    "      FOR EACH STATEMENT EXECUTE FUNCTION changed()', t);"                                    \
    "  END LOOP; END $body$;"

const struct store_step STORE_STEPS[] = {
    {FIRST("TEXT", "INTEGER", "BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"),
     FIRST(PG_TEXT, "BIGINT", "BYTEA", "BIGINT PRIMARY KEY")},
    {DECISIONS("TEXT", "INTEGER", "INTEGER PRIMARY KEY"), DECISIONS(PG_TEXT, "BIGINT", PG_ID)},
    {IDS_AND_LINES("TEXT", "INTEGER",
                   "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'users')"),
     IDS_AND_LINES(PG_TEXT, "BIGINT", "0") SHARED},
    {TASKS("TEXT", "INTEGER", "INTEGER PRIMARY KEY"), TASKS(PG_TEXT, "BIGINT", PG_ID)},
};

const int64_t STORE_STEP_COUNT = sizeof(STORE_STEPS) / sizeof(STORE_STEPS[0]);

const struct store_table STORE_TABLES[] = {
    {"configs", "name, text", "ns", "name"},
    {"meta", "key, text", "ns", "key"},
    {"modules", "name, kind, source, config, ctx, place, loaded_by, learnt, position", "nsssssssi",
     "name"},
    {"users",
     "id, email, name, jid, password_hash, is_activated, is_superuser, created_ms, last_login_ms",
     "innnsiiii", "id"},
    {"tokens", "hash, user_id, created_ms, expiry_ms", "hiii", "hash"},
    {"codes", "kind, user_id, hash, expiry_ms", "iihi", "kind, user_id"},
    {"decisions", "run, line, at_ms, told, answer", "iiiss", "run, line"},
    {"ids", "name, last", "ni", "name"},
    {"tasks",
     "id, name, args, kwargs, key, user_id, schedule_id, state, created_ms, due_ms, expires_ms,"
     " retries, runs, failures, owner, done_ms, result, error",
     "nnssniiiiiiiiiniss", "created_ms, id"},
    {"schedules",
     "id, name, task, user_id, kind, conf, kwargs, one_off, overlap, created_ms, next_ms, last_ms,"
     " runs",
     "inninssiiiiii", "id"},
    {.name = NULL},
};
