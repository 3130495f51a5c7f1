/* `jsorc state migrate`: from the file of a state folder into a database. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/commands.h"
#include "daemon/paths.h"
#include "daemon/supervisor.h"
#include "service/service.h"
#include "store/store.h"
#include "store/store_copy.h"

static void tell_table(void *arg, const char *table, int64_t rows)
{
    (void)arg;
    printf("%-10s %8lld rows, the same in both\n", table, (long long)rows);
}

static int migrate(struct store *from, struct store *to, bool replace, struct err *err)
{
    bool copied = false;
    struct store_copy copy = {.told = tell_table, .replace = replace};
    int failed = store_copy(from, to, &copy, &copied, err);
    if (failed == -ENOTEMPTY) {
        return err_wrap(err, "nothing was copied; --replace puts this state in its place");
    }
    if (!failed) {
        printf(copied ? "copied to %s; start jsorc with --state-url from now on\n"
                      : "%s holds this state already; nothing was to be done\n",
               store_name(to));
    }
    return failed;
}

static int migrate_to(const char *file, const char *to, bool replace, struct err *err)
{
    CLEANUP(store_close) struct store *source = NULL;
    CLEANUP(store_close) struct store *target = NULL;
    int failed = store_open(file, &source, err);
    failed = failed ? failed : store_open(to, &target, err);
    return failed ? failed : migrate(source, target, replace, err);
}

#define BOOT_MS 60000 /* of the database, made anew; a slow disk takes long for that */
#define STEP_MS 5000  /* of one look whether it answers */

/* Into the service `database` of that folder, which runs meanwhile. */
static int migrate_to_service(const char *folder, const char *file, bool replace, struct err *err)
{
    CLEANUP(json_put) struct json_object *given = NULL;
    CLEANUP(str_free) char *whole = realpath(folder, NULL); /* as the daemon names it */
    CLEANUP(str_free) char *run = xasprintf("%s/run", whole ? whole : folder);
    CLEANUP(str_free) char *logs = xasprintf("%s/logs", whole ? whole : folder);
    CLEANUP(str_free) char *url = NULL;
    (void)json_parse_object(SLICE("{\"database\": {\"automated\": true}}"), &given, NULL);
    struct service_parts parts = {.given = given,
                                  .state_folder = whole ? whole : folder,
                                  .run_folder = run,
                                  .log_folder = logs,
                                  .state_in_database = true};
    struct service_settings settings = {.check_timeout_ms = STEP_MS, .start_timeout_ms = BOOT_MS};
    int failed = services_boot_database(&parts, &settings, &url, err);
    failed = failed ? failed : migrate_to(file, url, replace, err);
    int ended = services_end_database(&parts, BOOT_MS, failed ? NULL : err);
    return failed ? failed : ended;
}

int state_migrate(const char *folder, const char *to, bool replace, struct err *err)
{
    CLEANUP(str_free) char *file = xasprintf("%s/jsorc.db", folder);
    bool service = strcmp(to, "database") == 0;
    CLEANUP_FD int lock_fd = -1;
    if (!store_is_url(to) && !service) {
        return err_set(err, EINVAL,
                       "--to must be a URL, postgresql://USER@HOST/DATABASE, or 'database'");
    }
    if (access(file, R_OK) < 0) {
        return err_errno(err, errno, "cannot read the state file '%s'", file);
    }
    /* What a daemon would write meanwhile would be lost. */
    int failed =
        supervisor_lock(&(struct paths){.state = (char *)(uintptr_t)folder}, &lock_fd, err);
    if (failed) {
        return failed;
    }
    return service ? migrate_to_service(folder, file, replace, err)
                   : migrate_to(file, to, replace, err);
}
