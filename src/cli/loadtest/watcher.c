#include "cli/loadtest/watcher.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/loadtest/apps.h"
#include "cli/loadtest/bed.h"
#include "cli/transport.h"

#define LOOK_MS     250
#define CHANGES_MAX 10000 /* a policy that moves at every look for 40 minutes */

struct watcher {
    const struct bed *bed;
    const struct app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ending;
    bool ended; /* under lock */
    uint64_t start_ms;
    struct json_object *changes; /* of the thread until it has ended */
};

static struct json_object *placement_of(const struct watcher *watcher, struct json_object *status)
{
    struct json_object *modes = json_member(status, "action_status", json_type_object);
    struct json_object *placement = json_object_new_object();
    for (size_t i = 0; i < watcher->app->module_count; i++) {
        const char *name = watcher->app->modules[i];
        const char *mode = json_str(json_member(modes, name, json_type_object), "mode");
        json_set_str(placement, name, mode); /* NULL = nowhere */
    }
    return placement;
}

static void look(struct watcher *watcher, struct transport *transport)
{
    CLEANUP(json_put) struct json_object *status = NULL;
    struct json_object *params = json_object_new_object();
    json_set_str(params, "name", "");
    if (bed_op_by(watcher->bed, transport, "jsorc_actions_status", params, &status, NULL) < 0) {
        return;
    }
    CLEANUP(json_put) struct json_object *placement = placement_of(watcher, status);
    size_t count = json_object_array_length(watcher->changes);
    struct json_object *last =
        count ? json_member(json_object_array_get_idx(watcher->changes, count - 1), "placement",
                            json_type_object)
              : NULL;
    if (count == CHANGES_MAX || (last && json_object_equal(last, placement))) {
        return;
    }
    struct json_object *entry = json_object_new_object();
    json_set_double(entry, "t", (double)(clock_now_ms() - watcher->start_ms) / 1000);
    json_set(entry, "placement", TAKE(placement));
    (void)json_object_array_add(watcher->changes, entry);
}

static bool wait_turn(struct watcher *watcher)
{
    struct timespec until = clock_after_ms(CLOCK_MONOTONIC, LOOK_MS);
    (void)pthread_mutex_lock(&watcher->lock);
    if (!watcher->ended) {
        (void)pthread_cond_timedwait(&watcher->ending, &watcher->lock, &until);
    }
    bool ended = watcher->ended;
    (void)pthread_mutex_unlock(&watcher->lock);
    return !ended;
}

static void *watch(void *arg)
{
    struct watcher *watcher = arg;
    CLEANUP(transport_free) struct transport *transport = transport_new();
    do {
        look(watcher, transport);
    } while (wait_turn(watcher));
    return NULL;
}

struct watcher *watcher_start(const struct bed *bed, const struct app *app)
{
    struct watcher *watcher = xcalloc(1, sizeof(*watcher));
    pthread_condattr_t attributes;
    *watcher = (struct watcher){
        .bed = bed, .app = app, .start_ms = clock_now_ms(), .changes = json_object_new_array()};
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watcher->ending, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&watcher->lock, NULL);
    int failed = pthread_create(&watcher->thread, NULL, watch, watcher);
    assert(!failed);
    (void)failed;
    return watcher;
}

struct json_object *watcher_stop(struct watcher *watcher)
{
    struct json_object *changes = watcher->changes;
    (void)pthread_mutex_lock(&watcher->lock);
    watcher->ended = true;
    (void)pthread_cond_signal(&watcher->ending);
    (void)pthread_mutex_unlock(&watcher->lock);
    (void)pthread_join(watcher->thread, NULL);
    (void)pthread_cond_destroy(&watcher->ending);
    (void)pthread_mutex_destroy(&watcher->lock);
    free(watcher);
    return changes;
}
