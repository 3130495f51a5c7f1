/* The extension _jsorc: the worker's core, native modules and the HTTP server for a Python
 * interpreter. Only the package jsorc uses it. Initialised once a process, never unloaded. */
#include "worker/python/py_action.h"
#include "worker/python/py_api.h"
#include "worker/python/py_call.h"
#include "worker/python/py_context.h"
#include "worker/python/py_json.h"
#include "worker/python/py_plain.h"
#include "worker/python/py_serve.h"
#include "worker/python/py_worker.h"
#include "worker/worker.h"

struct py_hooks py_hooks;

/* install(**hooks): functions and classes of the package jsorc, some of struct py_hooks: call is
 * set wherever jsorc is imported, the rest by a worker before it serves. */
static PyObject *install(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {
        "for_exception",   "encode",  "not_json",       "not_object",     "invalid",
        "invalid_entries", "call",    "call_with_meta", "failed_here",    "run_async",
        "add_nested",      "current", "default_value",  "coroutine_type", "invalid_type",
        "load_codec",      NULL};
    struct py_hooks hooks = py_hooks;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "|$OOOOOOOOOOOOOOOO", names, &hooks.for_exception, &hooks.encode,
            &hooks.not_json, &hooks.not_object, &hooks.invalid, &hooks.invalid_entries, &hooks.call,
            &hooks.call_with_meta, &hooks.failed_here, &hooks.run_async, &hooks.add_nested,
            &hooks.current, &hooks.default_value, &hooks.coroutine_type, &hooks.invalid_type,
            &hooks.load_codec)) {
        return NULL;
    }
    /* They live as long as the process does: kept by a reference to their dict. */
    Py_INCREF(kwargs);
    py_hooks = hooks;
    return Py_NewRef(Py_None);
}

/* prepare(): loads the JSON encoder */
static PyObject *prepare(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return py_json_prepare() < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *loads(PyObject *module, PyObject *args)
{
    const char *data;
    Py_ssize_t size;
    (void)module;
    return PyArg_ParseTuple(args, "y#", &data, &size)
               ? py_json_loads((struct slice){data, (size_t)size})
               : NULL;
}

static PyObject *dumps(PyObject *module, PyObject *value)
{
    (void)module;
    return py_json_dumps(value);
}

/* memory_kb(): proportional set size of the process; -1 = unknown */
static PyObject *memory_kb(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLongLong(worker_memory_read().pss_kb);
}

#define CALL_DOC                                                                                   \
    "call(name, /, *args, **kwargs)\n--\n\n"                                                       \
    "Calls an action by its full name and returns its result.\n\n"                                 \
    "In a worker that has the action's module loaded this is a plain function call; otherwise\n"   \
    "the call goes to where the module is, arguments and result as JSON. A failure raises\n"       \
    "ActionError in both."
#define REPORT_DOC                                                                                 \
    "report(value, /)\n--\n\n"                                                                     \
    "Adds a value to the report of the walker that is running. It is encoded when the walker "     \
    "ends."
#define CONTEXT_DOC                                                                                \
    "context()\n--\n\n"                                                                            \
    "What is known about the request that is running: action, walker, headers, reports; a "        \
    "walker\n"                                                                                     \
    "may set status_code and report_custom. RuntimeError outside a request."

static PyMethodDef methods[] = {
    {"call", (PyCFunction)(void (*)(void))py_call, METH_FASTCALL | METH_KEYWORDS, CALL_DOC},
    {"report", py_context_report, METH_O, REPORT_DOC},
    {"context", py_context_get, METH_NOARGS, CONTEXT_DOC},
    {"context_or_none", py_context_get_or_none, METH_NOARGS, NULL},
    {"bind_call", py_serve_bind_call, METH_VARARGS, NULL},
    {"native_params", py_call_native_params, METH_O, NULL},
    {"native_call", py_call_native, METH_VARARGS, NULL},
    {"remote_call", (PyCFunction)(void (*)(void))py_call_remote, METH_VARARGS | METH_KEYWORDS,
     NULL},
    {"count_call", py_call_count, METH_VARARGS, NULL},
    {"add_nested", py_call_add_nested, METH_O, NULL},
    {"call_begins", py_call_begins, METH_NOARGS, NULL},
    {"serving", py_call_serving, METH_NOARGS, NULL},
    {"daemon_path", py_call_daemon_path, METH_NOARGS, NULL},
    {"thread_waits", py_call_waits, METH_NOARGS, NULL},
    {"install", (PyCFunction)(void (*)(void))install, METH_VARARGS | METH_KEYWORDS, NULL},
    {"prepare", prepare, METH_NOARGS, NULL},
    {"loads", loads, METH_VARARGS, NULL},
    {"dumps", dumps, METH_O, NULL},
    {"parse", py_plain_parse, METH_O, NULL},
    {"text", py_plain_text, METH_O, NULL},
    {"memory_kb", memory_kb, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyMODINIT_FUNC PyInit__jsorc(void);

PyMODINIT_FUNC PyInit__jsorc(void)
{
    static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_jsorc", .m_size = -1,
                                            .m_methods = methods};
    CLEANUP(py_free) PyObject *module = PyModule_Create(&definition);
    if (!module || py_action_init(module) < 0 || py_context_init(module) < 0 ||
        py_serve_init(module) < 0 || py_worker_init(module) < 0 || py_call_init() < 0) {
        return NULL;
    }
    return TAKE(module);
}
