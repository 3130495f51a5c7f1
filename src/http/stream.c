#include "http/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http/tls.h"

#define READ_BYTES  16384 /* offered to one read; a usual request comes whole */
#define SMALL_BYTES 2048  /* copied into one piece: cheaper than the kernel's work on two */

uint32_t stream_events(const struct stream *stream, bool blocked)
{
    uint32_t room = blocked || !stream->local ? EPOLLOUT : 0;
    return EPOLLIN | EPOLLRDHUP | EPOLLET | room;
}

void stream_close(struct stream *stream)
{
    if (stream->tls) {
        tls_session_close_notify(stream->tls);
        stream->tls = tls_session_free(stream->tls);
    }
    stream->fd = fd_close(stream->fd);
}

static ssize_t read_some(struct stream *stream, char *data, size_t size)
{
    if (stream->tls) {
        return tls_session_read(stream->tls, data, size);
    }
    ssize_t got;
    do {
        got = recv(stream->fd, data, size, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t stream_read(struct stream *stream, struct buf *in, size_t size_max, bool *ret_drained)
{
    size_t room = in->capacity - in->end;
    if (room < READ_BYTES / 4) {
        if (buf_reserve(in, READ_BYTES) < 0) {
            return -ENOMEM;
        }
        room = in->capacity - in->end;
    }
    size_t size = room < size_max ? room : size_max;
    ssize_t got = read_some(stream, in->data + in->end, size);
    if (got > 0) {
        in->end += (size_t)got;
    }
    /* A short read of a plain socket means that its buffer was empty: the next byte makes a new
     * edge. Under TLS only -EAGAIN says so. */
    *ret_drained = got == -EAGAIN || (!stream->tls && got > 0 && (size_t)got < size);
    return got;
}

static ssize_t write_tls(struct stream *stream, struct slice a, struct slice b)
{
    size_t done = 0;
    const struct slice parts[] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct slice rest = parts[i];
        while (rest.size > 0) {
            ssize_t put = tls_session_write(stream->tls, rest.data, rest.size);
            if (put < 0) {
                return done > 0 && put == -EAGAIN ? (ssize_t)done : put;
            }
            done += (size_t)put;
            rest = slice_from(rest, (size_t)put);
        }
    }
    return (ssize_t)done;
}

ssize_t stream_write(struct stream *stream, struct slice a, struct slice b)
{
    if (stream->tls) {
        return write_tls(stream, a, b);
    }
    char small[SMALL_BYTES];
    if (b.size > 0 && a.size + b.size <= sizeof(small)) {
        memcpy(small, a.data, a.size);
        memcpy(small + a.size, b.data, b.size);
        a = (struct slice){small, a.size + b.size};
        b = (struct slice){0};
    }
    struct iovec parts[] = {{(void *)(uintptr_t)a.data, a.size},
                            {(void *)(uintptr_t)b.data, b.size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t put;
    do {
        put = b.size > 0 ? sendmsg(stream->fd, &message, MSG_NOSIGNAL)
                         : send(stream->fd, a.data, a.size, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

int stream_flush(struct stream *stream, struct buf *out)
{
    while (buf_size(out) > 0) {
        ssize_t put = stream_write(stream, buf_slice(out), (struct slice){0});
        if (put < 0) {
            return (int)put;
        }
        buf_consume(out, (size_t)put);
    }
    return 0;
}
