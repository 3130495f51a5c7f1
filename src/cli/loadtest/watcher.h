/* Looks at where an application's modules are, in a thread of its own, while it is measured. */
#pragma once

struct app;
struct bed;
struct json_object;
struct watcher;

/* Never NULL. bed and app are borrowed until watcher_stop. */
struct watcher *watcher_start(const struct bed *bed, const struct app *app);

/* [{"t": seconds since the start, "placement": {"bi_enc": "module"}}], an entry a change; owned by
 * the caller. Frees the watcher. */
struct json_object *watcher_stop(struct watcher *watcher);
