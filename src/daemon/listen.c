#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"

#define BACKLOG 4096 /* connections that wait while a daemon is being replaced */

void listeners_close(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        listeners->items[i].fd = fd_close(listeners->items[i].fd);
        free(listeners->items[i].address);
    }
    listeners->count = 0;
}

void listeners_refuse(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners->items[i].kind != LISTEN_LOCAL) {
            listeners->items[i].fd = fd_close(listeners->items[i].fd);
        }
    }
}

static void add(struct listeners *listeners, int fd, enum listen_kind kind, char *address)
{
    listeners->items[listeners->count++] = (struct listener){fd, kind, address};
}

static int open_local(const char *state, struct listeners *listeners, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(str_free) char *path = state_socket(state);
    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(err, ENAMETOOLONG,
                       "the path of the socket '%s' is longer than %zu bytes; "
                       "choose a shorter --state",
                       path, sizeof(address.sun_path) - 1);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path); /* left over: the lock on the folder says that nobody uses it */
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                 listen(fd, BACKLOG) < 0;
    int error = errno;
    (void)umask(before);
    if (failed) {
        return err_errno(err, error, "cannot listen on '%s'", path);
    }
    int kept = fd;
    fd = -1;
    add(listeners, kept, LISTEN_LOCAL, TAKE(path));
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    }
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* "HOST:PORT" or "[V6]:PORT" -> its two parts. */
static int split(const char *text, char **ret_host, char **ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return err_set(err, EINVAL, "'%s' is no address: HOST:PORT is needed, e.g. 127.0.0.1:8642",
                       text);
    }
    if (strlen(colon + 1) > 5 || strtol(colon + 1, NULL, 10) > UINT16_MAX) {
        return err_set(err, EINVAL, "cannot listen on '%s': ports end at %d", text, UINT16_MAX);
    }
    bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    *ret_host = xstrndup(text + brackets, size - 2 * brackets);
    *ret_port = xstrdup(colon + 1);
    return 0;
}

static char *real_address(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return xstrdup("?");
    }
    return xasprintf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int bind_address(const struct addrinfo *found, const char *text, struct err *err)
{
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    int error = errno;
    (void)fd_close(fd);
    const char *hint = error == EADDRINUSE ? "; another program has it: choose another --listen"
                       : error == EACCES   ? "; ports below 1024 need root"
                                           : "";
    return err_set(err, error, "cannot listen on '%s': %s%s", text, strerror(error), hint);
}

static int open_address(const struct settings *settings, const char *text,
                        struct listeners *listeners, struct err *err)
{
    CLEANUP(str_free) char *host = NULL, *port = NULL;
    int failed = split(text, &host, &port, err);
    if (failed) {
        return failed;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int resolved = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (resolved != 0) {
        int error = resolved == EAI_AGAIN ? EAGAIN : EINVAL; /* the one may pass */
        return err_set(err, error, "cannot listen on '%s': %s", text, gai_strerror(resolved));
    }
    bool loopback = is_loopback(found->ai_addr);
    if (!loopback && !settings->tls_cert && !settings->allow_plain) {
        freeaddrinfo(found);
        return err_set(err, EINVAL,
                       "'%s' can be reached from other machines: set tls_cert and "
                       "tls_key, or allow_plain if a proxy in front ends TLS",
                       text);
    }
    int fd = bind_address(found, text, err);
    freeaddrinfo(found);
    if (fd < 0) {
        return fd;
    }
    add(listeners, fd, loopback ? LISTEN_LOOPBACK : LISTEN_NETWORK, real_address(fd));
    return 0;
}

int listeners_open(const struct settings *settings, struct listeners *ret, struct err *err)
{
    struct listeners listeners = {.count = 0};
    int failed = open_local(settings->state, &listeners, err);
    size_t count = json_object_array_length(settings->listen);
    if (!failed && count > LISTEN_MAX) {
        failed = err_set(err, ENOSPC, "more than %d listen addresses", LISTEN_MAX);
    }
    for (size_t i = 0; i < count && !failed; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(settings->listen, i));
        failed = open_address(settings, text, &listeners, err);
    }
    if (failed) {
        listeners_close(&listeners);
        return failed;
    }
    *ret = listeners;
    return 0;
}

char *listeners_describe(const struct listeners *listeners)
{
    struct buf text = {0};
    for (unsigned i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->items[i];
        buf_printf(&text, "%d=%d=%s\n", listener->fd, (int)listener->kind, listener->address);
        (void)fcntl(listener->fd, F_SETFD, 0);
    }
    char *copy = xstrndup(text.data, buf_size(&text));
    buf_done(&text);
    return copy;
}

int listeners_inherit(const char *description, struct listeners *ret, struct err *err)
{
    *ret = (struct listeners){.count = 0};
    for (const char *line = description; *line;) {
        int fd = -1, kind = 0, used = 0;
        size_t size = strcspn(line, "\n");
        if (ret->count > LISTEN_MAX || sscanf(line, "%d=%d=%n", &fd, &kind, &used) != 2 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
            return err_set(err, EINVAL, "the variable JSORC_LISTEN is not from a supervisor");
        }
        add(ret, fd, (enum listen_kind)kind, xstrndup(line + used, size - (size_t)used));
        line += size + (line[size] == '\n');
    }
    return 0;
}
