/* What prometheus.c and node_exporter.c share: one password for both processes, in files that
 * exporter-toolkit and Prometheus read. Job thread. */
#pragma once

#include "service/service_priv.h"

struct err;
struct fetch_reply;
struct json_object;

#define PROMETHEUS_USER "jsorc"
#define PROMETHEUS_PATH "/prometheus" /* at its server and at the daemon, so that its links fit */

/* The folder of Prometheus' own data, also from the node exporter's job; owned by the caller. */
char *prometheus_folder(const struct service_job *job);

/* "jsorc:PASSWORD"; owned by the caller; NULL = there is none yet. */
char *prometheus_own_user(const struct service_job *job);

/* Writes web.yml, which asks for that password, into the job's folder. 0 or -errno. */
int prometheus_put_web_config(struct service_job *job, const char *path, struct err *err);

char *prometheus_root_url(const struct service_job *job);
char *prometheus_user(const struct service_job *job);

/* One exchange below its root. 0 with a reply of status 200, or -EIO; *ret_status as it came, 0 =
 * no answer. */
int prometheus_get(const struct service_job *job, const char *path, struct fetch_reply *ret,
                   int *ret_status, struct err *err);

extern const struct service_method PROMETHEUS_METHODS[]; /* ended by NULL */

/* What the file prometheus.yml says, as JSON, which is YAML; owned by the caller. */
struct json_object *prometheus_config(const struct service_job *job);

/* The text of web.yml, which asks for that password; owned by the caller; NULL with err. */
char *prometheus_web_config(const char *password, struct err *err);

/* Of the built-in manifest of Prometheus: struct service_ops. */
int prometheus_fill(const struct service_job *job, struct json_object *config, struct err *err);

/* A free port for the job's process: wanted (0 = any), else as last time if it can be; kept in the
 * file "port" of its folder. 0 or -errno. */
int prometheus_choose_port(struct service_job *job, int wanted, struct err *err);
