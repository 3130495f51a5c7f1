/* A connection to the database for a job: made, asked and closed within bounded time. libpq's own
 * blocking calls would wait for a server that hangs as long as it hangs. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "service/database.h"

#define PORT_BYTES 12

/* libpq's texts have several lines; the last ones only repeat. */
static void set_text(struct err *err, const char *text)
{
    size_t size = text ? strcspn(text, "\n") : 0;
    (void)err_set(err, EIO, "%.*s", size ? (int)size : (int)strlen("no answer"),
                  size ? text : "no answer");
}

/* False: the time is over. */
static bool await(PGconn *connection, short events, uint64_t deadline_ms)
{
    uint64_t now_ms = clock_now_ms();
    struct pollfd watch = {.fd = PQsocket(connection), .events = events};
    return now_ms < deadline_ms && poll(&watch, 1, (int)(deadline_ms - now_ms)) != 0;
}

PGconn *database_open(const struct service_job *job, const char *name, uint64_t timeout_ms,
                      struct err *err)
{
    bool own = job->provider == PROVIDER_PROCESS;
    char port[PORT_BYTES];
    CLEANUP(str_free) char *folder = database_path(job, "run");
    CLEANUP(str_free) char *password = database_password(job);
    (void)snprintf(port, sizeof(port), "%d", database_port(job));
    const char *const keywords[] = {
        "fallback_application_name", "dbname", "host", "port", "user", "password",
        "client_encoding",           NULL};
    const char *const values[] = {"jsorc",
                                  name,
                                  own ? folder : database_key(job, "host", ""),
                                  port,
                                  database_user(job),
                                  password,
                                  "UTF8",
                                  NULL};
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;
    CLEANUP(database_close) PGconn *connection = PQconnectStartParams(keywords, values, 0);
    if (!connection) {
        (void)err_set(err, ENOMEM, "no memory for a connection");
        return NULL;
    }
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    if (PQstatus(connection) == CONNECTION_BAD) {
        status = PGRES_POLLING_FAILED;
    }
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        if (!await(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms)) {
            (void)err_set(err, ETIMEDOUT, "no answer in time");
            return NULL;
        }
        status = PQconnectPoll(connection);
    }
    if (status == PGRES_POLLING_FAILED) {
        set_text(err, PQerrorMessage(connection));
        return NULL;
    }
    return TAKE(connection);
}

PGresult *database_ask(PGconn *connection, const char *sql, uint64_t timeout_ms, struct err *err)
{
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;
    CLEANUP(database_clear) PGresult *last = NULL;
    bool sent = PQsendQuery(connection, sql), refused = false;
    while (sent) {
        while (PQisBusy(connection)) {
            if (!await(connection, POLLIN, deadline_ms)) {
                (void)err_set(err, ETIMEDOUT, "no answer in time");
                return NULL;
            }
            if (!PQconsumeInput(connection)) {
                break; /* PQgetResult tells the cause */
            }
        }
        PGresult *result = PQgetResult(connection);
        if (!result) {
            return refused ? NULL : TAKE(last);
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
            const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
            set_text(err, text ? text : PQresultErrorMessage(result));
            refused = true;
        }
        PQclear(last);
        last = result;
    }
    set_text(err, PQerrorMessage(connection));
    return NULL;
}

int database_tell(PGconn *connection, uint64_t timeout_ms, struct err *err, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    CLEANUP(str_free) char *sql = xvasprintf(format, list);
    va_end(list);
    CLEANUP(database_clear) PGresult *result = database_ask(connection, sql, timeout_ms, err);
    return result ? 0 : -EIO;
}

char *database_quoted(const char *name)
{
    char *quoted = xcalloc(2 * strlen(name) + 3, 1), *to = quoted;
    *to++ = '"';
    for (const char *at = name; *at; at++) {
        if (*at == '"') {
            *to++ = '"';
        }
        *to++ = *at;
    }
    *to++ = '"';
    return quoted;
}
