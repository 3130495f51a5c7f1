/* Grafana's files that the program carries: the dashboard, and what provisions it. */
#pragma once

#include "base/embed.h"

/* "jsorc.json" (the dashboard), "prometheus.yaml" (the data source), "jsorc.yaml" (where dashboards
 * are); ended by a NULL name. */
extern const struct embedded_file GRAFANA_FILES[];
