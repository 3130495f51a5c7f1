/* What `jsorc init` writes: the files of src/cli/init, put into the program by embed.py. */
#pragma once

#include "base/embed.h"

extern const struct embedded_file INIT_FILES[];
