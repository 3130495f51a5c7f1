#include "api/redact.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

#define MASK "***"

static bool name_is_secret(const char *name)
{
    static const char *const secrets[] = {"password", "pass",        "token",         "auth",
                                          "api_key",  "webhook_key", "authorization", "secret"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        size_t size = strlen(secrets[i]);
        if (length >= size && strcasecmp(name + length - size, secrets[i]) == 0 &&
            (length == size || name[length - size - 1] == '_')) {
            return true;
        }
    }
    return false;
}

/* {"name": "EMAIL_HOST_PASSWORD", "value": ...}, {"field_key": "password", "field_value": ...} */
static bool value_is_secret(struct json_object *object, const char *name)
{
    const char *key = NULL;
    if (strcmp(name, "value") == 0) {
        key = json_str(object, "name");
    } else if (strcmp(name, "field_value") == 0) {
        key = json_str(object, "field_key");
    }
    return key && name_is_secret(key);
}

static struct json_object *redact_text(struct json_object *text, bool *ret_found);

static struct json_object *redact_object(struct json_object *object, bool *ret_found)
{
    struct json_object *copy = json_object_new_object();
    json_object_object_foreach(object, name, member)
    {
        bool secret = member && (name_is_secret(name) || value_is_secret(object, name));
        *ret_found |= secret;
        json_set(copy, name, secret ? json_object_new_string(MASK) : redact(member, ret_found));
    }
    return copy;
}

struct json_object *redact(struct json_object *value, bool *ret_found)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return redact_object(value, ret_found);
    case json_type_array: {
        struct json_object *copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *item = json_object_array_get_idx(value, i);
            (void)json_object_array_add(copy, redact(item, ret_found));
        }
        return copy;
    }
    case json_type_string:
        return redact_text(value, ret_found);
    default:
        return json_ref(value);
    }
}

/* Configs travel as the JSON text of an object. */
static struct json_object *redact_text(struct json_object *text, bool *ret_found)
{
    struct slice slice = {json_object_get_string(text), (size_t)json_object_get_string_len(text)};
    CLEANUP(json_put) struct json_object *parsed = NULL;
    if (slice.size == 0 || !strchr("{[", slice.data[0]) || json_parse(slice, &parsed, NULL) < 0) {
        return json_ref(text);
    }
    bool found = false;
    CLEANUP(json_put) struct json_object *clean = redact(parsed, &found);
    *ret_found |= found;
    return found ? json_object_new_string(json_text(clean)) : json_ref(text);
}
