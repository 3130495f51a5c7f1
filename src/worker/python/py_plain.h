/* JSON for what is read and written before a worker is ready: the json module costs a fourth of the
 * time until then. Calls use py_json.h. */
#pragma once

#include "worker/python/py_api.h"

/* For the method table. parse(text) -> value, or ValueError; text(value) -> JSON text of None,
 * bool, int, float, str, list and dict with text keys, or TypeError. */
PyObject *py_plain_parse(PyObject *module, PyObject *text);
PyObject *py_plain_text(PyObject *module, PyObject *value);
