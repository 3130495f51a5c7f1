/* The Python C API as this extension uses it: the limited API of CPython 3.11, so that one file
 * serves that and every later version. All functions of the py_*.h headers need the GIL unless they
 * say otherwise, and signal a Python exception by NULL or -1 with the exception set. */
#pragma once

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000 /* 3.11: the first with the buffer protocol in it */
#include <Python.h>
#include <structmember.h>

#include "base/cleanup.h"

static inline PyObject *py_free(PyObject *object)
{
    Py_XDECREF(object);
    return NULL;
}

/* CLEANUP(py_free) PyObject *x = a new reference. */
DEFINE_CLEANUP(PyObject *, py_free)

/* Functions written in Python that handle what is rare; set once by _jsorc.install. Borrowed from
 * here on: the extension is never unloaded. */
struct py_hooks {
    PyObject *for_exception;   /* (name, error) -> (status, body, header lines) */
    PyObject *encode;          /* (name, value, error) -> (status, body) */
    PyObject *not_json;        /* (error) -> body of a 422 */
    PyObject *not_object;      /* () -> body of a 422 */
    PyObject *invalid;         /* (params, arguments) -> body of a 422 */
    PyObject *invalid_entries; /* (params, arguments) -> its list */
    PyObject *call;            /* (name, args, kwargs) -> result of an action that is elsewhere */
    PyObject *call_with_meta;  /* (function, args, kwargs) -> result */
    PyObject *failed_here;     /* (name, params, args, kwargs, error) -> (status, value, error) */
    PyObject *run_async;       /* (coroutine) -> result */
    PyObject *add_nested;      /* (ns): async code was blocked by a call */
    PyObject *current;         /* () -> context of async code, or None */
    PyObject *default_value;   /* (value) -> plain value; the encoder's default */
    PyObject *coroutine_type;
    PyObject *invalid_type; /* class of the exception that converters raise */
    PyObject *load_codec;   /* () -> (loads, dumps, options, options for odd keys) */
};

extern struct py_hooks py_hooks;
