/* The task queue of this daemon, and who runs what is in it. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/tasks.h"
#include "base/alloc.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "share/share.h"
#include "store/store_shared.h"
#include "task/task_local.h"

static bool leads(void *arg)
{
    const struct daemon *daemon = arg;
    return !daemon->share || share_leads(daemon->share);
}

/* "HOST:STATE": the same after each start, so that what an earlier life held is known for ours. */
static char *owner_name(const char *state)
{
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof(host) - 1);
    CLEANUP(str_free) char *name = xasprintf("%s:%s", host, state);
    return xasprintf("%.*s", STORE_NAME_BYTES_MAX, name);
}

void daemon_make_tasks(struct daemon *daemon)
{
    daemon->task_owner = owner_name(daemon->options->paths->state);
    daemon->api.tasks = task_local_new(&(struct task_local_options){
        .loop = daemon->loop,
        .store = daemon->store,
        .owner = daemon->task_owner,
        .shared = store_is_shared(daemon->store),
        .leads = leads,
        .arg = daemon,
    });
    daemon->api.runner =
        task_runner_new(&(struct task_runner_options){.run = tasks_run, .arg = &daemon->api});
    tasks_configure(&daemon->api);
}

/* From now on what is due is run: the socket answers. */
void daemon_start_tasks(struct daemon *daemon)
{
    task_runner_attach(daemon->api.runner, task_local_queue(daemon->api.tasks));
    daemon_start_celery(daemon);
}

void daemon_end_tasks(struct daemon *daemon)
{
    task_local_end(daemon->api.tasks);
    task_runner_end(daemon->api.runner);
}

void daemon_free_tasks(struct daemon *daemon)
{
    daemon_free_celery(daemon);
    daemon->api.tasks = task_local_free(daemon->api.tasks);
    daemon->api.runner = task_runner_free(daemon->api.runner);
    free(daemon->task_owner);
    daemon->task_owner = NULL;
}
