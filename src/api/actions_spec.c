/* The list of an action server, for all actions that the daemon reaches: how workers and clients
 * learn the order of parameters, and which of them have stars. */
#include "api/api.h"
#include "api/route.h"
#include "base/json.h"
#include "control/control.h"

static struct json_object *names_of(struct json_object *params)
{
    struct json_object *names = json_object_new_array();
    size_t count = params ? json_object_array_length(params) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_str(json_object_array_get_idx(params, i), "name");
        (void)json_object_array_add(names, json_object_new_string(name ? name : ""));
    }
    return names;
}

static void run_actions_spec(struct api_call *call)
{
    CLEANUP(json_put) struct json_object *actions = control_actions_full(api_of(call)->control);
    struct json_object *spec = json_object_new_object();
    json_object_object_foreach(actions, action, entry)
    {
        json_set(spec, action, names_of(json_member(entry, "params", json_type_array)));
    }
    api_answer(call, 200, spec);
}

extern const struct route route_actions_spec;
const struct route route_actions_spec = {
    .method = METHOD_GET,
    .path = "/jaseci_actions_spec/",
    .access = ROUTE_OPEN,
    .help = "Name of each action and its parameters' names in order, stars included.",
    .body = "",
    .run = run_actions_spec,
};
