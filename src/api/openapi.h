/* The API's description in OpenAPI 3.1, made from the tables of operations and routes and from the
 * signatures of the live actions: nothing in it is written by hand. */
#pragma once

struct json_object;

/* actions: {"text.split": {"module": "text", "doc": "...", "params": [as in a worker's ready
 * line]}}; walkers: [{"name", "params", "doc"}], the latter two may be absent; both borrowed, NULL
 * = none. version: of the program. Owned by the caller. Pure. */
struct json_object *openapi_document(struct json_object *actions, struct json_object *walkers,
                                     const char *version);
