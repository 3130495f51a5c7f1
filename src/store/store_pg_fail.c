/* PostgreSQL's failures in our words: by SQLSTATE (PostgreSQL documentation, appendix A), first by
 * the code, then by its class, the first two characters. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_pg.h"

static const struct {
    const char *state;
    int code;
    const char *text; /* NULL = the server's own */
} ROWS[] = {
    {"23505", EEXIST, "exists already"},
    {"23503", ENOENT, "what it belongs to does not exist"},
    {"53100", ENOSPC, "its disk is full; nothing was changed: free space there and try again"},
    {"25006", EROFS, "it may not be written: it is read-only, perhaps a standby"},
    {"42501", EROFS, "the user has not the right to do that; grant it CREATE on the database"},
    {"55P03", EBUSY, "another program holds it locked; nothing was changed: try again"},
    {"57014", EBUSY, "it is overloaded: the statement took too long; nothing was changed"},
    {"40001", EBUSY, "another change came between; nothing was changed: try again"},
    {"40P01", EBUSY, "another change came between; nothing was changed: try again"},
    {"22021", EILSEQ, "a text is not UTF-8; nothing was changed"},
    {"53", EBUSY, NULL}, /* too little of something */
};

/* The server ends the connection: class 08, an administrator's command, a crash. */
static bool is_end(const char *state)
{
    return strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
           strcmp(state, "25P03") == 0;
}

int store_pg_lose(struct store_pg *store, struct err *err, const char *what, const char *why)
{
    PQfinish(store->connection);
    store->connection = NULL;
    str_replace(&store->lost, why);
    return err_set(err, ENOTCONN,
                   "%s '%s': the connection was lost (%s); nothing was changed, and jsorc connects "
                   "again by itself",
                   what, store->base.name, why);
}

int store_pg_fail(struct store_pg *store, struct err *err, const PGresult *result, const char *what)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    state = state ? state : "";
    text = text ? text : "no reason was given";
    if (is_end(state)) {
        CLEANUP(str_free) char *why = xstrdup(text);
        return store_pg_lose(store, err, what, why);
    }
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (strncmp(state, ROWS[i].state, strlen(ROWS[i].state)) == 0) {
            return err_set(err, ROWS[i].code, "%s '%s': %s", what, store->base.name,
                           ROWS[i].text ? ROWS[i].text : text);
        }
    }
    return err_set(err, EIO, "%s '%s': %s (SQLSTATE %s)", what, store->base.name, text, state);
}
