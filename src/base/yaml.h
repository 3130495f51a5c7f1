/* YAML (and JSON, which is a part of it) files as JSON values, by libfyaml. */
#pragma once

struct err;
struct json_object;

#include "base/slice.h"

#define YAML_BYTES_MAX     (16 * 1024 * 1024) /* a configuration beyond this is something else */
#define YAML_DOCUMENTS_MAX 1024               /* of one text */

/* Reads a file of one document. 0 and the value (owned; NULL for an empty document), -errno of
 * reading, or -EINVAL with file, line and column in the text. */
int yaml_read_file(const char *path, struct json_object **ret_value, struct err *err);

/* Reads a text of any number of documents, separated by "---", into an array (owned); what is empty
 * is null. name: what it is called in an error's text. 0, -EINVAL (with line and column), -E2BIG.
 */
int yaml_read_documents(struct slice text, const char *name, struct json_object **ret_documents,
                        struct err *err);
