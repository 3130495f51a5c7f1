/* Manifests that an operation is given: texts, files and uploads, read in a job. */
#pragma once

struct api;
struct err;
struct json_object;

/* files: a path of the daemon's host or YAML text, {"text"} or {"base64"} of an upload, or a list
 * of these; borrowed. fn runs in the control thread: documents (borrowed) of all of them in one
 * array, or NULL with what is wrong. */
typedef void (*documents_fn)(void *arg, struct json_object *documents, const char *error);
void documents_read(struct api *api, struct json_object *files, documents_fn fn, void *arg);
