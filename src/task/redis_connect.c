#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "task/redis_link.h"

/* 0 or -errno. */
static int finish_connect(int fd, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now_ms = clock_now_ms();
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int count = poll(&ready, 1, now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0);
        if (count == 0) {
            return -ETIMEDOUT;
        }
        if (count > 0 || errno != EINTR) {
            break;
        }
    }
    int failed = 0;
    socklen_t size = sizeof(failed);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0 ? -errno : -failed;
}

/* The descriptor, or -errno. */
static int connect_to(int family, const struct sockaddr *address, socklen_t size,
                      uint64_t deadline_ms)
{
    CLEANUP_FD int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int failed = connect(fd, address, size) == 0 ? 0 : -errno;
    failed = failed == -EINPROGRESS ? finish_connect(fd, deadline_ms) : failed;
    if (failed) {
        return failed;
    }
    if (family != AF_UNIX) {
        int on = 1; /* commands are small and wait for nothing */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return TAKE_FD(fd);
}

static int connect_socket(const char *path, uint64_t deadline_ms, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(err, ENAMETOOLONG, "the path of the socket '%s' is too long", path);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address), deadline_ms);
    return fd < 0 ? err_errno(err, -fd, "cannot connect to '%s'", path) : fd;
}

int redis_connect(const struct redis_address *address, uint64_t timeout_ms, struct err *err)
{
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;
    if (address->socket) {
        return connect_socket(address->socket, deadline_ms, err);
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)(uint16_t)address->port);
    int failed = getaddrinfo(address->host, port, &hints, &found);
    if (failed) {
        return err_set(err, EHOSTUNREACH, "cannot find '%s': %s", address->host,
                       gai_strerror(failed));
    }
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *one = found; one && fd < 0; one = one->ai_next) {
        fd = connect_to(one->ai_family, one->ai_addr, one->ai_addrlen, deadline_ms);
    }
    freeaddrinfo(found);
    return fd < 0 ? err_errno(err, -fd, "cannot connect to '%s' port %s", address->host, port) : fd;
}
