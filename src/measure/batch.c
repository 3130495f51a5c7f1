#include "measure/batch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

struct batch {
    struct batch_config config;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows; held for one copy or one swap */
    pthread_cond_t wake;
    char *filling; /* [bytes_max]; owned */
    size_t used;
    bool waiting; /* the thread, for a first item */
    bool ending;
    char *taken; /* [bytes_max]; owned; the thread's */
};

bool batch_add(struct batch *batch, const struct slice *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].size;
    }
    (void)pthread_mutex_lock(&batch->lock);
    if (size > batch->config.bytes_max - batch->used) {
        (void)pthread_mutex_unlock(&batch->lock);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) {
            memcpy(batch->filling + batch->used, parts[i].data, parts[i].size);
            batch->used += parts[i].size;
        }
    }
    bool wake = batch->waiting;
    batch->waiting = false;
    (void)pthread_mutex_unlock(&batch->lock);
    if (wake) { /* a system call a batch, not one an item */
        (void)pthread_cond_signal(&batch->wake);
    }
    return true;
}

/* Waits for a first item, then for others; false when the end was asked for. */
static bool collect(struct batch *batch, size_t *ret_size)
{
    (void)pthread_mutex_lock(&batch->lock);
    while (batch->used == 0 && !batch->ending) {
        batch->waiting = true;
        (void)pthread_cond_wait(&batch->wake, &batch->lock);
    }
    batch->waiting = false;
    struct timespec until = clock_after_ms(CLOCK_MONOTONIC, batch->config.linger_ms);
    while (!batch->ending && pthread_cond_timedwait(&batch->wake, &batch->lock, &until) == 0) {
    }
    char *full = batch->filling;
    batch->filling = batch->taken;
    batch->taken = full;
    *ret_size = batch->used;
    batch->used = 0;
    bool goes_on = !batch->ending;
    (void)pthread_mutex_unlock(&batch->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct batch *batch = arg;
    bool goes_on = true;
    while (goes_on) {
        size_t size;
        goes_on = collect(batch, &size);
        if (size > 0) {
            batch->config.take(batch->config.arg, batch->taken, size);
        }
    }
    return NULL;
}

static struct batch *batch_destroy(struct batch *batch)
{
    (void)pthread_cond_destroy(&batch->wake);
    (void)pthread_mutex_destroy(&batch->lock);
    free(batch->filling);
    free(batch->taken);
    free(batch);
    return NULL;
}

struct batch *batch_new(const struct batch_config *config, struct err *err)
{
    struct batch *batch = xcalloc(1, sizeof(*batch));
    batch->config = *config;
    batch->filling = xcalloc(1, config->bytes_max);
    batch->taken = xcalloc(1, config->bytes_max);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&batch->lock, NULL);
    (void)pthread_cond_init(&batch->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    sigset_t all, before; /* signals are others' */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&batch->thread, NULL, run, batch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)err_errno(err, failed, "cannot start a thread");
        return batch_destroy(batch);
    }
    return batch;
}

void batch_stop(struct batch *batch)
{
    (void)pthread_mutex_lock(&batch->lock);
    bool stopped = batch->ending;
    batch->ending = true;
    (void)pthread_mutex_unlock(&batch->lock);
    if (!stopped) {
        (void)pthread_cond_signal(&batch->wake);
        (void)pthread_join(batch->thread, NULL);
    }
}

struct batch *batch_free(struct batch *batch)
{
    if (batch) {
        batch_stop(batch);
        batch_destroy(batch);
    }
    return NULL;
}
