#include "worker/python/py_serve.h"

#include "base/clock.h"
#include "measure/call_stats.h"
#include "worker/python/py_action.h"
#include "worker/python/py_answer.h"
#include "worker/python/py_context.h"
#include "worker/python/py_json.h"
#include "worker/worker.h"

#define NOT_EXECUTED_NS 1 /* 0 would mean that the time was not measured */

/* ---- the GIL */

static __thread PyGILState_STATE gil_state;
static __thread PyThreadState *thread_state; /* NULL while the thread has the GIL */

static void thread_begin(void *arg)
{
    (void)arg;
    gil_state = PyGILState_Ensure();
    thread_state = PyEval_SaveThread();
}

static void thread_end(void *arg)
{
    (void)arg;
    PyEval_RestoreThread(thread_state);
    PyGILState_Release(gil_state);
}

static void enter(void *arg)
{
    (void)arg;
    PyEval_RestoreThread(thread_state);
}

static void leave(void *arg)
{
    (void)arg;
    thread_state = PyEval_SaveThread();
}

const struct worker_loader *py_serve_loader(void)
{
    static const struct worker_loader loader = {
        .kind = "python",
        .thread_begin = thread_begin,
        .thread_end = thread_end,
        .enter = enter,
        .leave = leave,
    };
    return &loader;
}

/* ---- calls */

static PyObject *invalid_arguments; /* exception class */

int py_serve_init(PyObject *module)
{
    invalid_arguments = PyErr_NewException("_jsorc.InvalidArguments", PyExc_ValueError, NULL);
    return invalid_arguments ? PyModule_AddObjectRef(module, "InvalidArguments", invalid_arguments)
                             : -1;
}

PyObject *py_invoke(PyObject *function, PyObject *args, PyObject *kwargs)
{
    PyObject *result = PyObject_Call(function, args, kwargs);
    if (result && (PyObject *)Py_TYPE(result) == py_hooks.coroutine_type) {
        CLEANUP(py_free) PyObject *coroutine = result;
        return PyObject_CallFunctionObjArgs(py_hooks.run_async, coroutine, NULL);
    }
    return result;
}

/* The request's body as a dict; NULL with the answer filled in. */
static PyObject *load_body(struct slice body, struct worker_answer *answer)
{
    if (body.size == 0) {
        PyObject *empty = PyDict_New();
        if (!empty) {
            py_answer_bytes(answer, 500, NULL);
        }
        return empty;
    }
    answer->exec_ns = NOT_EXECUTED_NS;
    CLEANUP(py_free) PyObject *loaded = py_json_loads(body);
    if (!loaded) {
        CLEANUP(py_free) PyObject *error = py_take_exception();
        py_answer_bytes(answer, 422, PyObject_CallFunctionObjArgs(py_hooks.not_json, error, NULL));
        return NULL;
    }
    if (!PyDict_Check(loaded)) {
        py_answer_bytes(answer, 422, PyObject_CallNoArgs(py_hooks.not_object));
        return NULL;
    }
    return TAKE(loaded);
}

static void answer_invalid(const struct py_action *action, PyObject *body,
                           struct worker_answer *answer)
{
    answer->exec_ns = NOT_EXECUTED_NS;
    py_answer_bytes(answer, 422,
                    PyObject_CallFunctionObjArgs(py_hooks.invalid, action->described, body, NULL));
}

void py_serve_action(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    const struct py_action *action = arg;
    CLEANUP(py_free) PyObject *body = load_body(call->body, answer);
    if (!body) {
        return;
    }
    struct py_bound bound;
    struct py_current current;
    py_current_begin(&current, call, action);
    switch (py_action_bind(action, body, &bound)) {
    case PY_BIND_INVALID:
        answer_invalid(action, body, answer);
        break;
    case PY_BIND_FAILED:
        py_answer_exception(answer, action->name);
        break;
    case PY_BIND_DONE: {
        uint64_t start_ns = clock_now_ns();
        CLEANUP(py_free) PyObject *result = py_invoke(action->function, bound.args, bound.kwargs);
        answer->exec_ns = clock_now_ns() - start_ns;
        if (result) {
            py_answer_value(answer, 200, action->name, result);
        } else {
            py_answer_exception(answer, action->name);
        }
        py_bound_done(&bound);
        break;
    }
    }
    py_current_end(&current);
}

/* made: (status, content type, header lines, body), which the answer keeps; taken over. False with
 * an exception set: it is something else. */
static bool answer_response(struct worker_answer *answer, PyObject *made)
{
    int status;
    const char *content_type;
    PyObject *headers, *body;
    if (!PyArg_ParseTuple(made, "izO!O!", &status, &content_type, &PyBytes_Type, &headers,
                          &PyBytes_Type, &body)) {
        Py_DECREF(made);
        return false;
    }
    answer->status = status;
    answer->content_type = content_type;
    answer->headers = (struct slice){PyBytes_AsString(headers), (size_t)PyBytes_Size(headers)};
    answer->body = (struct slice){PyBytes_AsString(body), (size_t)PyBytes_Size(body)};
    py_answer_keep(answer, made);
    return true;
}

/* ---- walkers */

/* made: (status, value), or a response as above; taken over. */
static bool answer_walker(struct worker_answer *answer, PyObject *made, PyObject *who)
{
    if (PyTuple_Size(made) > 2) {
        return answer_response(answer, made);
    }
    CLEANUP(py_free) PyObject *kept = made;
    int status;
    PyObject *value;
    if (!PyArg_ParseTuple(kept, "iO", &status, &value)) {
        return false;
    }
    py_answer_value(answer, status, who, value);
    return true;
}

void py_serve_walker(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    CLEANUP(py_free) PyObject *body = load_body(call->body, answer);
    if (!body) {
        return;
    }
    struct py_current current;
    py_current_begin(&current, call, NULL);
    struct py_context *context = py_current_context(&current);
    CLEANUP(py_free)
    PyObject *name =
        call->route == WORKER_WAPI
            ? PyUnicode_DecodeUTF8(call->name.data, (Py_ssize_t)call->name.size, "replace")
            : Py_NewRef(Py_None);
    PyObject *made =
        context && name
            ? PyObject_CallFunctionObjArgs((PyObject *)arg, (PyObject *)context, name, body, NULL)
            : NULL;
    CLEANUP(py_free) PyObject *who = PyUnicode_FromString("walker_run");
    if (made && answer_walker(answer, made, who)) {
        answer->exec_ns = context->exec_ns;
        answer->failed = context->failed || call_status_failed(answer->status);
        answer->walker = context->walker_name;
    } else {
        py_answer_exception(answer, who);
    }
    py_current_end(&current);
}

/* The walker's context while its function runs: from the thread, which runs only this walker. */
static PyObject *call_counted(const struct py_action *action, const struct py_bound *bound,
                              struct py_context *context)
{
    struct origin *origin = origin_current();
    struct slice outer = origin ? origin->walker : (struct slice){0};
    if (origin) {
        origin->walker = action->walker;
    }
    uint64_t start_ns = clock_now_ns();
    PyObject *result = py_invoke(action->function, bound->args, bound->kwargs);
    uint64_t exec_ns = clock_now_ns() - start_ns;
    if (origin) {
        origin->walker = outer;
    }
    context->exec_ns = exec_ns;
    if (action->stat) {
        worker_stat_add(action->stat, exec_ns, result == NULL);
    }
    return result;
}

PyObject *py_serve_bind_call(PyObject *module, PyObject *args)
{
    PyObject *object, *arguments;
    if (!PyArg_ParseTuple(args, "OO!", &object, &PyDict_Type, &arguments)) {
        return NULL;
    }
    const struct py_action *action = py_action_from(object);
    CLEANUP(py_free) PyObject *context = action ? py_context_get(module, NULL) : NULL;
    if (!context) {
        return NULL;
    }
    ((struct py_context *)context)->walker_name = action->walker;
    struct py_bound bound;
    enum py_bind_result result = py_action_bind(action, arguments, &bound);
    if (result == PY_BIND_DONE) {
        PyObject *value = call_counted(action, &bound, (struct py_context *)context);
        py_bound_done(&bound);
        return value;
    }
    if (result == PY_BIND_INVALID) {
        CLEANUP(py_free)
        PyObject *entries = PyObject_CallFunctionObjArgs(py_hooks.invalid_entries,
                                                         action->described, arguments, NULL);
        if (entries) {
            PyErr_SetObject(invalid_arguments, entries);
        }
    }
    return NULL;
}

/* ---- endpoints */

void py_serve_endpoint(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    struct py_current current;
    py_current_begin(&current, call, NULL);
    CLEANUP(py_free)
    PyObject *path = PyUnicode_DecodeUTF8(call->name.data, (Py_ssize_t)call->name.size, "replace");
    CLEANUP(py_free)
    PyObject *query =
        PyUnicode_DecodeUTF8(call->query.data, (Py_ssize_t)call->query.size, "replace");
    PyObject *made =
        path && query ? PyObject_CallFunctionObjArgs((PyObject *)arg, path, query, NULL) : NULL;
    if (!made || !answer_response(answer, made)) {
        CLEANUP(py_free) PyObject *who = PyUnicode_FromString("endpoint");
        py_answer_exception(answer, who);
    }
    py_current_end(&current);
}
