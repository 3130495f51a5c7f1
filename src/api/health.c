/* Whether the daemon works. That these run in the control thread is the proof. */
#include "api/op.h"
#include "api/route.h"
#include "base/json.h"

static void run_health(struct op_call *call)
{
    op_return(call, json_object_new_boolean(true));
}

extern const struct op op_health;
const struct op op_health = {
    .name = "health",
    .access = OP_PUBLIC,
    .get = true,
    .positionals = "",
    .help = "Tells whether the daemon's control loop runs.",
    .result = "true; false while the daemon starts or stops",
    .run = run_health,
};

static void run_healthz(struct api_call *call)
{
    struct json_object *body = json_object_new_object();
    json_set_str(body, "status", "ok");
    api_answer(call, 200, body);
}

extern const struct route route_healthz;
const struct route route_healthz = {
    .method = METHOD_GET,
    .path = "/healthz",
    .access = ROUTE_OPEN,
    .help = "Answers 200 when the daemon works, 503 while it starts or stops.",
    .body = "",
    .run = run_healthz,
};
