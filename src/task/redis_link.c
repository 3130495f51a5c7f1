#include "task/redis_link.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "loop/job.h"
#include "loop/loop.h"

#define READ_BYTES     65536
#define OUT_BYTES_KEPT 65536 /* of an empty buffer */
#define BACKOFF_MS_MIN 50    /* before the second try; the first one is at once */
#define BACKOFF_MS_MAX 5000

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_ENTERING, LINK_UP };

struct pending {
    redis_reply_fn fn; /* NULL = nobody asks */
    void *arg;
};

struct redis_link {
    struct redis_link_options options; /* address: owned copies */
    enum link_state state;
    struct loop_watch watch;
    struct loop_timer timer; /* DOWN: the next try; else the time-out of replies */
    bool wants_write;
    struct buf out;
    redisReader *reader;                       /* NULL while there is no connection */
    struct pending pending[REDIS_PENDING_MAX]; /* a ring: [first, first + count) */
    size_t first, count;
    unsigned failures; /* in a row */
    uint64_t random;

    /* The job's; read when it is back. */
    int fd; /* -errno = failed */
    struct err err;
};

static void free_link(struct redis_link *link)
{
    str_replace((char **)&link->options.address.socket, NULL);
    str_replace((char **)&link->options.address.host, NULL);
    str_replace((char **)&link->options.address.password, NULL);
    buf_done(&link->out);
    free(link);
}

/* ---- up and down ---- */

static void drop_pending(struct redis_link *link)
{
    while (link->count > 0) {
        struct pending next = link->pending[link->first];
        link->first = (link->first + 1) % REDIS_PENDING_MAX;
        link->count--;
        if (next.fn) {
            next.fn(next.arg, NULL);
        }
    }
}

static void end_connection(struct redis_link *link)
{
    int fd = link->watch.fd;
    if (fd >= 0) {
        loop_unwatch(link->options.loop, &link->watch);
        (void)fd_close(fd);
    }
    if (link->reader) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }
    buf_done(&link->out);
    loop_timer_clear(link->options.loop, &link->timer);
}

/* With a random half, so that many that lost the same server do not come back at once. */
static uint64_t backoff_ms(struct redis_link *link)
{
    uint64_t pause_ms = BACKOFF_MS_MIN;
    for (unsigned i = 1; i < link->failures && pause_ms < BACKOFF_MS_MAX; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < BACKOFF_MS_MAX ? pause_ms : BACKOFF_MS_MAX;
    return pause_ms / 2 + random_bits(&link->random) % (pause_ms / 2 + 1);
}

static void go_down(struct redis_link *link, const char *error)
{
    end_connection(link);
    link->state = LINK_DOWN;
    link->failures++;
    loop_timer_set(link->options.loop, &link->timer,
                   loop_now_ms(link->options.loop) + backoff_ms(link));
    drop_pending(link);
    link->options.on_change(link->options.arg, false, error);
}

/* ---- bytes ---- */

static void rewatch(struct redis_link *link, bool wants_write)
{
    if (wants_write != link->wants_write) {
        link->wants_write = wants_write;
        (void)loop_rewatch(link->options.loop, &link->watch,
                           EPOLLIN | (wants_write ? EPOLLOUT : 0U));
    }
}

static void push_out(struct redis_link *link)
{
    while (buf_size(&link->out) > 0) {
        struct slice rest = buf_slice(&link->out);
        ssize_t done = send(link->watch.fd, rest.data, rest.size, MSG_NOSIGNAL);
        if (done > 0) {
            buf_consume(&link->out, (size_t)done);
        } else if (errno != EINTR) {
            break; /* full, or lost: reading says so */
        }
    }
    buf_shrink(&link->out, OUT_BYTES_KEPT);
    rewatch(link, buf_size(&link->out) > 0);
}

static void set_timeout(struct redis_link *link)
{
    if (link->count > 0) {
        loop_timer_set(link->options.loop, &link->timer,
                       loop_now_ms(link->options.loop) + link->options.timeout_ms);
    } else {
        loop_timer_clear(link->options.loop, &link->timer);
    }
}

/* False: there is no connection any more. */
static bool take_reply(struct redis_link *link, redisReply *reply)
{
    struct pending next = link->pending[link->first];
    if (link->count == 0) {
        freeReplyObject(reply);
        go_down(link, "it answers what nobody asked");
        return false;
    }
    const redisReader *reader = link->reader;
    link->first = (link->first + 1) % REDIS_PENDING_MAX;
    link->count--;
    if (next.fn) {
        next.fn(next.arg, reply);
    }
    freeReplyObject(reply);
    return link->reader == reader;
}

static void take_replies(struct redis_link *link)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            go_down(link, "it does not answer as a Redis does");
            return;
        }
        if (!reply) {
            break;
        }
        if (!take_reply(link, reply)) {
            return;
        }
    }
    if (link->reader->len - link->reader->pos > REDIS_REPLY_BYTES_MAX) {
        go_down(link, "its answer is too large");
        return;
    }
    set_timeout(link);
}

static void on_event(void *arg, uint32_t events)
{
    struct redis_link *link = arg;
    char bytes[READ_BYTES];
    if (events & EPOLLOUT) {
        push_out(link);
    }
    if (!(events & ~(uint32_t)EPOLLOUT)) {
        return;
    }
    ssize_t got = read(link->watch.fd, bytes, sizeof(bytes));
    if (got > 0) {
        if (redisReaderFeed(link->reader, bytes, (size_t)got) != REDIS_OK) {
            go_down(link, "no memory for its answer");
            return;
        }
        take_replies(link);
    } else if (got == 0) {
        go_down(link, "it closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
        struct err err = {0};
        (void)err_errno(&err, errno, "the connection is lost");
        go_down(link, err.text);
    }
}

static int send_words(struct redis_link *link, const struct slice *words, size_t count,
                      redis_reply_fn fn, void *arg)
{
    if (link->count == REDIS_PENDING_MAX) {
        return -ENOBUFS;
    }
    const char **texts = xcalloc(count, sizeof(*texts));
    size_t *sizes = xcalloc(count, sizeof(*sizes));
    char *command = NULL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = words[i].data ? words[i].data : "";
        sizes[i] = words[i].size;
    }
    int size = redisFormatCommandArgv(&command, (int)count, texts, sizes);
    free(texts);
    free(sizes);
    if (size < 0 || buf_append(&link->out, command, (size_t)size) < 0) {
        abort(); /* messages and results are bounded by those who send them */
    }
    redisFreeCommand(command);
    link->pending[(link->first + link->count) % REDIS_PENDING_MAX] = (struct pending){fn, arg};
    link->count++;
    set_timeout(link);
    push_out(link);
    return 0;
}

int redis_link_send(struct redis_link *link, const struct slice *words, size_t count,
                    redis_reply_fn fn, void *arg)
{
    return link->state == LINK_UP ? send_words(link, words, count, fn, arg) : -ENOTCONN;
}

/* ---- the begin of a connection ---- */

static void on_entered(void *arg, const struct redisReply *reply)
{
    struct redis_link *link = arg;
    if (!reply) {
        return; /* lost: told where it was lost */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        CLEANUP(str_free) char *text = xstrdup(reply->str);
        go_down(link, text);
        return;
    }
    if (link->count == 0) {
        link->state = LINK_UP;
        link->failures = 0;
        link->options.on_change(link->options.arg, true, NULL);
    }
}

static void enter(struct redis_link *link)
{
    const struct redis_address *address = &link->options.address;
    char db[16];
    (void)snprintf(db, sizeof(db), "%d", address->db);
    struct slice auth[] = {SLICE("AUTH"), slice_str(address->password)};
    struct slice select[] = {SLICE("SELECT"), slice_str(db)};
    link->state = LINK_ENTERING;
    if (address->password && *address->password) {
        (void)send_words(link, auth, 2, on_entered, link);
    }
    (void)send_words(link, select, 2, on_entered, link);
}

static void work(void *arg)
{
    struct redis_link *link = arg;
    link->fd = redis_connect(&link->options.address, link->options.timeout_ms, &link->err);
}

static void connected(void *arg)
{
    struct redis_link *link = arg;
    int fd = link->fd;
    link->fd = -1;
    link->watch.fd = fd;
    link->wants_write = false;
    link->reader = fd < 0 ? NULL : redisReaderCreate();
    if (fd < 0) {
        link->watch.fd = -1;
        go_down(link, link->err.text);
    } else if (!link->reader || loop_watch(link->options.loop, &link->watch, EPOLLIN) < 0) {
        link->watch.fd = fd_close(fd);
        go_down(link, "no memory for a connection");
    } else {
        enter(link);
    }
}

static void on_timer(void *arg)
{
    struct redis_link *link = arg;
    if (link->state != LINK_DOWN) {
        go_down(link, "no answer in time");
        return;
    }
    link->state = LINK_CONNECTING;
    link->err = (struct err){0};
    job_submit(link->options.jobs, link->options.loop, work, connected, link);
}

/* ---- life ---- */

struct redis_link *redis_link_new(const struct redis_link_options *options)
{
    struct redis_link *link = xcalloc(1, sizeof(*link));
    const struct redis_address *address = &options->address;
    link->options = *options;
    link->options.address.socket = address->socket ? xstrdup(address->socket) : NULL;
    link->options.address.host = address->host ? xstrdup(address->host) : NULL;
    link->options.address.password = address->password ? xstrdup(address->password) : NULL;
    link->random = options->seed;
    link->fd = -1;
    link->watch = (struct loop_watch){.fd = -1, .fn = on_event, .arg = link};
    link->timer = (struct loop_timer){.fn = on_timer, .arg = link};
    loop_timer_set(options->loop, &link->timer, loop_now_ms(options->loop));
    return link;
}

struct redis_link *redis_link_free(struct redis_link *link)
{
    if (link) {
        (void)fd_close(link->fd < 0 ? -1 : link->fd); /* of a job that could not come back */
        end_connection(link);
        link->state = LINK_DOWN;
        drop_pending(link);
        free_link(link);
    }
    return NULL;
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == LINK_UP;
}
