/* The manifests that jsorc brings for backing services: the files of manifests/services. */
#pragma once

#include "base/embed.h"

extern const struct embedded_file SERVICE_MANIFESTS[];
