/* json-c with the rules of this program: bounded depth, errors that say where, no silent types.
 * Ownership is json-c's: an object is released by json_put. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/slice.h"

struct err;

#define JSON_DEPTH_MAX 64 /* deeper input is an attack on the parser's stack */

static inline struct json_object *json_put(struct json_object *object)
{
    (void)json_object_put(object);
    return NULL;
}
DEFINE_CLEANUP(struct json_object *, json_put)

/* Parses the whole of text, which must be one JSON value (trailing space allowed). 0 and the value
 * in *ret_value (owned; NULL for JSON null), or -EINVAL, -E2BIG (over 2 GiB). */
int json_parse(struct slice text, struct json_object **ret_value, struct err *err);

/* As json_parse, and the value must be an object; empty text is {}. */
int json_parse_object(struct slice text, struct json_object **ret_object, struct err *err);

/* The member's text, borrowed; NULL when absent, null or no string. */
const char *json_str(const struct json_object *object, const char *name);
int64_t json_int(const struct json_object *object, const char *name, int64_t fallback);
double json_double(const struct json_object *object, const char *name, double fallback);
bool json_flag(const struct json_object *object, const char *name, bool fallback);
/* Borrowed; NULL when absent, null or of another type. */
struct json_object *json_member(const struct json_object *object, const char *name,
                                enum json_type type);

/* Adds a member; value is owned by object from here on. */
void json_set(struct json_object *object, const char *name, struct json_object *value);
void json_set_str(struct json_object *object, const char *name, const char *text); /* NULL = null */
void json_set_int(struct json_object *object, const char *name, int64_t number);
void json_set_double(struct json_object *object, const char *name, double number); /* NaN = null */
void json_set_bool(struct json_object *object, const char *name, bool value);

/* A new reference to value (NULL stays NULL). */
struct json_object *json_ref(struct json_object *value);

/* Compact text; borrowed until value changes or goes. NULL gives "null". */
const char *json_text(struct json_object *value);
