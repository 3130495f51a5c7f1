/* Bytes in and out of a non-blocking socket, plain or under TLS. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/slice.h"

struct tls_session;

struct stream {
    int fd;                  /* owned */
    struct tls_session *tls; /* owned; NULL = plain */
    bool local;              /* a Unix socket */
};

/* Events to watch for, edge-triggered. blocked: a write found no room. TCP reports room only after
 * that; a Unix socket does whenever its peer reads (unix_write_space in net/unix/af_unix.c), which
 * would wake the writer once a request for nothing, so there it is asked for only when blocked. */
uint32_t stream_events(const struct stream *stream, bool blocked);

/* Closes; with a farewell under TLS. */
void stream_close(struct stream *stream);

/* Reads what is there, at most size_max, to the end of in. Bytes read, 0 = closed, -EAGAIN when
 * there is nothing now, -ENOMEM, other -errno. *ret_drained: the socket has no more at present. */
ssize_t stream_read(struct stream *stream, struct buf *in, size_t size_max, bool *ret_drained);

/* Writes a, then b. Bytes taken, -EAGAIN for none, other -errno. */
ssize_t stream_write(struct stream *stream, struct slice a, struct slice b);

/* Writes the buffer's content until it is empty. 0, -EAGAIN, other -errno. */
int stream_flush(struct stream *stream, struct buf *out);
