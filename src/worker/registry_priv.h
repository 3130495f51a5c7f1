/* Shared by registry.c (modules and actions) and registry_entries.c (walkers and endpoints). */
#pragma once

#include "worker/registry.h"

/* NULL = not there. */
struct worker_module *registry_module(const struct registry *registry, const char *name);

/* A part of a path: no separator, nothing that a log or a header could trip over. */
bool registry_name_ok(const char *name);
