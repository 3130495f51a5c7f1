/* A bounded queue of bytes to a thread of its own: who adds copies and never waits, the thread gets
 * what has come together since it last looked. For what must be written or sent, but must not hold
 * up a request. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct batch;
struct err;

struct batch_config {
    size_t bytes_max;   /* that wait; more are refused */
    uint64_t linger_ms; /* so long the thread collects after a first item */
    /* The thread. Items stand one after the other, as they were added. */
    void (*take)(void *arg, char *data, size_t size);
    void *arg;
};

/* NULL and err -EAGAIN when there is no thread to be had. */
struct batch *batch_new(const struct batch_config *config, struct err *err);

/* take gets what is left, then the thread ends; what is added later is lost. */
void batch_stop(struct batch *batch);

/* Nobody may add any more. NULL allowed. */
struct batch *batch_free(struct batch *batch);

/* Adds the parts as one item, whole; false when there is no room. Any thread. */
bool batch_add(struct batch *batch, const struct slice *parts, size_t count);
