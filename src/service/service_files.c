/* Files and ports of the processes that are services. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/service_priv.h"

#define FILE_BYTES_MAX (1024 * 1024) /* we wrote it ourselves */
#define SECRET_BYTES   16

static int make_one(const char *path, struct err *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST
               ? 0
               : err_errno(err, errno, "cannot make the folder '%s'", path);
}

int service_folder_make(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(str_free) char *above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    int failed = *above ? make_one(above, err) : 0;
    return failed ? failed : make_one(path, err);
}

char *service_file_get(const char *path)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    ssize_t got = read(fd, text, FILE_BYTES_MAX - 1);
    if (got < 0) {
        return NULL;
    }
    text[got] = '\0';
    if (got > 0 && text[got - 1] == '\n') {
        text[got - 1] = '\0';
    }
    return xstrdup(text);
}

int service_file_put(const char *path, const char *text, bool *ret_changed, struct err *err)
{
    CLEANUP(str_free) char *old = service_file_get(path);
    size_t size = strlen(text);
    size -= size > 0 && text[size - 1] == '\n';
    if (old && strlen(old) == size && memcmp(old, text, size) == 0) {
        return 0;
    }
    CLEANUP(str_free) char *fresh = xasprintf("%s.new", path);
    CLEANUP_FD int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "cannot write '%s'", fresh);
    }
    ssize_t put = write(fd, text, strlen(text));
    if (put != (ssize_t)strlen(text)) {
        int error = put < 0 ? errno : ENOSPC;
        (void)unlink(fresh);
        return err_errno(err, error, "cannot write '%s'", fresh);
    }
    if (rename(fresh, path) < 0) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    if (ret_changed) {
        *ret_changed = true;
    }
    return 0;
}

static int bind_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int one = 1;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* As the servers do it: what only waits for late packets does not count as taken. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

int service_free_port(int wanted)
{
    int port = wanted > 0 ? bind_port(wanted) : 0;
    return port > 0 ? port : bind_port(0);
}

char *service_secret(const char *path, struct err *err)
{
    char *text = service_file_get(path);
    if (text && strlen(text) == (size_t)2 * SECRET_BYTES) {
        return text;
    }
    free(text);
    unsigned char bytes[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
    return service_file_put(path, hex, NULL, err) < 0 ? NULL : xstrdup(hex);
}
