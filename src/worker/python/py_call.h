/* jsorc.call: an action by its name, wherever its module is. Methods of the module, for its table.
 */
#pragma once

#include <stdbool.h>

#include "worker/python/py_api.h"

struct worker;

/* Name -> _jsorc.Action of this process; borrowed. */
PyObject *py_call_table(void);

/* 0 or -1. */
int py_call_init(void);

/* Calls go to worker's daemon, and to its native actions, from here on; borrowed; NULL = no more.
 */
void py_call_set_worker(struct worker *worker, PyObject *daemon_path);

PyObject *py_call(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *py_call_native_params(PyObject *module, PyObject *name);
PyObject *py_call_native(PyObject *module, PyObject *args);
PyObject *py_call_remote(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *py_call_count(PyObject *module, PyObject *args);
PyObject *py_call_begins(PyObject *module, PyObject *unused);
PyObject *py_call_add_nested(PyObject *module, PyObject *number);
PyObject *py_call_serving(PyObject *module, PyObject *unused);
PyObject *py_call_daemon_path(PyObject *module, PyObject *unused);
PyObject *py_call_waits(PyObject *module, PyObject *unused);
