#include "measure/access_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json_put.h"
#include "base/log.h"
#include "measure/batch.h"
#include "measure/exchange.h"

struct access_log {
    struct batch *batch; /* owned */
    char *path;          /* owned */
    atomic_bool reopen;
    atomic_uint_fast64_t written;
    atomic_uint_fast64_t dropped;

    int fd; /* from here on the batch's thread's */
    bool failing;
    char second[40]; /* the first part of a line, for: */
    int64_t second_s;
    uint16_t family; /* of the address that address_text is; 0 = of none */
    unsigned char address[16];
    char address_text[INET6_ADDRSTRLEN];
};

void access_log_add(struct access_log *log, const struct exchange *exchange)
{
    if (!exchange_put(log->batch, exchange)) {
        (void)atomic_fetch_add(&log->dropped, 1);
    }
}

/* ---- lines ---- */

/* As milliseconds with three places. */
static void put_ms(struct buf *out, uint64_t ns)
{
    uint64_t us = (ns + 500) / 1000;
    char places[5] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
                      (char)('0' + us % 10), '\0'};
    json_put_number(out, us / 1000);
    json_put_text(out, places);
}

/* Nothing when there is no text. name: with a comma before it and a colon after it. */
static void put_member(struct buf *out, const char *name, struct slice text)
{
    if (text.size > 0) {
        json_put_text(out, name);
        json_put_string(out, text);
    }
}

static void put_time(struct access_log *log, struct buf *out, int64_t unix_ns)
{
    int64_t second_s = unix_ns / 1000000000;
    int ms = (int)(unix_ns / 1000000 % 1000);
    if (second_s != log->second_s || !log->second[0]) {
        struct tm utc;
        time_t time = (time_t)second_s;
        (void)gmtime_r(&time, &utc);
        (void)strftime(log->second, sizeof(log->second), "{\"ts\": \"%Y-%m-%dT%H:%M:%S.", &utc);
        log->second_s = second_s;
    }
    char places[4] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10),
                      '\0'};
    json_put_text(out, log->second);
    json_put_text(out, places);
    json_put_text(out, "Z\"");
}

/* A client sends many requests: its address is turned into text once. */
static const char *address_text(struct access_log *log, const struct exchange *exchange)
{
    if (log->family != exchange->family ||
        memcmp(log->address, exchange->address, sizeof(log->address)) != 0) {
        log->family = exchange->family;
        memcpy(log->address, exchange->address, sizeof(log->address));
        bool known = (exchange->family == AF_INET || exchange->family == AF_INET6) &&
                     inet_ntop(exchange->family, exchange->address, log->address_text,
                               sizeof(log->address_text));
        log->address_text[0] = known ? log->address_text[0] : '\0';
    }
    return log->address_text[0] ? log->address_text : NULL;
}

static void put_remote(struct access_log *log, struct buf *out, const struct exchange *exchange)
{
    const char *text = address_text(log, exchange);
    if (!text) {
        json_put_text(out, ", \"remote\": \"unix\"");
        return;
    }
    bool brackets = exchange->family == AF_INET6;
    json_put_text(out, brackets ? ", \"remote\": \"[" : ", \"remote\": \"");
    json_put_text(out, text);
    json_put_text(out, brackets ? "]:" : ":");
    json_put_number(out, ntohs(exchange->port));
    json_put_text(out, "\"");
}

static void put_line(struct access_log *log, struct buf *out, const struct exchange *exchange,
                     int64_t unix_ns)
{
    const struct slice *texts = exchange->texts;
    put_time(log, out, unix_ns);
    put_member(out, ", \"request_id\": ", texts[EXCHANGE_REQUEST_ID]);
    put_member(out, ", \"method\": ", texts[EXCHANGE_METHOD]);
    put_member(out, ", \"path\": ", texts[EXCHANGE_PATH]);
    json_put_text(out, ", \"status\": ");
    json_put_number(out, (uint64_t)exchange->status);
    json_put_text(out, exchange->failed ? ", \"success\": false" : "");
    json_put_text(out, ", \"duration_ms\": ");
    put_ms(out, exchange->ended_ns - exchange->began_ns);
    if (exchange->exec_ns > 0) {
        json_put_text(out, ", \"exec_ms\": ");
        put_ms(out, exchange->exec_ns);
    }
    json_put_text(out, ", \"bytes_in\": ");
    json_put_number(out, exchange->bytes_in);
    json_put_text(out, ", \"bytes_out\": ");
    json_put_number(out, exchange->bytes_out);
    put_member(out, ", \"kind\": ", texts[EXCHANGE_KIND]);
    put_member(out, ", \"name\": ", texts[EXCHANGE_NAME]);
    put_member(out, ", \"walker\": ", texts[EXCHANGE_WALKER]);
    put_member(out, ", \"place\": ", texts[EXCHANGE_PLACE]);
    if (exchange->user_id > 0) {
        json_put_text(out, ", \"user\": ");
        json_put_number(out, (uint64_t)exchange->user_id);
    }
    put_remote(log, out, exchange);
    json_put_text(out, "}\n");
}

/* ---- the thread ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static bool is_stdout(const struct access_log *log)
{
    return strcmp(log->path, "-") == 0;
}

/* One line of ours when it begins to fail, not one a batch. */
static void note_failure(struct access_log *log, const char *what)
{
    if (!log->failing) {
        log_warn("access log fails", "path=%s step=%s error=\"%s\"", log->path, what,
                 strerror(errno));
    }
    log->failing = true;
}

/* The file may have been renamed or removed since, or we were told so. */
static void follow_rotation(struct access_log *log)
{
    struct stat ours, there;
    bool wanted = atomic_exchange(&log->reopen, false);
    if (is_stdout(log)) {
        return;
    }
    bool same = stat(log->path, &there) == 0 && fstat(log->fd, &ours) == 0 &&
                ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
    if (same && !wanted) {
        return;
    }
    int fd = open_file(log->path);
    if (fd < 0) {
        note_failure(log, "open"); /* goes on with the old one */
        return;
    }
    (void)fd_close(log->fd);
    log->fd = fd;
}

static bool write_all(int fd, struct slice text)
{
    while (text.size > 0) {
        ssize_t put_bytes = write(fd, text.data, text.size);
        if (put_bytes < 0 && errno != EINTR) {
            return false;
        }
        text = slice_from(text, put_bytes > 0 ? (size_t)put_bytes : 0);
    }
    return true;
}

#define CHUNK_BYTES 65536 /* written at once */

static void flush(struct access_log *log, struct buf *out, uint64_t lines)
{
    if (write_all(log->fd, buf_slice(out))) {
        log->failing = false;
        (void)atomic_fetch_add(&log->written, lines);
    } else {
        note_failure(log, "write");
        (void)atomic_fetch_add(&log->dropped, lines);
    }
    buf_consume(out, buf_size(out));
}

static void write_batch(void *arg, char *data, size_t size)
{
    struct access_log *log = arg;
    struct buf out = {0};
    struct exchange exchange;
    uint64_t lines = 0;
    int64_t offset_ns = clock_unix_ms() * 1000000 - (int64_t)clock_now_ns();
    follow_rotation(log);
    for (size_t at = 0; exchange_next(data, size, &at, &exchange);) {
        put_line(log, &out, &exchange, (int64_t)exchange.ended_ns + offset_ns);
        lines++;
        if (buf_size(&out) >= CHUNK_BYTES) {
            flush(log, &out, lines);
            lines = 0;
        }
    }
    flush(log, &out, lines);
    buf_done(&out);
}

struct access_log *access_log_open(const char *path, struct err *err)
{
    int fd = strcmp(path, "-") == 0 ? STDOUT_FILENO : open_file(path);
    if (fd < 0) {
        (void)err_errno(err, errno, "cannot open the access log '%s'", path);
        return NULL;
    }
    struct access_log *log = xcalloc(1, sizeof(*log));
    log->path = xstrdup(path);
    log->fd = fd;
    log->batch = batch_new(&(struct batch_config){.bytes_max = ACCESS_QUEUE_BYTES,
                                                  .linger_ms = ACCESS_LINGER_MS,
                                                  .take = write_batch,
                                                  .arg = log},
                           err);
    return log->batch ? log : access_log_close(log);
}

void access_log_stop(struct access_log *log)
{
    batch_stop(log->batch);
}

struct access_log *access_log_close(struct access_log *log)
{
    if (log) {
        batch_free(log->batch);
        if (!is_stdout(log)) {
            (void)fd_close(log->fd);
        }
        free(log->path);
        free(log);
    }
    return NULL;
}

void access_log_reopen(struct access_log *log)
{
    atomic_store(&log->reopen, true);
}

uint64_t access_log_written(const struct access_log *log)
{
    return atomic_load(&log->written);
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return atomic_load(&log->dropped);
}
