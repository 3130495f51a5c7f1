/* What `jsorc serve` was told to load: folders, files, import names and the settings' modules. */
#pragma once

struct control;
struct err;
struct settings;

/* Checks that what the command line names exists. -ENOENT, -EINVAL with what is wrong. */
int sources_check(const struct settings *settings, struct err *err);

/* Loads all of it, and forgets modules that an earlier start loaded and this one does not name.
 * A module that was moved since keeps its place. -errno of the store. */
int sources_load(const struct settings *settings, struct control *control, struct err *err);
