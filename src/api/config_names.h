/* The configs that exist by name, what their text may be, and how one is read. Owner: the control
 * thread. Only what was set explicitly is stored; who reads a config fills in its defaults. */
#pragma once

#include <stdbool.h>

struct err;
struct json_object;
struct store;

/* The name under which the text is stored: PROMON_CONFIG is PROME_CONFIG. Borrowed; name itself
 * when it is no alias. */
const char *config_stored_name(const char *name);

bool config_is_known(const char *name);

/* All valid names, aliases included, as an array; owned by the caller. */
struct json_object *config_known(void);

/* Whether text may be the value of a known config: an object for *_CONFIG and *_MANIFEST, true or
 * false, hours. Unknown names take any text. 0 or -EINVAL (err says what is wanted). */
int config_check(const char *name, const char *text, struct err *err);

/* *ret_text is owned by the caller. META_CONFIG is composed: see config_meta.h. -ENOENT: not set;
 * further as store.h. */
int config_read(struct store *store, const char *name, char **ret_text, struct err *err);

/* Checked by config_check if check. META_CONFIG writes through to the configs that it stands for.
 */
int config_write(struct store *store, const char *name, const char *text, bool check,
                 struct err *err);
int config_delete(struct store *store, const char *name, struct err *err); /* -ENOENT */

/* fallback when the config is not set, cannot be read, or is of another type. */
double config_number(struct store *store, const char *name, double fallback);
bool config_flag(struct store *store, const char *name, bool fallback);
/* The config as an object; owned; NULL when not set or no object. */
struct json_object *config_object(struct store *store, const char *name);
