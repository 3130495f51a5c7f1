/* All paths of the API that are no operations. A row `route_NAME` ends the file of its resource; a
 * declaration and a line here make it one; OpenAPI follows. */
#include "api/route.h"

extern const struct route route_actions_spec;
extern const struct route route_healthz;
extern const struct route route_metrics;
extern const struct route route_openapi;
extern const struct route route_grafana_get;
extern const struct route route_grafana_post;
extern const struct route route_prometheus_get;
extern const struct route route_prometheus_post;
extern const struct route route_user_activate;
extern const struct route route_user_create;
extern const struct route route_user_create_super;
extern const struct route route_user_logout_everyone;
extern const struct route route_user_manage;
extern const struct route route_user_patch;
extern const struct route route_user_put;
extern const struct route route_user_reset;
extern const struct route route_user_reset_confirm;
extern const struct route route_user_show;
extern const struct route route_user_token;
extern const struct route route_wapi;

const struct route *const ROUTE_TABLE[] = {
    &route_actions_spec,
    &route_healthz,
    &route_metrics,
    &route_openapi,
    &route_grafana_get,
    &route_grafana_post,
    &route_prometheus_get,
    &route_prometheus_post,
    &route_user_activate,
    &route_user_create,
    &route_user_create_super,
    &route_user_logout_everyone,
    &route_user_manage,
    &route_user_patch,
    &route_user_put,
    &route_user_reset,
    &route_user_reset_confirm,
    &route_user_show,
    &route_user_token,
    &route_wapi,
    NULL,
};
