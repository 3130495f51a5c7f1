#include "worker/python/py_call.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "measure/call_stats.h"
#include "worker/python/py_action.h"
#include "worker/python/py_answer.h"
#include "worker/python/py_context.h"
#include "worker/python/py_serve.h"
#include "worker/worker.h"

static PyObject *table;          /* dict: name -> Action; owned */
static struct worker *serving;   /* borrowed; NULL before the start and in other programs */
static PyObject *path_of_daemon; /* owned; NULL = none */

int py_call_init(void)
{
    table = PyDict_New();
    return table ? 0 : -1;
}

PyObject *py_call_table(void)
{
    return table;
}

void py_call_set_worker(struct worker *worker, PyObject *daemon_path)
{
    serving = worker;
    path_of_daemon = Py_XNewRef(daemon_path);
}

/* ---- a call in the process */

/* The arguments after the name as a tuple; new reference. */
static PyObject *positional(PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count - 1);
    for (Py_ssize_t i = 1; tuple && i < count; i++) {
        if (PyTuple_SetItem(tuple, i - 1, Py_NewRef(args[i])) < 0) {
            return py_free(tuple);
        }
    }
    return tuple;
}

/* values[size of names], as a dict; new reference. */
static PyObject *keywords(PyObject *const *values, PyObject *names)
{
    PyObject *dict = PyDict_New();
    Py_ssize_t count = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; dict && i < count; i++) {
        if (PyDict_SetItem(dict, PyTuple_GetItem(names, i), values[i]) < 0) {
            return py_free(dict);
        }
    }
    return dict;
}

static void count(const struct py_action *action, uint64_t exec_ns, uint64_t nested_ns, bool failed)
{
    worker_count_call(action->entry, origin_walker(origin_current()), exec_ns, nested_ns, failed);
}

static PyObject *invoke_here(const struct py_action *action, PyObject *args, PyObject *kwargs)
{
    return action->wants_meta
               ? PyObject_CallFunctionObjArgs(py_hooks.call_with_meta, action->function, args,
                                              kwargs ? kwargs : Py_None, NULL)
               : py_invoke(action->function, args, kwargs);
}

/* What the exception in an action becomes for its caller, who must not be able to tell that the
 * action is here. *ret_status: as its answer would have it; 0 = nothing was executed. */
static PyObject *tell_failure(const struct py_action *action, PyObject *args, PyObject *kwargs,
                              int *ret_status)
{
    CLEANUP(py_free) PyObject *error = py_take_exception();
    CLEANUP(py_free)
    PyObject *made =
        error ? PyObject_CallFunctionObjArgs(py_hooks.failed_here, action->name, action->described,
                                             args, kwargs ? kwargs : Py_None, error, NULL)
              : NULL;
    PyObject *value, *seen;
    *ret_status = 500;
    if (!made || !PyArg_ParseTuple(made, "iOO", ret_status, &value, &seen)) {
        return NULL;
    }
    if (seen == Py_None) {
        return Py_NewRef(value);
    }
    PyErr_SetObject((PyObject *)Py_TYPE(seen), seen);
    return NULL;
}

static PyObject *call_here(const struct py_action *action, PyObject *args, PyObject *kwargs)
{
    int status = 200;
    struct py_behalf behalf;
    py_behalf_begin(&behalf);
    struct origin *origin = origin_current();
    uint64_t outer_ns = origin ? origin->nested_ns : 0; /* the calls before this one */
    uint64_t start_ns = clock_now_ns();
    PyObject *result = invoke_here(action, args, kwargs);
    uint64_t exec_ns = clock_now_ns() - start_ns;
    if (!result) {
        result = tell_failure(action, args, kwargs, &status);
    }
    if (action->entry && status != 0) {
        count(action, exec_ns, origin ? origin->nested_ns - outer_ns : 0,
              call_status_failed(status));
    }
    if (origin) {
        origin->nested_ns = outer_ns + exec_ns; /* its own nested calls are part of it */
    }
    py_behalf_end(&behalf);
    return result;
}

/* ---- a call that may leave the process */

/* Where the thread's call that left the process went, for who measures it. */
static __thread struct {
    uint64_t began_ns;
    bool left;
    enum worker_place place;
} departure;

/* call_begins(): what went before in this call of an action elsewhere was done once for all. */
PyObject *py_call_begins(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    departure.began_ns = clock_now_ns();
    return Py_NewRef(Py_None);
}

static PyObject *call_elsewhere(PyObject *name, PyObject *args, PyObject *kwargs)
{
    departure.left = false;
    departure.began_ns = clock_now_ns();
    uint64_t start_ns = departure.began_ns;
    PyObject *result = PyObject_CallFunctionObjArgs(py_hooks.call, name, args, kwargs, NULL);
    uint64_t now_ns = clock_now_ns();
    if (!departure.left || !serving) {
        return result;
    }
    departure.left = false;
    PyObject *type, *value, *trace; /* a failure's */
    PyErr_Fetch(&type, &value, &trace);
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text) {
        struct py_behalf behalf;
        py_behalf_begin(&behalf);
        worker_count_remote(serving, (struct slice){text, (size_t)size},
                            &(struct worker_wait){.place = departure.place,
                                                  .seen_ns = now_ns - departure.began_ns,
                                                  .waited_ns = now_ns - start_ns,
                                                  .failed = result == NULL});
        py_behalf_end(&behalf);
    }
    PyErr_Restore(type, value, trace);
    return result;
}

PyObject *py_call(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    (void)module;
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "call() needs the name of an action");
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(table, args[0]);
    if (!found && PyErr_Occurred()) {
        return NULL;
    }
    CLEANUP(py_free) PyObject *rest = positional(args, count);
    CLEANUP(py_free)
    PyObject *named = rest && (names || !found) ? keywords(args + count, names) : NULL;
    if (!rest || ((names || !found) && !named)) {
        return NULL;
    }
    if (found) {
        return call_here((struct py_action *)found, rest, named);
    }
    return call_elsewhere(args[0], rest, named);
}

/* ---- a call of a native action, or of one that is elsewhere */

static struct worker_action *find_native(PyObject *name)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (!text) {
        return NULL;
    }
    struct worker_action *action =
        serving ? worker_action_find(serving, (struct slice){text, (size_t)size}) : NULL;
    return action && worker_action_loader(action) != py_serve_loader() ? action : NULL;
}

/* native_params(name): JSON bytes of the parameters, None = no native action of this worker. */
PyObject *py_call_native_params(PyObject *module, PyObject *name)
{
    (void)module;
    const struct worker_action *action = find_native(name);
    if (!action) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return PyBytes_FromString(worker_action_params(action));
}

static PyObject *answer_tuple(const struct worker_answer *answer)
{
    return Py_BuildValue("iy#", answer->status, answer->body.data ? answer->body.data : "",
                         (Py_ssize_t)answer->body.size);
}

/* native_call(name, body) -> (status, body) */
PyObject *py_call_native(PyObject *module, PyObject *args)
{
    PyObject *name;
    const char *body;
    Py_ssize_t size;
    (void)module;
    if (!PyArg_ParseTuple(args, "Uy#", &name, &body, &size)) {
        return NULL;
    }
    struct worker_action *action = find_native(name);
    if (!action) {
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_LookupError, "no action '%U'", name);
    }
    struct worker_answer answer;
    struct py_behalf behalf;
    py_behalf_begin(&behalf);
    Py_BEGIN_ALLOW_THREADS worker_action_call(serving, action, (struct slice){body, (size_t)size},
                                              &answer);
    Py_END_ALLOW_THREADS py_behalf_end(&behalf);
    PyObject *made = answer_tuple(&answer);
    Py_BEGIN_ALLOW_THREADS worker_answer_release(action, &answer);
    Py_END_ALLOW_THREADS return made;
}

static PyObject *raise_os_error(int code, const char *text)
{
    CLEANUP(py_free) PyObject *arguments = Py_BuildValue("is", code, text);
    if (arguments) {
        PyErr_SetObject(PyExc_OSError, arguments);
    }
    return NULL;
}

/* remote_call(name, body, timeout_ms=0) -> (status, body), or OSError */
PyObject *py_call_remote(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "body", "timeout_ms", NULL};
    const char *name, *body;
    Py_ssize_t name_size, body_size;
    unsigned long long timeout_ms = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#y#|K", names, &name, &name_size, &body,
                                     &body_size, &timeout_ms)) {
        return NULL;
    }
    if (!serving) {
        return raise_os_error(ENOTCONN, "this process is not a worker that could ask others");
    }
    struct worker_answer answer;
    struct err err = {0};
    int code;
    struct py_behalf behalf;
    py_behalf_begin(&behalf);
    Py_BEGIN_ALLOW_THREADS code =
        worker_remote_call(serving, (struct slice){name, (size_t)name_size},
                           (struct slice){body, (size_t)body_size}, timeout_ms, &answer, &err);
    Py_END_ALLOW_THREADS py_behalf_end(&behalf);
    departure.left = true;
    departure.place = code < 0 ? WORKER_PLACE_UNKNOWN : answer.place;
    if (code < 0) {
        return raise_os_error(-code, err.text[0] ? err.text : strerror(-code));
    }
    PyObject *made = answer_tuple(&answer);
    worker_remote_release(&answer);
    return made;
}

/* count_call(name, exec_ns, nested_ns, failed): of a coroutine that was awaited where it was
 * called. */
PyObject *py_call_count(PyObject *module, PyObject *args)
{
    PyObject *name;
    unsigned long long exec_ns, nested_ns;
    int failed;
    (void)module;
    if (!PyArg_ParseTuple(args, "UKKp", &name, &exec_ns, &nested_ns, &failed)) {
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(table, name);
    if (!found || !((struct py_action *)found)->entry) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    struct py_behalf behalf;
    py_behalf_begin(&behalf);
    count((struct py_action *)found, exec_ns, nested_ns < exec_ns ? nested_ns : exec_ns, failed);
    py_behalf_end(&behalf);
    return Py_NewRef(Py_None);
}

/* add_nested(ns): the current call has waited so long for others, in async code. */
PyObject *py_call_add_nested(PyObject *module, PyObject *number)
{
    (void)module;
    unsigned long long nested_ns = PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred()) {
        return NULL;
    }
    origin_add_nested(nested_ns);
    return Py_NewRef(Py_None);
}

PyObject *py_call_serving(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(serving != NULL);
}

PyObject *py_call_daemon_path(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_NewRef(path_of_daemon ? path_of_daemon : Py_None);
}

/* thread_waits(): this thread waits for a coroutine from here to the end of its call. */
PyObject *py_call_waits(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (serving) {
        worker_thread_leaves(serving);
    }
    return Py_NewRef(Py_None);
}
