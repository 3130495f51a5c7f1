#include "base/alloc.h"
#include "base/json.h"
#include "base/utf8.h"
#include "worker/worker.h"

static void put_owner(void *owner)
{
    (void)json_put(owner);
}

static void put_text(struct json_object *object, const char *name, const char *text)
{
    CLEANUP(str_free) char *copy = xstrdup(text);
    utf8_repair(copy, strlen(copy));
    json_set_str(object, name, copy);
}

static void hold(struct worker_answer *answer, int status, struct json_object *body)
{
    *answer = (struct worker_answer){
        .status = status,
        .content_type = "application/json",
        .body = slice_str(json_text(body)),
        .exec_ns = answer->exec_ns,
        .nested_ns = answer->nested_ns,
        .release = put_owner,
        .owner = body,
    };
}

void worker_answer_error(struct worker_answer *answer, int status, const char *type,
                         const char *text)
{
    struct json_object *body = json_object_new_object();
    put_text(body, "detail", text);
    put_text(body, "type", type);
    hold(answer, status, body);
}

void worker_answer_invalid(struct worker_answer *answer, const char *field, int64_t index,
                           const char *msg, const char *type)
{
    bool more = answer->status == 422 && answer->release == put_owner;
    struct json_object *body = more ? answer->owner : json_object_new_object();
    struct json_object *list = json_member(body, "detail", json_type_array);
    if (!list) {
        list = json_object_new_array();
        json_set(body, "detail", list);
    }
    struct json_object *loc = json_object_new_array();
    (void)json_object_array_add(loc, json_object_new_string("body"));
    if (field) {
        CLEANUP(str_free) char *copy = xstrdup(field);
        utf8_repair(copy, strlen(copy));
        (void)json_object_array_add(loc, json_object_new_string(copy));
    }
    if (index >= 0) {
        (void)json_object_array_add(loc, json_object_new_int64(index));
    }
    struct json_object *entry = json_object_new_object();
    json_set(entry, "loc", loc);
    put_text(entry, "msg", msg);
    put_text(entry, "type", type);
    (void)json_object_array_add(list, entry);
    hold(answer, 422, body);
}
