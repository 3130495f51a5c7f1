/* An action or walker written in Python: its function and how a call's arguments reach it. A Python
 * object (_jsorc.Action) that never changes once it is made, except for stat. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "worker/python/py_api.h"

struct worker_action;
struct worker_stat;

enum py_kind { PY_PLAIN, PY_LIST, PY_KEYWORD, PY_DICT }; /* as in jsorc/_signature.py */

struct py_param { /* all owned */
    PyObject *name;
    PyObject *key;            /* in a body: the name with its stars */
    PyObject *fallback;       /* NULL = required, or a star */
    PyObject *convert;        /* NULL = takes every value */
    PyTypeObject *exact;      /* a value of this very type needs no converter; may be NULL */
    PyTypeObject *item_exact; /* then also its items; may be NULL */
    enum py_kind kind;
};

struct py_action {
    PyObject_HEAD PyObject *name; /* full name; owned */
    PyObject *function;           /* owned */
    PyObject *described;          /* list of jsorc._signature.Param, for the 422 body; owned */
    struct worker_stat *stat;     /* borrowed from the worker; NULL until it is added there */
    struct worker_action *entry;  /* likewise; NULL = its calls from inside are not counted */
    struct slice walker;          /* a walker's name, borrowed from name; empty for an action */
    struct py_param *params;      /* params[param_count]; owned */
    Py_ssize_t param_count;
    Py_ssize_t plain_count;
    bool wants_meta; /* a local call passes the caller's context as meta */
    bool has_keywords;
};

/* Adds the type to module. 0 or -1. */
int py_action_init(PyObject *module);

/* object as an action, or NULL with TypeError. Borrowed. */
struct py_action *py_action_from(PyObject *object);

/* What the arguments of a call become. */
struct py_bound {
    PyObject *args;   /* tuple; owned */
    PyObject *kwargs; /* dict or NULL; owned */
};

enum py_bind_result { PY_BIND_FAILED = -1 /* exception set */, PY_BIND_INVALID, PY_BIND_DONE };

/* Takes the arguments from a dict by the names of the spec. PY_BIND_INVALID: something is missing,
 * unknown or of a wrong type; py_hooks.invalid tells what. */
enum py_bind_result py_action_bind(const struct py_action *action, PyObject *arguments,
                                   struct py_bound *ret_bound);

void py_bound_done(struct py_bound *bound);
