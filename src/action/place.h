/* Where a module's calls go. */
#pragma once

enum place {
    PLACE_NONE,   /* nowhere: not loaded */
    PLACE_MODULE, /* in the runtime worker */
    PLACE_REMOTE, /* in a pod of its own, or on a server of somebody else's */
};

static inline const char *place_name(enum place place)
{
    static const char *const names[] = {"none", "module", "remote"};
    return names[place];
}
