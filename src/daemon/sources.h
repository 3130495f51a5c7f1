/* What `jsorc serve` was told to load: folders, files, import names and the settings' modules. */
#pragma once

struct control;
struct err;
struct paths;
struct settings;

/* Checks that what the command line and the file name exists: the workers' interpreter, files and
 * folders, and on the command line the packages of import names. -ENOENT, -EINVAL with what is
 * wrong. Blocks. */
int sources_check(const struct settings *settings, const struct paths *paths, struct err *err);

/* Loads all of it, and forgets modules that an earlier start loaded and this one does not name. A
 * module that was moved since keeps its place, also against the settings' file, until its entry
 * there is another one. -errno of the store. */
int sources_load(const struct settings *settings, struct control *control, struct err *err);
