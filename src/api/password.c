#include "api/password.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "loop/job.h"

/* 64 MiB and 4 passes: 89 ms where it was measured, above OWASP's least (46 MiB and 1 pass). The
 * hash's text carries its own figures, so stored ones stay valid when these change. */
#define PASSES       4
#define MEMORY_BYTES (64UL * 1024 * 1024)

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "a hash's text must fit");

/* Compared with when there is no account, so that the time does not tell which e-mails exist. It is
 * the hash of 32 random bytes that were not kept. */
#define NOBODY                                                                                     \
    "$argon2id$v=19$m=65536,t=4,p=1$9O5sxv9LegQXu3M0namCZQ$"                                       \
    "S+a2gZqhIpMRsia3lAXi3ENwD+2sW22mo692zFpb1DM"

struct password_work {
    struct password_queue *queue; /* borrowed */
    struct password_work *next;
    bool verify;
    char password[PASSWORD_BYTES_MAX + 1];
    char hash[PASSWORD_HASH_SIZE]; /* in for verify, out for hash */
    int result;
    password_fn fn;
    void *arg;
};

struct password_queue {
    struct job_pool *jobs; /* borrowed */
    struct loop *loop;     /* borrowed */
    bool stopped;
    unsigned running;
    unsigned waiting;
    struct password_work *first; /* owned; waiting, oldest first */
    struct password_work **last;
};

static void work_free(struct password_work *work)
{
    sodium_memzero(work, sizeof(*work));
    free(work);
}

struct password_queue *password_queue_new(struct job_pool *jobs, struct loop *loop)
{
    struct password_queue *queue = xcalloc(1, sizeof(*queue));
    queue->jobs = jobs;
    queue->loop = loop;
    queue->last = &queue->first;
    return queue;
}

struct password_queue *password_queue_free(struct password_queue *queue)
{
    while (queue && queue->first) {
        struct password_work *work = queue->first;
        queue->first = work->next;
        work_free(work);
    }
    free(queue);
    return NULL;
}

void password_queue_stop(struct password_queue *queue)
{
    queue->stopped = true;
    while (queue->first) {
        struct password_work *work = queue->first;
        queue->first = work->next;
        queue->waiting--;
        work->fn(work->arg, -ECANCELED, NULL);
        work_free(work);
    }
    queue->last = &queue->first;
}

static void run(void *arg)
{
    struct password_work *work = arg;
    size_t size = strlen(work->password);
    if (work->verify) {
        /* libsodium does not tell "no memory" from "another password"; both refuse the login. */
        bool same = crypto_pwhash_str_verify(work->hash, work->password, size) == 0;
        work->result = same ? 0 : -EACCES;
    } else {
        int failed = crypto_pwhash_str_alg(work->hash, work->password, size, PASSES, MEMORY_BYTES,
                                           crypto_pwhash_ALG_ARGON2ID13);
        work->result = failed ? -ENOMEM : 0;
    }
}

static void finish(void *arg);

static void start(struct password_queue *queue)
{
    while (queue->first && queue->running < PASSWORD_RUNNING_MAX) {
        struct password_work *work = queue->first;
        queue->first = work->next;
        if (!queue->first) {
            queue->last = &queue->first;
        }
        queue->waiting--;
        queue->running++;
        job_submit(queue->jobs, queue->loop, run, finish, work);
    }
}

static void finish(void *arg)
{
    struct password_work *work = arg;
    struct password_queue *queue = work->queue;
    queue->running--;
    start(queue);
    work->fn(work->arg, work->result, work->verify || work->result ? NULL : work->hash);
    work_free(work);
}

static int submit(struct password_queue *queue, const struct password_work *what,
                  const char *password, const char *hash, struct err *err)
{
    assert(strlen(password) <= PASSWORD_BYTES_MAX);

    if (queue->stopped) {
        return err_set(err, EBUSY, "the daemon is stopping");
    }
    if (queue->waiting >= PASSWORD_WAITING_MAX) {
        return err_set(err, EBUSY,
                       "%d password checks are waiting already; try again in a few "
                       "seconds",
                       PASSWORD_WAITING_MAX);
    }
    struct password_work *work = xcalloc(1, sizeof(*work));
    *work = *what;
    work->queue = queue;
    (void)snprintf(work->password, sizeof(work->password), "%s", password);
    (void)snprintf(work->hash, sizeof(work->hash), "%s", hash);
    *queue->last = work;
    queue->last = &work->next;
    queue->waiting++;
    start(queue);
    return 0;
}

int password_hash(struct password_queue *queue, const char *password, password_fn fn, void *arg,
                  struct err *err)
{
    struct password_work what = {.fn = fn, .arg = arg};
    return submit(queue, &what, password, "", err);
}

int password_verify(struct password_queue *queue, const char *password, const char *hash,
                    password_fn fn, void *arg, struct err *err)
{
    struct password_work what = {.fn = fn, .arg = arg, .verify = true};
    return submit(queue, &what, password, hash ? hash : NOBODY, err);
}
