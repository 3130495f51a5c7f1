/* The functions that the worker's core runs for a request, and the hooks around them that take and
 * give back the GIL. */
#pragma once

#include "worker/python/py_api.h"

struct worker_answer;
struct worker_call;
struct worker_loader;

/* Filled in; lives as long as the program. */
const struct worker_loader *py_serve_loader(void);

/* arg: struct py_action, borrowed. */
void py_serve_action(void *arg, const struct worker_call *call, struct worker_answer *answer);

/* arg: a Python callable (context, name or None, body) -> (status, value), borrowed. */
void py_serve_walker(void *arg, const struct worker_call *call, struct worker_answer *answer);

/* arg: a Python callable (path, query) -> (status, content type, header lines, body), borrowed. */
void py_serve_endpoint(void *arg, const struct worker_call *call, struct worker_answer *answer);

/* bind_call(action, arguments): calls a walker's function for the context that is current and
 * counts the call. Arguments that do not fit: InvalidArguments(list of the 422's entries). */
PyObject *py_serve_bind_call(PyObject *module, PyObject *args);

/* Adds InvalidArguments to module. 0 or -1. */
int py_serve_init(PyObject *module);

/* Calls function; the result of an async function is waited for. args: tuple; kwargs may be NULL.
 */
PyObject *py_invoke(PyObject *function, PyObject *args, PyObject *kwargs);
