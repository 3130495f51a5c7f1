/* From the text of a command line to a typed JSON value. */
#pragma once

#include "api/op.h"
#include "base/slice.h"

struct buf;
struct err;
struct json_object;

#define VALUE_FILE_MAX (64 * 1024 * 1024) /* the daemon takes no larger body */

/* text as type. "None" is null; "@FILE" is the file's content and "@@x" the text "@x"; lists and
 * dicts are JSON. *ret_value is owned, NULL for null. -EINVAL, or what reading the file gave. */
int value_typed(enum op_type type, const char *text, struct json_object **ret_value,
                struct err *err);

/* text as what it looks like: a number, true/false (True/False), null/None, a JSON list, object or
 * quoted string, else the text itself. Never fails: NULL is null. */
struct json_object *value_guess(const char *text);

/* text by the name of a form: "" (value_guess, "@FILE" = its text, "@FILE.json" = its JSON), "str",
 * "int", "float", "bool", "json", "base64". -EINVAL names an unknown form. */
int value_form(const char *form, const char *text, struct json_object **ret_value, struct err *err);

/* Appends the content of path ("-" = standard input) to out. -EFBIG over VALUE_FILE_MAX. */
int value_read_file(const char *path, struct buf *out, struct err *err);
