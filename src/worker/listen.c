#include "worker/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

#define BACKLOG    1024 /* the kernel caps it at net.core.somaxconn */
#define OPEN_FILES 8192 /* connections_max of the server, and as many for user code */
#define OWN_MAX    2    /* a Unix socket and an address */
#define HOST_MAX   256

/* ---- TCP ---- */

/* Splits "HOST:PORT" and "[HOST]:PORT". */
static int split(const char *address, char *host, const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    const char *start = address, *end = colon;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5) {
        return -EINVAL;
    }
    if (*address == '[') {
        start++;
        end--;
        if (end <= start || *end != ']') {
            return -EINVAL;
        }
    } else if (memchr(address, ':', (size_t)(colon - address))) {
        return -EINVAL; /* IPv6 without brackets: where does the port begin? */
    }
    size_t size = (size_t)(end - start);
    if (size == 0 || size >= HOST_MAX) {
        return -EINVAL;
    }
    memcpy(host, start, size);
    host[size] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static void describe(int fd, char *text)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "", port[8] = "";
    (void)getsockname(fd, (struct sockaddr *)&address, &size);
    (void)getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(text, LISTEN_TEXT_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int bind_error(int error, const char *address, struct err *err)
{
    switch (error) {
    case EADDRINUSE:
        return err_set(err, error,
                       "cannot listen on '%s': another program has that port; stop it, or give "
                       "another one with --listen HOST:PORT",
                       address);
    case EACCES:
        return err_set(err, error,
                       "cannot listen on '%s': ports below 1024 need root or the capability "
                       "CAP_NET_BIND_SERVICE; give another one with --listen HOST:PORT",
                       address);
    case EADDRNOTAVAIL:
        return err_set(err, error,
                       "cannot listen on '%s': this host has no such address; 127.0.0.1 is this "
                       "host alone, 0.0.0.0 all its addresses",
                       address);
    default:
        return err_errno(err, error, "cannot listen on '%s'", address);
    }
}

int listen_tcp(const char *address, int *ret_fd, char *ret_text, struct err *err)
{
    char host[HOST_MAX];
    const char *port;
    if (split(address, host, &port) < 0) {
        return err_set(err, EINVAL,
                       "'%s' is no address to listen on: give HOST:PORT such as 127.0.0.1:8000, "
                       "0.0.0.0:80 or [::1]:8000",
                       address);
    }
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        return err_set(err, EINVAL, "cannot listen on '%s': %s", address, gai_strerror(failed));
    }
    CLEANUP_FD int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    int error = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        error = errno;
    }
    freeaddrinfo(found);
    if (error) {
        return bind_error(error, address, err);
    }
    describe(fd, ret_text);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- Unix ---- */

static bool somebody_listens(const struct sockaddr_un *address)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int connected = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)address, sizeof(*address));
    return connected == 0 || errno == EAGAIN;
}

int listen_unix(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(err, ENAMETOOLONG,
                       "socket path '%s' has %zu bytes, the system allows %zu: use a shorter "
                       "folder",
                       path, strlen(path), sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        if (somebody_listens(&address)) {
            return err_set(err, EADDRINUSE, "another process listens on '%s'", path);
        }
        (void)unlink(path);
    }
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        return err_errno(err, errno, "cannot listen on '%s'", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- children ---- */

static struct {
    struct sockaddr_storage address;
    socklen_t size;
} own[OWN_MAX];
static unsigned own_count;

/* In a child that was forked and runs no other program. Only calls that are allowed there. */
static void close_own(void)
{
    struct rlimit limit;
    int fd_max = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < OPEN_FILES
                     ? (int)limit.rlim_cur
                     : OPEN_FILES;
    for (int fd = 3; fd < fd_max; fd++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
            continue;
        }
        for (unsigned i = 0; i < own_count; i++) {
            if (size == own[i].size && memcmp(&address, &own[i].address, size) == 0) {
                (void)close(fd);
            }
        }
    }
}

void listen_close_in_children(int fd)
{
    if (own_count == 0 && pthread_atfork(NULL, NULL, close_own) != 0) {
        return;
    }
    if (own_count < OWN_MAX) {
        own[own_count].size = sizeof(own[own_count].address);
        if (getsockname(fd, (struct sockaddr *)&own[own_count].address, &own[own_count].size) ==
            0) {
            own_count++;
        }
    }
}

/* ---- descriptors ---- */

void listen_reserve_small(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < OPEN_FILES) {
        limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 8 * LISTEN_SMALL_FDS) {
        return;
    }
    int fd;
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < LISTEN_SMALL_FDS) {
    }
    (void)fd_close(fd);
}

int listen_move_fd(int fd)
{
    if (fd < 0) {
        return -1;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_SMALL_FDS);
    if (moved < 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    (void)fd_close(fd);
    return moved;
}
