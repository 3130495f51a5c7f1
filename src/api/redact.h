/* Takes secrets out of what a log may keep. */
#pragma once

#include <stdbool.h>

struct json_object;

/* A copy of value (owned; NULL stays NULL) in which "***" stands for what is found under a secret
 * name: password, pass, token, auth, secret, api_key, webhook_key, authorization and names that end
 * in one of these after '_', in any case and depth, also inside texts that hold JSON; and for the
 * "value" of an object whose "name" or "field_key" is such a name. *ret_found: there was one. */
struct json_object *redact(struct json_object *value, bool *ret_found);
