/* Where action configs come from: a Python package that exports ACTION_CONFIGS (read by running it
 * in the workers' interpreter), a JSON or YAML file, a folder of them, or an object. */
#pragma once

struct api;
struct err;
struct json_object;

/* configs: {name: entry}, borrowed; NULL with a text that says what is wrong. */
typedef void (*action_configs_fn)(void *arg, struct json_object *configs, const char *error);

/* Calls fn in the control thread, later. source: package name, path or file:// URL. */
void action_configs_read(struct api *api, const char *source, action_configs_fn fn, void *arg);

/* Whether an entry has what is needed. 0 or -EINVAL with the reason. */
int action_config_check(struct json_object *entry, struct err *err);
