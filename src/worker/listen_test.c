#include "worker/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"

static void refuses_what_is_no_address(void)
{
    static const char *const rows[] = {
        "",       "8000",  ":8000",   "127.0.0.1", "127.0.0.1:",       "127.0.0.1:x",
        "::1:80", "[::1]", "[::1:80", "[]:80",     "127.0.0.1:123456", "host:-1"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[LISTEN_TEXT_MAX];
        struct err err = {0};
        int fd = -1;
        EXPECT_INT(listen_tcp(rows[i], &fd, text, &err), -EINVAL);
        EXPECT(strstr(err.text, "HOST:PORT"));
        EXPECT_INT(fd, -1);
    }
}

static void listens_and_tells_the_real_port(void)
{
    char text[LISTEN_TEXT_MAX], again[LISTEN_TEXT_MAX];
    struct err err = {0};
    int fd = -1, other = -1;
    EXPECT_INT(listen_tcp("127.0.0.1:0", &fd, text, &err), 0);
    EXPECT(strncmp(text, "127.0.0.1:", 10) == 0 && strcmp(text, "127.0.0.1:0") != 0);
    EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_INT(listen_tcp(text, &other, again, &err), -EADDRINUSE);
    EXPECT(strstr(err.text, "another program has that port"));
    (void)fd_close(fd);
    EXPECT_INT(listen_tcp("192.0.2.1:80", &other, again, &err), -EADDRNOTAVAIL);
    EXPECT(strstr(err.text, "no such address"));
}

static char folder[] = "/tmp/listen_test.XXXXXX";

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void replaces_a_left_over_socket_but_no_living_one(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    CLEANUP(str_free) char *path = path_of("w.sock");
    struct err err = {0};
    struct stat status;
    int fd = -1, other = -1;
    EXPECT_INT(listen_unix(path, &fd, &err), 0);
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    EXPECT_INT(listen_unix(path, &other, &err), -EADDRINUSE);
    EXPECT(strstr(err.text, "another process listens"));
    (void)fd_close(fd); /* as a killed process leaves it: the file stays */
    EXPECT(stat(path, &status) == 0);
    EXPECT_INT(listen_unix(path, &other, &err), 0);
    (void)fd_close(other);
    (void)unlink(path);

    CLEANUP(str_free) char *file = path_of("file");
    (void)fd_close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    EXPECT_INT(listen_unix(file, &other, &err), -EADDRINUSE); /* never removes what is no socket */
    EXPECT(stat(file, &status) == 0);
    (void)unlink(file);
    (void)rmdir(folder);
}

static void refuses_a_path_that_the_kernel_cannot_hold(void)
{
    char path[200];
    struct err err = {0};
    int fd = -1;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    EXPECT_INT(listen_unix(path, &fd, &err), -ENAMETOOLONG);
    EXPECT(strstr(err.text, "shorter"));
}

static void keeps_small_descriptors_away(void)
{
    int pipe_fds[2];
    EXPECT_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
    EXPECT(pipe_fds[0] < 90);
    int moved = listen_move_fd(pipe_fds[0]);
    EXPECT(moved >= 90);
    EXPECT(fcntl(moved, F_GETFD) & FD_CLOEXEC);
    EXPECT(fcntl(pipe_fds[0], F_GETFD) == -1);
    EXPECT_INT(listen_move_fd(-1), -1);
    listen_reserve_small();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 90);
    EXPECT_INT(write(20, "stray", 5), 5); /* goes nowhere */
    (void)fd_close(fd);
    (void)fd_close(moved);
    (void)fd_close(pipe_fds[1]);
}

TEST_MAIN(refuses_what_is_no_address, listens_and_tells_the_real_port,
          replaces_a_left_over_socket_but_no_living_one, refuses_a_path_that_the_kernel_cannot_hold,
          keeps_small_descriptors_away)
