/* JSON between bytes and Python objects, by the encoder that jsorc._codec found. */
#pragma once

#include "base/slice.h"
#include "worker/python/py_api.h"

#define PY_JSON_DEPTH_MAX 64 /* as in base/json.h: the same body must be good for every worker */

/* Loads the encoder if that was not done yet; 0 or -1. Loading takes some 15 ms. */
int py_json_prepare(void);

/* New reference. A body that is no JSON: NULL with a ValueError set. */
PyObject *py_json_loads(struct slice text);

/* New reference to a bytes object; NULL with the encoder's exception set. */
PyObject *py_json_dumps(PyObject *value);

/* Deeper than PY_JSON_DEPTH_MAX. Needs no GIL. */
bool py_json_too_deep(struct slice text);
