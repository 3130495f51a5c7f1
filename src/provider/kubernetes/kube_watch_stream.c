/* The stream of a watch: what its lines and its end mean. */
#include <errno.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/random.h"
#include "provider/kubernetes/kube_stream.h"
#include "provider/kubernetes/kube_watch_priv.h"

#define REFUSALS_MAX 3 /* of a stream in a row; then its version is given up */

static bool take_change(struct kube_watch *watch, const struct kube_event *event)
{
    str_replace(&watch->version, event->version);
    if (event->change != KUBE_DELETED) {
        return kube_watch_take(watch, event->object);
    }
    if (kube_known_remove(watch->known, event->object)) {
        watch->events.change(watch->events.arg, KUBE_DELETED, event->object);
    }
    return !watch->dead;
}

/* The server ended it by a Status in the stream. */
static void take_error(struct kube_watch *watch, const struct kube_event *event)
{
    struct kube_result result = {.object = event->object};
    result.status = (int)json_int(event->object, "code", 500);
    result.status = result.status < 400 || result.status > 599 ? 500 : result.status;
    result.outcome =
        kube_status_judge(result.status, event->object, &watch->stream.deed, &result.err);
    kube_exchange_done(&watch->stream);
    if (result.outcome == KUBE_GONE || watch->failures >= REFUSALS_MAX) {
        kube_watch_list_anew(watch);
    }
    kube_watch_failed(watch, &result, result.outcome == KUBE_GONE || watch->failures == 0);
}

static void take_nonsense(struct kube_watch *watch, struct kube_result *result)
{
    result->outcome = KUBE_BROKEN; /* what the line said is lost */
    kube_deed_wrap(&watch->stream.deed, KUBE_BROKEN, &result->err);
    kube_exchange_done(&watch->stream);
    kube_watch_list_anew(watch);
    kube_watch_failed(watch, result, false);
}

/* True: the stream goes on. */
static bool take_line(struct kube_watch *watch, const struct kube_event *event)
{
    watch->kube->figures.events++;
    if (event->line == KUBE_LINE_ERROR) {
        take_error(watch, event);
        return false;
    }
    watch->heard = true;
    watch->failures = 0;
    watch->hurried = false;
    if (event->line == KUBE_LINE_BOOKMARK) {
        str_replace(&watch->version, event->version);
        return true;
    }
    return take_change(watch, event);
}

static void on_silence(void *arg)
{
    struct kube_watch *watch = arg;
    struct kube_result result = {.outcome = KUBE_UNREACHABLE};
    (void)err_set(&result.err, ETIMEDOUT, "nothing came from the API server for %.0f s",
                  (double)watch->kube->settings.silence_ms_max / 1000);
    kube_deed_wrap(&watch->stream.deed, KUBE_UNREACHABLE, &result.err);
    kube_net_renew(watch->kube, watch->stream.net);
    kube_exchange_done(&watch->stream);
    kube_watch_failed(watch, &result, watch->failures == 0);
}

static void listen_on(struct kube_watch *watch)
{
    watch->silence.fn = on_silence;
    watch->silence.arg = watch;
    loop_timer_set(watch->kube->loop, &watch->silence,
                   loop_now_ms(watch->kube->loop) + watch->kube->settings.silence_ms_max);
}

static void stream_came(void *arg)
{
    struct kube_watch *watch = arg;
    struct kube_transfer *transfer = &watch->stream.transfer;
    if (!transfer->begun || transfer->status != 200) {
        return;
    }
    listen_on(watch);
    kube_watch_well(watch);
    bool on = !watch->dead;
    while (on) {
        struct kube_event event;
        struct kube_result result = {0};
        int got = kube_stream_next(&transfer->body, &event, &result.err);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            take_nonsense(watch, &result);
            break;
        }
        on = take_line(watch, &event);
        (void)json_put(event.object);
    }
}

static void stream_ended(void *arg, struct kube_result *result)
{
    struct kube_watch *watch = arg;
    bool quiet = result->outcome == KUBE_UNREACHABLE && watch->failures == 0;
    if (result->outcome == KUBE_OK) { /* timeoutSeconds, or a server that goes down in good order */
        watch->failures += !watch->heard;
        kube_watch_pause(watch, 0);
        return;
    }
    if (result->outcome == KUBE_GONE || result->outcome == KUBE_NOT_FOUND ||
        result->outcome == KUBE_BROKEN || (result->status && watch->failures >= REFUSALS_MAX)) {
        quiet = quiet || result->outcome == KUBE_GONE;
        kube_watch_list_anew(watch);
    }
    if (result->outcome == KUBE_NOT_FOUND) {
        kube_lookup_forget(watch->kube, watch->ref.api_version);
    }
    kube_watch_failed(watch, result, quiet);
}

void kube_watch_stream(struct kube_watch *watch)
{
    struct kube *kube = watch->kube;
    struct buf path = {0};
    char limit_s[16];
    unsigned spread_s = (unsigned)(random_bits(&kube->random) % KUBE_WATCH_S_MIN);
    (void)snprintf(limit_s, sizeof(limit_s), "%u", KUBE_WATCH_S_MIN + spread_s);
    buf_printf(&path, "%s", watch->path);
    kube_path_query(&path, "watch", "1");
    kube_path_query(&path, "allowWatchBookmarks", "true");
    kube_path_query(&path, "timeoutSeconds", limit_s);
    kube_path_query(&path, "resourceVersion", watch->version);
    kube_exchange_done(&watch->stream);
    watch->stream = (struct kube_exchange){
        .kube = kube,
        .method = "GET",
        .path = kube_path_take(&path),
        .deed = {.verb = "watch",
                 .kind = xstrdup(watch->ref.kind),
                 .group = xstrdup(watch->group),
                 .resource = xstrdup(watch->plural),
                 .namespace = watch->namespace ? xstrdup(watch->namespace) : NULL},
        .repeatable = true,
        .stream = true,
        .came = stream_came,
        .ended = stream_ended,
        .arg = watch,
    };
    kube->figures.restarts += watch->streamed;
    watch->streamed = true;
    watch->heard = false;
    listen_on(watch);
    kube_exchange_start(&watch->stream);
}
