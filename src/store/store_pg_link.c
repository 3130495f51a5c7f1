/* A connection to PostgreSQL: how it is made and how a statement is run on it within bounded time.
 * libpq's own blocking calls would wait for a database that hangs as long as it hangs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store_pg.h"

/* As PostgreSQL numbers its types (pg_type.dat). Each value's type is told, so that none has to be
 * guessed from where it stands. */
enum { TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_TEXT = 25 };

/* What a session needs:
 * - a statement, a wait for a lock and a transaction whose daemon has gone end by themselves, so
 *   that nobody waits long for a daemon that hangs;
 * - LISTEN tells of others' changes. */
#define SESSION                                                                                    \
    "SET client_min_messages = warning; SET search_path = jsorc;"                                  \
    "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;"                          \
    "SET statement_timeout = 60000; SET lock_timeout = 1500;"                                      \
    "SET idle_in_transaction_session_timeout = 5000; LISTEN jsorc"

#define SESSION_MS 5000

static PGconn *finish(PGconn *connection)
{
    PQfinish(connection);
    return NULL;
}
DEFINE_CLEANUP(PGconn *, finish)

static PGresult *clear(PGresult *result)
{
    PQclear(result);
    return NULL;
}
DEFINE_CLEANUP(PGresult *, clear)

/* libpq's texts end with a line end and may have several lines. Owned by the caller. */
static char *one_line(const char *text)
{
    char *line = xstrdup(text && *text ? text : "the connection was closed");
    size_t size = strlen(line);
    while (size > 0 && line[size - 1] == '\n') {
        line[--size] = '\0';
    }
    for (char *at = line; *at; at++) {
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    }
    return line;
}

/* ---- names ---- */

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *at = options; at->keyword; at++) {
        if (strcmp(at->keyword, keyword) == 0) {
            return at->val && *at->val ? at->val : NULL;
        }
    }
    return NULL;
}

int store_pg_name(const char *url, char **ret_name, struct err *err)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &reason);
    if (!options) {
        CLEANUP(str_free) char *line = one_line(reason);
        PQfreemem(reason);
        return err_set(err, EINVAL, "the URL of the state cannot be used: %s", line);
    }
    const char *user = option(options, "user"), *host = option(options, "host");
    const char *port = option(options, "port"), *name = option(options, "dbname");
    bool folder = host && host[0] == '/';
    *ret_name = xasprintf("postgresql://%s%s%s%s%s/%s%s%s", user ? user : "", user ? "@" : "",
                          host && !folder ? host : "", port && !folder ? ":" : "",
                          port && !folder ? port : "", name ? name : "", folder ? "?host=" : "",
                          folder ? host : "");
    PQconninfoFree(options);
    return 0;
}

/* ---- statements ---- */

struct request {
    const char *texts[STORE_VALUES_MAX];
    Oid types[STORE_VALUES_MAX];
    int sizes[STORE_VALUES_MAX];
    int formats[STORE_VALUES_MAX]; /* 0 = text, 1 = binary */
    char numbers[STORE_VALUES_MAX][24];
};

static void fill(struct request *request, const struct store_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_value *value = &values[i];
        request->formats[i] = value->type == 'h';
        request->types[i] = value->type == 'i'   ? TYPE_INT8
                            : value->type == 'h' ? TYPE_BYTEA
                                                 : TYPE_TEXT;
        request->sizes[i] = STORE_SECRET_HASH_BYTES; /* only looked at where it is binary */
        request->texts[i] = value->type == 'h' ? (const char *)value->hash : value->text;
        if (value->type == 'i') {
            (void)snprintf(request->numbers[i], sizeof(request->numbers[i]), "%lld",
                           (long long)value->number);
            request->texts[i] = request->numbers[i];
        }
    }
}

/* Until all was sent and the next result is whole. False: it broke, or the time is over. */
static bool await(PGconn *connection, uint64_t deadline_ms, bool *ret_late)
{
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0) {
            return false;
        }
        if (unsent == 0 && !PQisBusy(connection)) {
            return true;
        }
        uint64_t now_ms = clock_now_ms();
        struct pollfd watch = {.fd = PQsocket(connection),
                               .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
        if (now_ms >= deadline_ms || poll(&watch, 1, (int)(deadline_ms - now_ms)) == 0) {
            *ret_late = true;
            return false;
        }
        if (watch.revents & (POLLIN | POLLERR | POLLHUP) && !PQconsumeInput(connection)) {
            return false;
        }
    }
}

PGresult *store_pg_execute(PGconn *connection, const struct store_pg_statement *statement,
                           char **ret_why)
{
    struct request request;
    uint64_t deadline_ms = clock_now_ms() + statement->answer_ms;
    bool late = false, sent;
    CLEANUP(clear) PGresult *last = NULL;
    if (statement->values) {
        fill(&request, statement->values, statement->count);
        sent = PQsendQueryParams(connection, statement->sql, (int)statement->count, request.types,
                                 request.texts, request.sizes, request.formats, 0);
    } else {
        sent = PQsendQuery(connection, statement->sql);
    }
    while (sent && await(connection, deadline_ms, &late)) {
        PGresult *result = PQgetResult(connection);
        if (!result && PQstatus(connection) == CONNECTION_OK) {
            return TAKE(last);
        }
        if (!result || (last && PQresultStatus(last) == PGRES_FATAL_ERROR)) {
            PQclear(result); /* the first failure tells the cause */
            sent = PQstatus(connection) == CONNECTION_OK;
            continue;
        }
        PQclear(last);
        last = result;
    }
    *ret_why = late
                   ? xasprintf("no answer within %llu ms", (unsigned long long)statement->answer_ms)
                   : one_line(PQerrorMessage(connection));
    return NULL;
}

/* ---- life ---- */

PGconn *store_pg_connect(const char *url, const char *hostaddr, int timeout_s, struct err *err)
{
    char timeout[12];
    (void)snprintf(timeout, sizeof(timeout), "%d", timeout_s);
    /* Of a keyword that is there twice the last one counts, so the URL's before ours. A connection
     * whose other end has vanished is felt within half a minute. */
    const char *const keywords[] = {"fallback_application_name",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "connect_timeout",
                                    "dbname",
                                    hostaddr && *hostaddr ? "hostaddr" : NULL,
                                    NULL};
    const char *const values[] = {"jsorc", "10", "5", "3", "15000", timeout, url, hostaddr, NULL};
    CLEANUP(finish) PGconn *connection = PQconnectdbParams(keywords, values, 1);
    CLEANUP(str_free) char *why = NULL;
    if (!connection || PQstatus(connection) != CONNECTION_OK) {
        why = one_line(connection ? PQerrorMessage(connection) : "out of memory");
        (void)err_set(err, ENOTCONN, "%s", why);
        return NULL;
    }
    (void)PQsetnonblocking(connection, 1);
    struct store_pg_statement session = {.sql = SESSION, .answer_ms = SESSION_MS};
    CLEANUP(clear) PGresult *result = store_pg_execute(connection, &session, &why);
    if (!result || PQresultStatus(result) != PGRES_COMMAND_OK) {
        why = why ? why : one_line(PQresultErrorMessage(result));
        (void)err_set(err, ENOTCONN, "%s", why);
        return NULL;
    }
    return TAKE(connection);
}

/* ---- a link ---- */

struct store_link {
    char *url;
    PGconn *connection; /* owned; NULL = not made */
};

struct store_link *store_link_new(const struct store *store)
{
    const struct store_pg *pg = (const struct store_pg *)store;
    struct store_link *link = xcalloc(1, sizeof(*link));
    link->url = xstrdup(pg->url);
    return link;
}

struct store_link *store_link_free(struct store_link *link)
{
    if (link) {
        PQfinish(link->connection);
        free(link->url);
        free(link);
    }
    return NULL;
}

int store_link_open(struct store_link *link, struct err *err)
{
    CLEANUP(finish) PGconn *connection = store_pg_connect(link->url, NULL, STORE_CONNECT_S, err);
    CLEANUP(str_free) char *why = NULL;
    if (!connection) {
        return -ENOTCONN;
    }
    /* It may be another server of the URL's list, or one that was restored meanwhile. */
    struct store_value none = {0};
    struct store_pg_statement version = {
        .sql = "SELECT number FROM version", .values = &none, .answer_ms = SESSION_MS};
    CLEANUP(clear) PGresult *result = store_pg_execute(connection, &version, &why);
    bool known = result && PQntuples(result) == 1;
    if (!known || strtoll(PQgetvalue(result, 0, 0), NULL, 10) != STORE_STEP_COUNT) {
        return err_set(err, ENOTCONN, "the database that answers holds no state of schema %lld",
                       (long long)STORE_STEP_COUNT);
    }
    link->connection = TAKE(connection);
    return 0;
}

void store_link_install(struct store *store, struct store_link *link)
{
    struct store_pg *pg = store_pg(store);
    if (link->connection) {
        PQfinish(pg->connection);
        pg->connection = TAKE(link->connection);
        pg->connections++;
        pg->renewed = true;
        str_replace(&pg->lost, NULL);
    }
}
