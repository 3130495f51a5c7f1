#include "store/store_priv.h"

struct decision_add {
    struct store *store;
    const struct store_decision *decision;
};

static int add(void *arg, struct err *err)
{
    const struct decision_add *what = arg;
    const struct store_decision *decision = what->decision;
    int failed = store_run(what->store, err,
                           "INSERT INTO decisions (run, line, at_ms, told, answer)"
                           " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run, line) DO NOTHING",
                           "iiiss", decision->run, decision->line, decision->at_ms, decision->told,
                           decision->answer);
    if (!failed && decision->line == 0) {
        failed = store_run(what->store, err, "DELETE FROM decisions WHERE run < $1", "i",
                           decision->run - STORE_DECISION_RUNS_MAX + 1);
    }
    return failed;
}

int store_decision_add(struct store *store, const struct store_decision *decision, struct err *err)
{
    struct decision_add what = {store, decision};
    return store_within(store, add, &what, err);
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

static int decision_row(void *arg, const struct store_row *row)
{
    struct decision_walk *walk = arg;
    return walk->fn(walk->arg, &(struct store_decision){
                                   .run = store_column_int(row, 0),
                                   .line = store_column_int(row, 1),
                                   .at_ms = store_column_int(row, 2),
                                   .told = store_column(row, 3),
                                   .answer = store_column(row, 4),
                               });
}

int store_decision_each(struct store *store, int64_t run, int64_t limit, store_decision_fn fn,
                        void *arg, struct err *err)
{
    struct decision_walk walk = {.fn = fn, .arg = arg};
    return store_query(store, err, (struct store_rows){decision_row, &walk},
                       "SELECT run, line, at_ms, told, answer FROM decisions WHERE run = $1 AND"
                       " ($2 <= 0 OR line = 0 OR line >"
                       " (SELECT max(line) FROM decisions WHERE run = $1) - $2)"
                       " ORDER BY line",
                       "ii", run, limit);
}
