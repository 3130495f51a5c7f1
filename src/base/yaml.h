/* YAML (and JSON, which is a part of it) files as JSON values, by libfyaml. */
#pragma once

struct err;
struct json_object;

#define YAML_BYTES_MAX (16 * 1024 * 1024) /* a configuration beyond this is something else */

/* Reads a file of one document. 0 and the value (owned; NULL for an empty document), -errno of
 * reading, or -EINVAL with file, line and column in the text. */
int yaml_read_file(const char *path, struct json_object **ret_value, struct err *err);
