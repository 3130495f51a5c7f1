/* One timer does all: it renews or asks for the lease, looks for changes that no notification told
 * of, and begins a new connection when there is none. A leader that could not renew stops leading
 * before its lease ends, by its own monotonic clock: two never lead at once. */
#include "share/share.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "loop/job.h"
#include "share/lease.h"
#include "store/store.h"
#include "store/store_shared.h"

#define LOOK_MS          5000 /* between two looks for changes; notifications come at once */
#define RECONNECT_MS_MIN 200  /* pause before the second attempt; doubles each time */
#define RECONNECT_MS_MAX 10000
#define RENEWALS         3  /* of the leader within a lease */
#define ASKINGS          6  /* of the others: they shall not be late by much */
#define MARGIN           10 /* the leader stops leading a tenth of the lease early */

struct share {
    struct share_options options;
    struct loop_timer timer;
    struct loop_watch watch; /* of a duplicate: libpq may close its own at any time */
    unsigned watched;        /* number of the connection that is watched */
    uint64_t looked_ms;
    unsigned changed; /* by others, and not taken in yet */

    bool asking; /* for the lease */
    bool leads;
    bool ended;
    uint64_t asked_ms;    /* 0 = ask again at once */
    uint64_t began_ms;    /* of the asking under way, or the last one */
    struct err lease_err; /* of the last one, when it is not the connection's; code 0 = none */
    uint64_t lead_until_ms;
    struct lease_state lease;

    struct store_link *link; /* owned; in the making, or NULL */
    struct err link_err;     /* of the last attempt */
    bool linked;
    uint64_t lost_ms; /* when that was noticed; 0 = there is a connection */
    uint64_t retry_ms;
    uint64_t pause_ms;
    uint64_t random;
    uint64_t reconnects;
    struct share_wait *waiting;
};

static void turn(struct share *share);

/* ---- those who wait ---- */

static void end_waits(struct share *share, uint64_t now_ms)
{
    bool ready = share_is_ready(share);
    struct share_wait **at = &share->waiting, *over = NULL;
    while (*at) {
        struct share_wait *wait = *at;
        if (ready || share->ended || now_ms >= wait->deadline_ms) {
            *at = wait->next;
            wait->next = over;
            over = wait;
        } else {
            at = &wait->next;
        }
    }
    while (over) { /* apart from the walk above: fn may wait again; the latest came first */
        struct share_wait *wait = over;
        over = wait->next;
        wait->fn(wait->arg);
    }
}

void share_wait(struct share *share, struct share_wait *wait, uint64_t timeout_ms, loop_fn fn,
                void *arg)
{
    *wait = (struct share_wait){
        .next = share->waiting, .deadline_ms = clock_now_ms() + timeout_ms, .fn = fn, .arg = arg};
    share->waiting = wait;
    loop_timer_set(share->options.loop, &share->timer, clock_now_ms());
}

/* ---- the connection ---- */

static void on_readable(void *arg, uint32_t events)
{
    (void)events;
    turn(arg);
}

static void unwatch(struct share *share)
{
    int fd = share->watch.fd;
    loop_unwatch(share->options.loop, &share->watch);
    (void)fd_close(fd);
}

static void rewatch(struct share *share)
{
    int fd = store_fd(share->options.store);
    unsigned connections = store_connections(share->options.store);
    if (share->watch.fd >= 0 && fd >= 0 && connections == share->watched) {
        return;
    }
    unwatch(share);
    fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        share->watch = (struct loop_watch){fd, on_readable, share};
        share->watched = connections;
        if (loop_watch(share->options.loop, &share->watch, EPOLLIN) < 0) {
            share->watch.fd = fd_close(fd); /* the looks do without it */
        }
    }
}

static void link_work(void *arg)
{
    struct share *share = arg;
    share->linked = store_link_open(share->link, &share->link_err) == 0;
}

static void link_done(void *arg)
{
    struct share *share = arg;
    struct store_link *link = TAKE(share->link);
    uint64_t now_ms = clock_now_ms();
    if (share->linked) {
        store_link_install(share->options.store, link);
        share->reconnects++;
        log_info("the state is reached again", "state=%s lost_ms=%llu",
                 store_name(share->options.store), (unsigned long long)(now_ms - share->lost_ms));
    } else { /* with jitter: the daemons do not come all at once */
        share->pause_ms =
            share->pause_ms * 2 > RECONNECT_MS_MAX ? RECONNECT_MS_MAX : share->pause_ms * 2;
        share->retry_ms =
            now_ms + share->pause_ms / 2 + random_bits(&share->random) % share->pause_ms;
    }
    (void)store_link_free(link);
    turn(share);
}

static void connect_again(struct share *share, uint64_t now_ms)
{
    if (share->ended) { /* the database may be a service of ours, which has ended, too */
        return;
    }
    if (share->lost_ms == 0) {
        share->lost_ms = now_ms;
        share->retry_ms = now_ms;
        share->pause_ms = RECONNECT_MS_MIN;
        log_warn("the state cannot be reached: serving goes on, changes wait",
                 "state=%s error=\"%s\"", store_name(share->options.store),
                 store_lost(share->options.store));
    }
    if (!share->link && now_ms >= share->retry_ms) {
        share->linked = false;
        share->link = store_link_new(share->options.store);
        job_submit(share->options.jobs, share->options.loop, link_work, link_done, share);
    }
}

/* ---- the lease ---- */

static void set_leads(struct share *share, bool leads)
{
    if (leads == share->leads) {
        return;
    }
    share->leads = leads;
    log_info(leads ? "leads: decides for all daemons of the state" : "leads no more",
             "state=%s number=%lld", store_name(share->options.store),
             (long long)share->lease.number);
    share->options.on_lead(share->options.arg, leads);
}

/* Told once, when it begins; what a lost connection does is told by connect_again. */
static void note_lease_err(struct share *share, const struct err *err)
{
    bool known = share->lease_err.code != 0;
    share->lease_err.code = 0;
    if (err && share_is_ready(share)) {
        share->lease_err = *err;
    }
    if (share->lease_err.code && !known) {
        log_warn("the lease of who decides cannot be had", "lease=%s error=\"%s\"",
                 share->options.lease->ops->name, err->text);
    } else if (known && !err) {
        log_info("the lease of who decides can be had again", "lease=%s",
                 share->options.lease->ops->name);
    }
}

static void on_asked(void *arg, const struct lease_state *state, const struct err *err)
{
    struct share *share = arg;
    share->asking = false;
    if (share->ended) {
        return;
    }
    note_lease_err(share, err);
    if (!state) {
        return; /* a leader goes on to the end of its lease */
    }
    share->lease = *state;
    if (state->mine) {
        uint64_t lease_ms = share->options.lease_ms;
        share->lead_until_ms = share->began_ms + lease_ms - lease_ms / MARGIN;
    }
    set_leads(share, state->mine && clock_now_ms() < share->lead_until_ms);
}

static uint64_t lease_pause_ms(const struct share *share)
{
    return share->options.lease_ms / (share->leads ? RENEWALS : ASKINGS);
}

static void lease_turn(struct share *share, uint64_t now_ms)
{
    struct lease *lease = share->options.lease;
    if (share->leads && now_ms >= share->lead_until_ms) {
        set_leads(share, false);
    }
    if (!share->ended && !share->asking && now_ms >= share->asked_ms + lease_pause_ms(share)) {
        share->asking = true;
        share->asked_ms = now_ms;
        share->began_ms = now_ms; /* before it is sent: the lease ends later than we think */
        lease->ops->take(lease, (int64_t)share->options.lease_ms, on_asked, share);
    }
}

/* ---- a turn ---- */

static unsigned changes_of_others(struct share *share, uint64_t now_ms)
{
    unsigned changed = 0;
    if (now_ms < share->looked_ms + LOOK_MS) {
        return store_hear(share->options.store);
    }
    share->looked_ms = now_ms;
    (void)store_look(share->options.store, &changed, NULL);
    return changed;
}

static void take_changes(struct share *share, uint64_t now_ms)
{
    unsigned changed = changes_of_others(share, now_ms);
    if (changed & STORE_CHANGED_LEASE) {
        share->asked_ms = 0; /* it is free: ask now */
    }
    share->changed |= changed & ~(unsigned)STORE_CHANGED_LEASE;
    if (share->changed && share_is_ready(share) && !share->ended) {
        share->changed = share->options.on_change(share->options.arg, share->changed);
    }
}

static void schedule(struct share *share)
{
    if (share->ended) {
        return;
    }
    uint64_t due_ms = (share->asking ? clock_now_ms() : share->asked_ms) + lease_pause_ms(share);
    if (share->leads && share->lead_until_ms < due_ms) {
        due_ms = share->lead_until_ms;
    }
    if (share->lost_ms && share->retry_ms < due_ms && !share->link) {
        due_ms = share->retry_ms;
    }
    for (const struct share_wait *wait = share->waiting; wait; wait = wait->next) {
        due_ms = wait->deadline_ms < due_ms ? wait->deadline_ms : due_ms;
    }
    loop_timer_set(share->options.loop, &share->timer, due_ms);
}

static void turn(struct share *share)
{
    uint64_t now_ms = clock_now_ms();
    if (share_is_ready(share)) {
        share->lost_ms = 0;
    }
    take_changes(share, now_ms);
    lease_turn(share, now_ms);
    if (!share_is_ready(share)) {
        connect_again(share, clock_now_ms());
    }
    rewatch(share);
    end_waits(share, clock_now_ms());
    schedule(share);
}

static void on_timer(void *arg)
{
    turn(arg);
}

/* ---- life ---- */

struct share *share_new(const struct share_options *options)
{
    struct share *share = xcalloc(1, sizeof(*share));
    share->options = *options;
    share->watch.fd = -1;
    share->timer = (struct loop_timer){.fn = on_timer, .arg = share};
    share->random = random_seed();
    return share;
}

struct share *share_free(struct share *share)
{
    if (share) {
        loop_timer_clear(share->options.loop, &share->timer);
        unwatch(share);
        (void)store_link_free(share->link);
        (void)share->options.lease->ops->free(share->options.lease);
        free(share);
    }
    return NULL;
}

void share_start(struct share *share)
{
    turn(share);
}

void share_end(struct share *share)
{
    share->ended = true;
    set_leads(share, false);
    share->options.lease->ops->release(share->options.lease);
    end_waits(share, clock_now_ms());
}

bool share_has_ended(const struct share *share)
{
    return share->ended && share->options.lease->ops->is_released(share->options.lease);
}

bool share_leads(const struct share *share)
{
    return share->leads;
}

bool share_is_ready(const struct share *share)
{
    return store_lost(share->options.store) == NULL;
}

void share_figures(const struct share *share, struct share_figures *ret)
{
    const struct share_wait *wait = share->waiting;
    *ret = (struct share_figures){
        .state = store_name(share->options.store),
        .error = store_lost(share->options.store),
        .error_ms = share->lost_ms ? clock_now_ms() - share->lost_ms : 0,
        .leads = share->leads,
        .leader = *share->lease.holder ? share->lease.holder : NULL,
        .number = share->lease.number,
        .lease = share->options.lease->ops->name,
        .lease_error = share->lease_err.code ? share->lease_err.text : NULL,
        .reconnects = share->reconnects,
    };
    for (; wait; wait = wait->next) {
        ret->waiting++;
    }
}
