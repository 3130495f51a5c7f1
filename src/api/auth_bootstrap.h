/* The one-time token with which the first superuser can be made from elsewhere. Used by auth.c. */
#pragma once

#include <stdbool.h>

#include "api/secret.h"
#include "base/slice.h"

struct err;

struct auth_bootstrap {
    char *path;                         /* STATE/bootstrap-token; owned */
    char token[SECRET_TOKEN_CHARS + 1]; /* "" = none: a superuser exists */
};

/* With has_superuser removes the file; else keeps the token that it holds if only its owner can
 * read it, or writes a new one (mode 0600). 0 or -errno of writing. */
int auth_bootstrap_open(struct auth_bootstrap *bootstrap, const char *state_dir, bool has_superuser,
                        struct err *err);
void auth_bootstrap_done(struct auth_bootstrap *bootstrap);

/* False when there is none. */
bool auth_bootstrap_matches(const struct auth_bootstrap *bootstrap, struct slice token);

/* A superuser exists: the token is void and the file goes. */
void auth_bootstrap_end(struct auth_bootstrap *bootstrap);
