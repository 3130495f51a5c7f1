#include "base/state.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

/* NULL when unset or empty. */
static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *state_folder(const char *option)
{
    const char *given = option ? option : setting("JSORC_STATE");
    if (given) {
        return xstrdup(given);
    }
    const char *xdg = setting("XDG_STATE_HOME");
    if (xdg) {
        return xasprintf("%s/jsorc", xdg);
    }
    if (geteuid() == 0) {
        return xstrdup("/var/lib/jsorc");
    }
    const char *home = setting("HOME");
    if (!home) {
        const struct passwd *user = getpwuid(geteuid());
        home = user ? user->pw_dir : "/";
    }
    return xasprintf("%s/.local/state/jsorc", home);
}

char *state_socket(const char *folder)
{
    return xasprintf("%s/run/jsorc.sock", folder);
}
