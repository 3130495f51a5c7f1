#include "worker/python/py_answer.h"

#include "worker/python/py_json.h"
#include "worker/worker.h"

static void release_object(void *owner)
{
    Py_DECREF((PyObject *)owner);
}

void py_answer_keep(struct worker_answer *answer, PyObject *owner)
{
    answer->owner = owner;
    answer->release = release_object;
}

PyObject *py_take_exception(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (!type) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &trace);
    if (value && trace) {
        (void)PyException_SetTraceback(value, trace);
    }
    Py_DECREF(type);
    Py_XDECREF(trace);
    return value;
}

/* When even telling the failure failed. */
static void answer_desperate(struct worker_answer *answer)
{
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(NULL);
    }
    worker_answer_error(answer, 500, "Error",
                        "the call failed, and so did telling why; see the log");
}

void py_answer_bytes(struct worker_answer *answer, int status, PyObject *bytes)
{
    char *data;
    Py_ssize_t size;
    if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size) < 0) {
        Py_XDECREF(bytes);
        answer_desperate(answer);
        return;
    }
    answer->status = status;
    answer->body = (struct slice){data, (size_t)size};
    py_answer_keep(answer, bytes);
}

/* The value is nothing that the fast encoder takes; its exception is set. */
static void answer_slowly(struct worker_answer *answer, int status, PyObject *name, PyObject *value)
{
    CLEANUP(py_free) PyObject *error = py_take_exception();
    CLEANUP(py_free)
    PyObject *made = PyObject_CallFunctionObjArgs(py_hooks.encode, name, value, error, NULL);
    int made_status;
    PyObject *body;
    if (!made || !PyArg_ParseTuple(made, "iO!", &made_status, &PyBytes_Type, &body)) {
        answer_desperate(answer);
        return;
    }
    py_answer_bytes(answer, made_status == 200 ? status : made_status, Py_NewRef(body));
}

void py_answer_value(struct worker_answer *answer, int status, PyObject *name, PyObject *value)
{
    PyObject *bytes = py_json_dumps(value);
    if (bytes) {
        py_answer_bytes(answer, status, bytes);
    } else {
        answer_slowly(answer, status, name, value);
    }
}

void py_answer_exception(struct worker_answer *answer, PyObject *name)
{
    CLEANUP(py_free) PyObject *error = py_take_exception();
    if (!error) {
        answer_desperate(answer);
        return;
    }
    CLEANUP(py_free)
    PyObject *made = PyObject_CallFunctionObjArgs(py_hooks.for_exception, name, error, NULL);
    int status;
    PyObject *body, *headers;
    if (!made ||
        !PyArg_ParseTuple(made, "iO!O!", &status, &PyBytes_Type, &body, &PyBytes_Type, &headers)) {
        answer_desperate(answer);
        return;
    }
    char *header_lines;
    Py_ssize_t header_size;
    if (PyBytes_AsStringAndSize(headers, &header_lines, &header_size) < 0) {
        answer_desperate(answer);
        return;
    }
    py_answer_bytes(answer, status, Py_NewRef(body));
    answer->headers = (struct slice){header_lines, (size_t)header_size};
    /* Body and headers both lie in the tuple: it is kept instead of the body alone. */
    Py_DECREF((PyObject *)answer->owner);
    py_answer_keep(answer, TAKE(made));
}
