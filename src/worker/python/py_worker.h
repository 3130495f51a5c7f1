/* _jsorc.Worker: the worker's core as a Python object, for jsorc._serve. One a process. */
#pragma once

#include "worker/python/py_api.h"

/* Adds the type to module. 0 or -1. */
int py_worker_init(PyObject *module);
