/* Where `jsorc login` keeps the remote daemon's address and token: js.session in the state folder,
 * readable by its owner only. */
#pragma once

#include "base/cleanup.h"

struct err;

struct session {
    char *url;   /* owned; NULL = not logged in; no '/' at its end */
    char *user;  /* owned; NULL = public */
    char *token; /* owned, a secret; NULL = public */
};

void session_done(struct session *session); /* wipes the token */

/* Owned by the caller. option: --session FILE or NULL; state: the state folder. */
char *session_path(const char *option, const char *state);

/* 0, -ENOENT (nobody logged in; err is not set), -EACCES (others may read or write the file),
 * -EINVAL (no session file), or what reading it gave. */
int session_load(const char *path, struct session *ret_session, struct err *err);

/* Replaces the file whole; makes its folder when missing. 0 or -errno. */
int session_save(const char *path, const struct session *session, struct err *err);

/* 0, -ENOENT, or what removing it gave. */
int session_remove(const char *path, struct err *err);
