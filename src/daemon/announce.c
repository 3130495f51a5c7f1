#include <stdio.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "store/store.h"

/* Puts text into run/NAME, whole or not at all. */
static void write_run_file(const struct daemon *daemon, const char *name, const char *text)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s", daemon->options->paths->run, name);
    CLEANUP(str_free) char *fresh = xasprintf("%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (file && fputs(text, file) >= 0 && fclose(file) == 0) {
        (void)rename(fresh, path);
    }
}

/* For scripts: which process the daemon is, and where it listens when it asked for a free port. */
void daemon_write_run_files(const struct daemon *daemon)
{
    struct buf urls = {0};
    for (size_t i = 0; daemon->urls[i]; i++) {
        buf_printf(&urls, "%s\n", daemon->urls[i]);
    }
    if (buf_append(&urls, "", 1) == 0) {
        write_run_file(daemon, "address", urls.data);
    }
    buf_done(&urls);
    CLEANUP(str_free) char *pid = xasprintf("%d\n", (int)getpid());
    write_run_file(daemon, "daemon.pid", pid);
}

void daemon_announce(const struct daemon *daemon)
{
    for (size_t i = 0; daemon->urls[i]; i++) {
        printf("jsorc: serving on %s\n", daemon->urls[i]);
    }
    printf("jsorc: state in %s\n",
           daemon->share ? store_name(daemon->store) : daemon->options->paths->state);
    if (auth_bootstrap_token(daemon->auth)) {
        printf("jsorc: no account yet; the token for the first one is in %s/bootstrap-token\n",
               daemon->options->paths->state);
    }
    (void)fflush(stdout);
}
