/* From the body and the query of a request to one JSON object, whatever way the client wrote them:
 * JSON, an HTML form, a multipart form with files. The bytes are a peer's. */
#pragma once

#include "base/slice.h"

struct err;
struct json_object;

/* The body by its content_type, then the fields of query over it; no body is {}, a body without a
 * type is taken for JSON, and so is the text of a JSON object that calls itself a form, which is
 * what "curl -d" sends. Fields of forms are strings. In a form:
 *  - a field "ctx" that holds the text of a JSON object becomes that object;
 *  - a file becomes {"name": ..., "base64": ..., "content-type": ...}, appended to a list under its
 *    field's name, inside ctx when that is an object, else at the top.
 *
 * 0 and the object (owned), or -EINVAL (malformed, or JSON that is no object), -ENOTSUP (another
 * content type), -E2BIG (too many fields), -ENOMEM. Pure. Source: the original's HTTP contract. */
int body_object(struct slice content_type, struct slice body, struct slice query,
                struct json_object **ret_object, struct err *err);

/* The HTTP status that says so to the client: 400, 413, 415, 503. */
int body_status(int failed);
