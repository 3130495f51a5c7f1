/* Password hashes (argon2id) in job threads, a few at a time. Owner: the control thread. */
#pragma once

#include <stddef.h>

struct err;
struct job_pool;
struct loop;
struct password_queue;

#define PASSWORD_CHARS_MIN   8    /* the original's rule */
#define PASSWORD_BYTES_MAX   1024 /* a passphrase is shorter; what is longer is a mistake */
#define PASSWORD_HASH_SIZE   128  /* of the text, with its zero */
#define PASSWORD_RUNNING_MAX 2    /* each takes 64 MiB and a processor for about 100 ms */
#define PASSWORD_WAITING_MAX 100  /* 5 s of waiting at two at a time */

/* jobs and loop are borrowed. */
struct password_queue *password_queue_new(struct job_pool *jobs, struct loop *loop);

/* Calls the functions of all that waits with -ECANCELED, and takes no more; what runs goes on. */
void password_queue_stop(struct password_queue *queue);

/* After job_pool_free; what waits or has not been delivered is dropped. Returns NULL. */
struct password_queue *password_queue_free(struct password_queue *queue);

/* result: 0, -EACCES (verify: another password), -ENOMEM or -ECANCELED. hash is the new hash
 * (borrowed until fn returns), NULL from verify. */
typedef void (*password_fn)(void *arg, int result, const char *hash);

/* Copies password (at most PASSWORD_BYTES_MAX bytes) and calls fn later, from the loop. 0 or -EBUSY
 * (PASSWORD_WAITING_MAX reached, or stopped; fn is not called). */
int password_hash(struct password_queue *queue, const char *password, password_fn fn, void *arg,
                  struct err *err);

/* Compares password with hash, the stored text. NULL stands for an account that does not exist:
 * it takes the same time and ends in -EACCES. */
int password_verify(struct password_queue *queue, const char *password, const char *hash,
                    password_fn fn, void *arg, struct err *err);
