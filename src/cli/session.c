#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

#define SESSION_BYTES_MAX 16384 /* an address and a token; more is no session file */

void session_done(struct session *session)
{
    if (session->token) {
        explicit_bzero(session->token, strlen(session->token));
    }
    free(session->token);
    free(session->url);
    free(session->user);
    *session = (struct session){0};
}

char *session_path(const char *option, const char *state)
{
    return option ? xstrdup(option) : xasprintf("%s/js.session", state);
}

static int read_checked(const char *path, char *text, size_t *ret_size, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? -ENOENT
                   : err_errno(err, errno, "cannot read the session '%s'", path);
    }
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return err_errno(err, errno, "cannot read the session '%s'", path);
    }
    if ((info.st_mode & 077) != 0 || (info.st_uid != geteuid() && geteuid() != 0)) {
        return err_set(err, EACCES,
                       "the session '%s' is open to other users, so its token is not used; run "
                       "'jsorc logout' and log in anew, or chmod 600 it",
                       path);
    }
    ssize_t size = read(fd, text, SESSION_BYTES_MAX);
    if (size < 0) {
        return err_errno(err, errno, "cannot read the session '%s'", path);
    }
    *ret_size = (size_t)size;
    return 0;
}

static char *copy_member(const struct json_object *object, const char *name)
{
    const char *text = json_str(object, name);
    return text ? xstrdup(text) : NULL;
}

int session_load(const char *path, struct session *ret_session, struct err *err)
{
    char text[SESSION_BYTES_MAX];
    size_t size = 0;
    int failed = read_checked(path, text, &size, err);
    if (failed) {
        return failed;
    }
    CLEANUP(json_put) struct json_object *object = NULL;
    failed = json_parse_object((struct slice){text, size}, &object, err);
    explicit_bzero(text, sizeof(text));
    if (failed || !json_str(object, "url")) {
        return err_set(err, EINVAL,
                       "'%s' is no session file of jsorc; remove it, or name another with "
                       "--session FILE",
                       path);
    }
    ret_session->url = copy_member(object, "url");
    ret_session->user = copy_member(object, "user");
    ret_session->token = copy_member(object, "token");
    return 0;
}

static int make_folder_of(const char *path, struct err *err)
{
    CLEANUP(str_free) char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) {
        return 0;
    }
    *slash = '\0';
    for (char *at = strchr(folder + 1, '/');; at = strchr(at + 1, '/')) {
        if (at) {
            *at = '\0';
        }
        if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
            return err_errno(err, errno, "cannot make the folder '%s'", folder);
        }
        if (!at) {
            return 0;
        }
        *at = '/';
    }
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, text, size);
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        text += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return 0;
}

int session_save(const char *path, const struct session *session, struct err *err)
{
    int failed = make_folder_of(path, err);
    if (failed) {
        return failed;
    }
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    json_set_str(object, "url", session->url);
    json_set_str(object, "user", session->user);
    json_set_str(object, "token", session->token);
    const char *text = json_text(object);

    /* A new file put in place whole: never a moment in which others may read it or half is there.
     */
    CLEANUP(str_free) char *fresh = xasprintf("%s.%ld", path, (long)getpid());
    CLEANUP_FD int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "cannot write the session '%s'", fresh);
    }
    failed = write_all(fd, text, strlen(text));
    failed = failed ? failed : write_all(fd, "\n", 1);
    if (!failed && rename(fresh, path) < 0) {
        failed = -errno;
    }
    if (failed) {
        (void)unlink(fresh);
        return err_errno(err, -failed, "cannot write the session '%s'", path);
    }
    return 0;
}

int session_remove(const char *path, struct err *err)
{
    if (unlink(path) == 0) {
        return 0;
    }
    return errno == ENOENT || errno == ENOTDIR
               ? -ENOENT
               : err_errno(err, errno, "cannot remove the session '%s'", path);
}
