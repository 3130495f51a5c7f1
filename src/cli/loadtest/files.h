/* What `jsorc loadtest` carries: the stand-ins, and the flows of the applications. */
#pragma once

#include "cli/init_files.h"

/* jsorc_standin.py, jsorc_flow.py, modules.json, and a NAME.json an application. Ended by a NULL
 * name. */
extern const struct embedded_file LOADTEST_FILES[];
