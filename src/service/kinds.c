/* All kinds of services. A row `service_NAME` ends the file of its kind; a declaration and a line
 * here make it one. What is needed stands before what needs it. */
#include "service/service_priv.h"

extern const struct service_ops service_redis;
extern const struct service_ops service_prometheus;
extern const struct service_ops service_node_exporter;
extern const struct service_ops service_grafana;
extern const struct service_ops service_mail;
extern const struct service_ops service_database;
extern const struct service_ops service_task;

const struct service_ops *const SERVICE_KINDS[] = {
    &service_redis, &service_prometheus, &service_node_exporter, &service_grafana,
    &service_mail,  &service_database,   &service_task,          NULL,
};
