#include "store/store_priv.h"

int store_decision_add(struct store *store, const struct store_decision *decision, struct err *err)
{
    int failed =
        store_run(store, err,
                  "INSERT INTO decisions (run, at_ms, told, answer) "
                  "VALUES (?1, ?2, ?3, ?4)",
                  "iiss", decision->run, decision->at_ms, decision->told, decision->answer);
    if (!failed) {
        failed = store_run(store, err, "DELETE FROM decisions WHERE run < ?1", "i",
                           decision->run - STORE_DECISION_RUNS_MAX + 1);
    }
    return failed;
}

int store_decision_last_run(struct store *store, int64_t *ret_run, struct err *err)
{
    *ret_run = 0;
    return store_query(store, err, (struct store_rows){store_take_int, ret_run},
                       "SELECT coalesce(max(run), 0) FROM decisions", "");
}

struct decision_walk {
    store_decision_fn fn;
    void *arg;
};

static int decision_row(void *arg, sqlite3_stmt *row)
{
    struct decision_walk *walk = arg;
    return walk->fn(walk->arg, &(struct store_decision){
                                   .run = sqlite3_column_int64(row, 0),
                                   .at_ms = sqlite3_column_int64(row, 1),
                                   .told = store_column(row, 2),
                                   .answer = store_column(row, 3),
                               });
}

int store_decision_each(struct store *store, int64_t run, int64_t limit, store_decision_fn fn,
                        void *arg, struct err *err)
{
    struct decision_walk walk = {.fn = fn, .arg = arg};
    return store_query(store, err, (struct store_rows){decision_row, &walk},
                       "SELECT run, at_ms, told, answer FROM decisions WHERE run = ?1 AND "
                       "(?2 <= 0 OR id = (SELECT min(id) FROM decisions WHERE run = ?1) OR id IN "
                       "(SELECT id FROM decisions WHERE run = ?1 ORDER BY id DESC LIMIT ?2)) "
                       "ORDER BY id",
                       "ii", run, limit);
}
