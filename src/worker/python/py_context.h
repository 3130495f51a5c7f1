/* The call that a thread is executing: what jsorc.context() and jsorc.report() speak about. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "worker/origin.h"
#include "worker/python/py_api.h"

struct py_action;
struct worker_call;

/* The Python object _jsorc.Context, made when somebody asks for it, or when a walker runs. */
struct py_context {
    PyObject_HEAD PyObject *action; /* name of the action; owned; NULL in a walker */
    PyObject *walker;               /* name of the walker; owned; NULL in an action */
    PyObject *reports;              /* list; owned */
    PyObject *report_custom;        /* owned; NULL = none */
    PyObject *report_file;          /* likewise */
    PyObject *headers;              /* dict; owned; NULL until read */
    int status_code;                /* 0 = not set */
    bool failed;                    /* count the run as an error */
    unsigned long long exec_ns;     /* of the walker's function */
    struct slice walker_name;       /* as walker, of the worker that runs it; lives as long */
    char owner[STATS_NAME_MAX + 1]; /* of the call, as origin_walker told it at first */
    const struct worker_call *call; /* borrowed; NULL once the call is over */
};

/* On the stack of the function that executes a call. */
struct py_current {
    const struct worker_call *call;
    const struct py_action *action;
    struct py_context *context; /* owned; NULL until asked for */
    struct py_current *outer;
};

/* Adds the type to module. 0 or -1. */
int py_context_init(PyObject *module);

/* Makes current the thread's call until py_current_end, which also releases its context. */
void py_current_begin(struct py_current *current, const struct worker_call *call,
                      const struct py_action *action);
void py_current_end(struct py_current *current);

/* The context of current, made on first use; borrowed. NULL = no memory. */
struct py_context *py_current_context(struct py_current *current);

struct py_behalf { /* on the stack; begin .. end as brackets */
    bool begun;
    struct origin origin;
    char walker[STATS_NAME_MAX + 1];
    char lines[ORIGIN_LINES_MAX];
};

/* Async code, and threads that carry a context on, work for a request that another thread answers:
 * makes its origin (origin.h) the thread's, and what it waits for others is waited by the async
 * call. Nothing where there is one. begin: no exception may be pending. None is set. */
void py_behalf_begin(struct py_behalf *behalf);
void py_behalf_end(struct py_behalf *behalf);

/* For the method table: context(), context_or_none(), report(value). */
PyObject *py_context_get(PyObject *module, PyObject *unused);
PyObject *py_context_get_or_none(PyObject *module, PyObject *unused);
PyObject *py_context_report(PyObject *module, PyObject *value);
