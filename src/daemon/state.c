/* `jsorc state migrate`: from the file of a state folder into a database. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "cli/commands.h"
#include "daemon/paths.h"
#include "daemon/supervisor.h"
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

int state_migrate(const char *folder, const char *to, bool replace, struct err *err)
{
    CLEANUP(str_free) char *file = xasprintf("%s/jsorc.db", folder);
    CLEANUP(store_close) struct store *source = NULL;
    CLEANUP(store_close) struct store *target = NULL;
    CLEANUP_FD int lock_fd = -1;
    if (!store_is_url(to)) {
        return err_set(err, EINVAL, "--to must be a URL, postgresql://USER@HOST/DATABASE");
    }
    if (access(file, R_OK) < 0) {
        return err_errno(err, errno, "cannot read the state file '%s'", file);
    }
    /* What a daemon would write meanwhile would be lost. */
    int failed =
        supervisor_lock(&(struct paths){.state = (char *)(uintptr_t)folder}, &lock_fd, err);
    failed = failed ? failed : store_open(file, &source, err);
    failed = failed ? failed : store_open(to, &target, err);
    return failed ? failed : migrate(source, target, replace, err);
}
