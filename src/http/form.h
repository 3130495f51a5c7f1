/* Fields as queries and HTML forms write them: a=1&b=two+words (application/x-www-form-urlencoded).
 * The bytes are a peer's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct err;
struct json_object;

#define FORM_FIELDS_MAX 1000 /* of one message, as the original's framework: more is no form */

/* Sets each field of text as a string member of object; one that is there already is replaced.
 * 0, or -EINVAL (a name or a value is no UTF-8 text, or a name contains a zero byte), -E2BIG
 * (FORM_FIELDS_MAX), -ENOMEM. After a failure object has some of the fields. */
int form_decode(struct slice text, struct json_object *object, struct err *err);

/* Undoes %XX, and '+' for a blank if plus_is_blank, into bytes[text.size]; '%' without two hex
 * digits stands for itself, as browsers have it. Returns the number of bytes written. */
size_t form_unescape(struct slice text, bool plus_is_blank, char *bytes);

/* Sets a string member with checks: as form_decode. */
int form_set(struct json_object *object, struct slice name, struct slice value, struct err *err);
