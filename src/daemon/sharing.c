/* What this daemon does when others share its state: it follows what they change, and leads when
 * the lease says so. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "control/control.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "provider/kubernetes/kube.h"
#include "share/lease.h"
#include "share/lease_kube.h"
#include "share/share.h"
#include "store/store.h"
#include "store/store_shared.h"

static unsigned on_change(void *arg, unsigned changed)
{
    struct daemon *daemon = arg;
    struct err err = {0};
    unsigned left = 0;
    if (changed & STORE_CHANGED_MODULES && control_follow(daemon->control, &err) < 0) {
        left |= STORE_CHANGED_MODULES;
    }
    if (changed & STORE_CHANGED_META && control_follow_policy(daemon->control, &err) < 0) {
        left |= STORE_CHANGED_META;
    }
    if (changed & STORE_CHANGED_ACCOUNTS && auth_follow(daemon->auth, &err) < 0) {
        left |= STORE_CHANGED_ACCOUNTS;
    }
    if (left) {
        log_warn("a change of the state is taken in later", "error=\"%s\"", err.text);
    }
    return left;
}

static void on_lead(void *arg, bool leads)
{
    control_lead(((struct daemon *)arg)->control, leads);
}

/* Of a renewal in the cluster, so that another one fits into the lease when its answer is lost. */
#define LEASE_TRIES 4

/* "HOST:STATE#PID-RANDOM": another one for each daemon that ever runs, so that none takes the lease
 * of one that ended, or of a copy of itself, for its own. */
static char *holder_name(const char *state)
{
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof(host) - 1);
    CLEANUP(str_free)
    char *own = xasprintf("#%d-%08x", (int)getpid(), (unsigned)(random_seed() & 0xffffffff));
    size_t room = LEASE_HOLDER_MAX - strlen(own);
    CLEANUP(str_free) char *place = xasprintf("%s:%s", host, state);
    return xasprintf("%.*s%s", (int)room, place, own);
}

/* The database is a service of this daemon's own, which has to run first. */
static int open_in_service(struct daemon *daemon, struct err *err)
{
    const struct daemon_options *options = daemon->options;
    struct backing_parts parts = {.settings = options->settings, .paths = options->paths};
    CLEANUP(str_free) char *url = NULL;
    int failed = backing_boot_database(&parts, options->restarted, &url, err);
    if (failed && !options->restarted) {
        return failed;
    }
    if (failed) {
        log_warn("the state cannot be reached yet", "error=\"%s\"", err->text);
    }
    return store_open_shared(url, options->paths->copy, options->restarted, &daemon->store, err);
}

/* A daemon that is started again serves on even when the database is away just then. */
int daemon_open_store(struct daemon *daemon, struct err *err)
{
    const char *url = daemon->options->settings->state_url;
    const struct paths *paths = daemon->options->paths;
    if (backing_has_state(daemon->options->settings)) {
        return open_in_service(daemon, err);
    }
    return url ? store_open_shared(url, paths->copy, daemon->options->restarted, &daemon->store,
                                   err)
               : store_open(paths->database, &daemon->store, err);
}

static int make_lease(struct daemon *daemon, uint64_t lease_ms, struct lease **ret_lease,
                      struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    CLEANUP(str_free) char *holder = holder_name(daemon->options->paths->state);
    struct kube_config *config = NULL;
    if (strcmp(settings->lease, "kubernetes") != 0) {
        *ret_lease = lease_pg_new(daemon->store, holder);
        return 0;
    }
    int failed = cluster_config(settings, daemon->store, &config, err);
    if (failed) {
        return err_wrap(err, "setting 'lease'");
    }
    /* A try that failed is followed by the next renewal, not by its own repetition. */
    struct kube *kube =
        kube_new(daemon->loop, daemon->jobs, config,
                 &(struct kube_settings){.try_timeout_ms = lease_ms / LEASE_TRIES, .tries_max = 1});
    *ret_lease = lease_kube_new(kube, daemon->store, settings->lease_name, holder);
    return 0;
}

int daemon_make_share(struct daemon *daemon, struct err *err)
{
    uint64_t lease_ms = (uint64_t)(daemon->options->settings->lease_s * 1000);
    struct lease *lease = NULL;
    if (!store_is_shared(daemon->store)) {
        return 0;
    }
    int failed = make_lease(daemon, lease_ms, &lease, err);
    if (failed) {
        return failed;
    }
    store_hurry(daemon->store);
    control_lead(daemon->control, false);
    daemon->share = share_new(&(struct share_options){
        .store = daemon->store,
        .loop = daemon->loop,
        .jobs = daemon->jobs,
        .lease = lease,
        .lease_ms = lease_ms,
        .on_change = on_change,
        .on_lead = on_lead,
        .arg = daemon,
    });
    daemon->api.share = daemon->share;
    return 0;
}
