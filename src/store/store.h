/* What must outlive the daemon: configs, modules and their places, accounts and tokens, in one
 * SQLite file, or in a PostgreSQL database that several daemons share. Owner: the control thread;
 * no function here may be called from another one, but for those of a link.
 *
 * Each change is a transaction of its own, or part of the one that store_transact runs. When a
 * change has returned 0 it survives kill -9 of this process (a power failure may take back the last
 * ones of a file: store_sqlite.c); a failed one has changed nothing. What changes or reads returns
 * 0 or -ENOSPC  the disk or the file is full          -EIO     the disk failed, or the file is
 * damaged -EROFS   the state may not be written          -EBUSY   another program holds it locked
 *   -E2BIG   a text is over STORE_TEXT_BYTES_MAX or a name over STORE_NAME_BYTES_MAX
 * and of a database
 *   -ENOTCONN     it cannot be reached now; nothing was changed
 *   -EINPROGRESS  the connection went while the change was being made: nobody knows if it was
 *   -EILSEQ       a text is not UTF-8
 * and what each prototype adds. Texts are UTF-8. No function takes longer than about a second with
 * a file (another program's lock), or after store_hurry than a few seconds with a database that
 * does not answer, and that once: then each fails at once until there is a new connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct store;

#define STORE_NAME_BYTES_MAX    255 /* names of configs, modules, meta keys; e-mails */
#define STORE_TEXT_BYTES_MAX    (16 * 1024 * 1024) /* one text: the Elastic manifest has 1 MiB */
#define STORE_SECRET_HASH_BYTES 32                 /* BLAKE2b-256 of a token or a code */

/* Opens a file, making it (mode 0600) when it is absent, or the database of a URL (postgresql://,
 * as libpq reads it, with its environment and password file), and brings its tables to this
 * version's schema. Beyond the above: -ENOTSUP (written by a newer jsorc), -EMEDIUMTYPE (no SQLite
 * file, damaged, or another program's; it is left as it is), -EINVAL (the URL), -errno of opening.
 */
int store_open(const char *where, struct store **ret_store, struct err *err);
struct store *store_close(struct store *store); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(struct store *, store_close)

/* The path, or the URL without its password. */
const char *store_name(const struct store *store);
bool store_is_url(const char *where);
/* The number of this version's tables; older ones are brought to it by store_open. */
int64_t store_schema(void);

/* A failure that would come again: what was to be stored cannot be. */
bool store_is_hopeless(int failed);

/* Runs fn(arg, err) with all its changes as one: kept when fn returns 0, undone when it returns a
 * negative errno, which is passed on. Must not be nested. */
int store_transact(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                   struct err *err);

/* ---- configs: only what was set explicitly; name -> text ---- */

/* *ret_text is owned by the caller. -ENOENT: never set. */
int store_config_get(struct store *store, const char *name, char **ret_text, struct err *err);
int store_config_set(struct store *store, const char *name, const char *text, struct err *err);
int store_config_delete(struct store *store, const char *name, struct err *err); /* -ENOENT */

/* Calls fn for each, in order of name; the texts are borrowed until fn returns. fn must not change
 * the store; a negative result ends the walk and is passed on. */
typedef int (*store_config_fn)(void *arg, const char *name, const char *text);
int store_config_each(struct store *store, store_config_fn fn, void *arg, struct err *err);

/* ---- meta: the daemon's own key -> text ---- */

int store_meta_get(struct store *store, const char *key, char **ret_text, struct err *err);
int store_meta_set(struct store *store, const char *key, const char *text, struct err *err);
int store_meta_delete(struct store *store, const char *key, struct err *err); /* -ENOENT */

/* ---- modules ---- */

struct store_module { /* texts are borrowed: from the caller in put, until fn returns in each */
    const char *name;
    const char *kind;      /* "python-module", "python-file", "native", "server" */
    const char *source;    /* dotted name, absolute path or URL */
    const char *config;    /* JSON text: the action config's entry, or "{}" */
    const char *ctx;       /* JSON text: arguments of setup, or "{}" */
    const char *place;     /* the desired one: "module", "remote", "none" or a URL */
    const char *loaded_by; /* the operation that loaded it, e.g. "jsorc_actions_load" */
    const char *learnt;    /* JSON text: measured memory, load time ..., or "{}" */
    int64_t position;      /* order of loading, from 1; in put 0 = keep, or the end if new */
};

/* Adds the module or replaces the whole record of that name. NULL texts are stored as "" ("{}" for
 * config, ctx and learnt). */
int store_module_put(struct store *store, const struct store_module *module, struct err *err);
/* Change one column. -ENOENT: no such module. */
int store_module_set_place(struct store *store, const char *name, const char *place,
                           struct err *err);
int store_module_set_learnt(struct store *store, const char *name, const char *learnt,
                            struct err *err);
int store_module_delete(struct store *store, const char *name, struct err *err); /* -ENOENT */

/* In order of position; as store_config_each. */
typedef int (*store_module_fn)(void *arg, const struct store_module *module);
int store_module_each(struct store *store, store_module_fn fn, void *arg, struct err *err);

/* ---- decisions: what a policy was told and what it answered, a line of JSON each ---- */

#define STORE_DECISION_RUNS_MAX 4 /* older runs of policies are dropped when one begins */

struct store_decision { /* texts are borrowed, as in store_module */
    int64_t run;        /* one life of a policy; counts up */
    int64_t line;       /* in the run, from 0 */
    int64_t at_ms;      /* unix time */
    const char *told;
    const char *answer;
};

/* Again with the same run and line: there it stays as it was first. */
int store_decision_add(struct store *store, const struct store_decision *decision, struct err *err);
/* 0 = there is none. */
int store_decision_last_run(struct store *store, int64_t *ret_run, struct err *err);
/* Of one run, oldest first: its first line and the last `limit` (0 = all); as store_config_each. */
typedef int (*store_decision_fn)(void *arg, const struct store_decision *decision);
int store_decision_each(struct store *store, int64_t run, int64_t limit, store_decision_fn fn,
                        void *arg, struct err *err);

/* ---- users ---- */

struct store_user {
    int64_t id; /* never given twice, also after a deletion */
    char email[STORE_NAME_BYTES_MAX + 1];
    char name[STORE_NAME_BYTES_MAX + 1];
    char jid[46];            /* urn:uuid:... */
    char password_hash[128]; /* libsodium's string form */
    bool is_activated;
    bool is_superuser;     /* staff and superuser are one thing here */
    int64_t created_ms;    /* unix time */
    int64_t last_login_ms; /* unix time; 0 = never */
};

/* Ignores user->id. -EEXIST: the e-mail is taken. */
int store_user_add(struct store *store, const struct store_user *user, int64_t *ret_id,
                   struct err *err);
/* -ENOENT */
int store_user_by_id(struct store *store, int64_t id, struct store_user *ret_user, struct err *err);
int store_user_by_email(struct store *store, const char *email, struct store_user *ret_user,
                        struct err *err);
/* Writes the record with user->id. -ENOENT, -EEXIST (the e-mail is taken). */
int store_user_update(struct store *store, const struct store_user *user, struct err *err);
/* With its tokens and codes. -ENOENT */
int store_user_delete(struct store *store, int64_t id, struct err *err);

/* Accounts now, superusers now, and whether an account ever existed. */
struct store_user_counts {
    int64_t users;
    int64_t superusers;
    bool any_ever;
};
int store_user_count(struct store *store, struct store_user_counts *ret_counts, struct err *err);

struct store_user_search {
    const char *text; /* part of the e-mail or the name, letter case ignored; NULL or "" = all */
    int64_t limit;    /* at most so many; 0 = no limit */
    int64_t offset;
    bool oldest_first; /* else the newest */
};

/* Calls fn for the users of that page, as store_config_each; *ret_total = how many match. */
typedef int (*store_user_fn)(void *arg, const struct store_user *user);
int store_user_search(struct store *store, const struct store_user_search *search, store_user_fn fn,
                      void *arg, int64_t *ret_total, struct err *err);

/* ---- tokens: only their hashes ---- */

struct store_token {
    unsigned char hash[STORE_SECRET_HASH_BYTES];
    int64_t user_id;
    bool is_superuser; /* of the user; ignored by add */
    int64_t created_ms;
    int64_t expiry_ms; /* unix time; 0 = never */
};

/* Keeps at most per_user_max tokens of that user: the oldest go, *ret_trimmed tells if any did.
 * -ENOENT: no such user. */
int store_token_add(struct store *store, const struct store_token *token, int64_t per_user_max,
                    bool *ret_trimmed, struct err *err);
int store_token_delete_all(struct store *store, struct err *err);
/* All of that user's but except (NULL = none is kept). */
int store_token_delete_user(struct store *store, int64_t user_id, const unsigned char *except,
                            struct err *err);
int store_token_delete_expired(struct store *store, int64_t now_unix_ms, struct err *err);
typedef int (*store_token_fn)(void *arg, const struct store_token *token);
int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err);

/* ---- one-time codes: activation and password reset; one of a kind a user ---- */

enum store_code_kind { STORE_CODE_ACTIVATE = 1, STORE_CODE_RESET = 2 };

/* Replaces the user's code of that kind. -ENOENT: no such user. */
int store_code_put(struct store *store, enum store_code_kind kind, int64_t user_id,
                   const unsigned char *hash, int64_t expiry_ms, struct err *err);
/* Whose code it is. -ENOENT: unknown or expired. */
int store_code_find(struct store *store, enum store_code_kind kind, const unsigned char *hash,
                    int64_t now_unix_ms, int64_t *ret_user_id, struct err *err);
int store_code_delete_user(struct store *store, enum store_code_kind kind, int64_t user_id,
                           struct err *err); /* 0 also when there is none */
