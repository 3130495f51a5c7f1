#include "api/auth_bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"

/* True when the file has a token that nobody but its owner, us, could have read. */
static bool read_token(const char *path, char *token)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
        (status.st_mode & 077) != 0 || status.st_uid != geteuid()) {
        return false;
    }
    char text[SECRET_TOKEN_CHARS];
    if (read(fd, text, sizeof(text)) != (ssize_t)sizeof(text) ||
        !secret_well_formed((struct slice){text, sizeof(text)}, SECRET_TOKEN_CHARS)) {
        return false;
    }
    memcpy(token, text, sizeof(text));
    token[sizeof(text)] = 0;
    return true;
}

/* A whole file or none: it takes the old one's place when it is complete. */
static int write_token(const char *path, const char *token, struct err *err)
{
    CLEANUP(str_free) char *draft = xasprintf("%s.new", path);
    (void)unlink(draft);
    CLEANUP_FD int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "cannot create '%s'", draft);
    }
    char line[SECRET_TOKEN_CHARS + 1];
    memcpy(line, token, SECRET_TOKEN_CHARS);
    line[SECRET_TOKEN_CHARS] = '\n';
    ssize_t wrote = write(fd, line, sizeof(line));
    int code = wrote == (ssize_t)sizeof(line) ? 0 : wrote < 0 ? errno : ENOSPC;
    if (!code && rename(draft, path) < 0) {
        code = errno;
    }
    if (code) {
        (void)unlink(draft);
        return err_errno(err, code, "cannot write '%s'", path);
    }
    return 0;
}

int auth_bootstrap_open(struct auth_bootstrap *bootstrap, const char *state_dir, bool has_superuser,
                        struct err *err)
{
    bootstrap->path = xasprintf("%s/bootstrap-token", state_dir);
    if (has_superuser) {
        auth_bootstrap_end(bootstrap);
        return 0;
    }
    char token[SECRET_TOKEN_CHARS + 1];
    if (!read_token(bootstrap->path, token)) {
        secret_make(token, SECRET_TOKEN_CHARS);
        int failed = write_token(bootstrap->path, token, err);
        if (failed) {
            return failed;
        }
    }
    memcpy(bootstrap->token, token, sizeof(token));
    return 0;
}

void auth_bootstrap_done(struct auth_bootstrap *bootstrap)
{
    sodium_memzero(bootstrap->token, sizeof(bootstrap->token));
    str_replace(&bootstrap->path, NULL);
}

bool auth_bootstrap_matches(const struct auth_bootstrap *bootstrap, struct slice token)
{
    unsigned char own[SECRET_HASH_BYTES];
    unsigned char given[SECRET_HASH_BYTES];
    secret_hash(slice_str(bootstrap->token), own);
    secret_hash(token, given);
    bool same = sodium_memcmp(own, given, sizeof(own)) == 0;
    return same && bootstrap->token[0] && token.size == SECRET_TOKEN_CHARS;
}

void auth_bootstrap_end(struct auth_bootstrap *bootstrap)
{
    sodium_memzero(bootstrap->token, sizeof(bootstrap->token));
    (void)unlink(bootstrap->path); /* absent after the first time; without effect if it stays */
}
