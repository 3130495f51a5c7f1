#include "worker/python/py_worker.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "worker/native.h"
#include "worker/python/py_action.h"
#include "worker/python/py_call.h"
#include "worker/python/py_serve.h"
#include "worker/worker.h"

struct py_worker {
    PyObject_HEAD struct worker *worker; /* owned; NULL after wait */
    PyObject *kept;        /* list of what the core borrows: actions and callables; owned */
    PyObject *daemon_path; /* owned; NULL = none */
};

static PyObject *raise_err(int code, const struct err *err)
{
    CLEANUP(py_free)
    PyObject *arguments = Py_BuildValue("is", -code, err->text[0] ? err->text : strerror(-code));
    if (arguments) {
        PyErr_SetObject(PyExc_OSError, arguments);
    }
    return NULL;
}

static PyObject *none_or_raise(int code, const struct err *err)
{
    return code < 0 ? raise_err(code, err) : Py_NewRef(Py_None);
}

/* The object's core; NULL with RuntimeError when it has ended. */
static struct worker *core_of(PyObject *self)
{
    struct worker *worker = ((struct py_worker *)self)->worker;
    if (!worker) {
        PyErr_SetString(PyExc_RuntimeError, "the worker has ended");
    }
    return worker;
}

/* ---- life */

/* Worker(name, generation, role, socket, listen, token, daemon, notify_fd, lifeline_fd,
 * threads_max, verbose, measure) */
static PyObject *worker_object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name",    "generation", "role",      "socket",      "listen",
                            "token",   "daemon",     "notify_fd", "lifeline_fd", "threads_max",
                            "verbose", "measure",    NULL};
    struct worker_config config = WORKER_CONFIG_DEFAULT;
    long long generation;
    int role, verbose, measure;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "$sLizzzziiIpp", names, &config.name, &generation, &role,
            &config.socket_path, &config.listen, &config.token, &config.daemon_path,
            &config.notify_fd, &config.lifeline_fd, &config.threads_max, &verbose, &measure)) {
        return NULL;
    }
    config.generation = generation;
    config.role = (enum worker_role)role;
    config.verbose = verbose;
    config.unmeasured = !measure;
    CLEANUP(py_free) PyObject *self = PyType_GenericAlloc(type, 0);
    CLEANUP(py_free) PyObject *kept = self ? PyList_New(0) : NULL;
    if (!kept) {
        return NULL;
    }
    struct err err = {0};
    struct py_worker *object = (struct py_worker *)self;
    object->worker = worker_new(&config, &err);
    if (!object->worker) {
        return raise_err(err.code ? -err.code : -EINVAL, &err);
    }
    object->kept = TAKE(kept);
    object->daemon_path = config.daemon_path ? PyUnicode_FromString(config.daemon_path) : NULL;
    return TAKE(self);
}

static void worker_object_dealloc(PyObject *self)
{
    struct py_worker *object = (struct py_worker *)self;
    Py_XDECREF(object->kept);
    Py_XDECREF(object->daemon_path);
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyObject *worker_object_start(PyObject *self, PyObject *unused)
{
    struct worker *worker = core_of(self);
    struct err err = {0};
    (void)unused;
    if (!worker) {
        return NULL;
    }
    /* Requests may run before worker_start returns. */
    py_call_set_worker(worker, ((struct py_worker *)self)->daemon_path);
    int code;
    Py_BEGIN_ALLOW_THREADS code = worker_start(worker, &err);
    Py_END_ALLOW_THREADS return none_or_raise(code, &err);
}

/* wait() -> True when drained; False: calls still run, the process must end at once. */
static PyObject *worker_object_wait(PyObject *self, PyObject *unused)
{
    struct worker *worker = core_of(self);
    (void)unused;
    if (!worker) {
        return NULL;
    }
    int code;
    Py_BEGIN_ALLOW_THREADS code = worker_wait(worker);
    Py_END_ALLOW_THREADS if (code == 0)
    {
        py_call_set_worker(NULL, NULL);
        ((struct py_worker *)self)->worker = worker_free(worker);
    }
    return PyBool_FromLong(code == 0);
}

static PyObject *worker_object_drain(PyObject *self, PyObject *unused)
{
    struct worker *worker = core_of(self);
    (void)unused;
    if (!worker) {
        return NULL;
    }
    worker_drain(worker);
    return Py_NewRef(Py_None);
}

/* report_failure(module, stage, error, traceback, hint) */
static PyObject *worker_object_report_failure(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    const char *module, *stage, *error, *traceback, *hint;
    if (!worker || !PyArg_ParseTuple(args, "zsszz", &module, &stage, &error, &traceback, &hint)) {
        return NULL;
    }
    worker_report_failure(worker, module, stage, error, traceback, hint);
    return Py_NewRef(Py_None);
}

static PyObject *worker_object_address(PyObject *self, void *closure)
{
    struct worker *worker = core_of(self);
    (void)closure;
    return worker ? PyUnicode_FromString(worker_address(worker)) : NULL;
}

/* ---- what it serves */

/* add_module(name, kind, source, loaded_module, load_ms, mem_kb, ctx_unused) */
static PyObject *worker_object_add_module(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    struct worker_module_def def = {0};
    long long mem_kb;
    int ctx_unused;
    if (!worker || !PyArg_ParseTuple(args, "ssszdLp", &def.name, &def.kind, &def.source,
                                     &def.loaded_module, &def.load_ms, &mem_kb, &ctx_unused)) {
        return NULL;
    }
    def.mem_kb = mem_kb;
    def.note = ctx_unused ? WORKER_CTX_UNUSED : NULL;
    struct err err = {0};
    return none_or_raise(worker_add_module(worker, &def, &err), &err);
}

/* aliases[count + 1] from a list of str, ended by NULL. 0 or -1. */
static int read_aliases(PyObject *list, const char *aliases[WORKER_ALIASES_MAX + 1])
{
    Py_ssize_t count = PyList_Size(list);
    if (count > WORKER_ALIASES_MAX) {
        PyErr_Format(PyExc_ValueError, "more than %d aliases", WORKER_ALIASES_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t size;
        aliases[i] = PyUnicode_AsUTF8AndSize(PyList_GetItem(list, i), &size);
        if (!aliases[i]) {
            return -1;
        }
    }
    aliases[count] = NULL;
    return 0;
}

/* cede(module, name) */
static PyObject *worker_object_cede(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    const char *module, *name;
    if (!worker || !PyArg_ParseTuple(args, "ss", &module, &name)) {
        return NULL;
    }
    struct err err = {0};
    return none_or_raise(worker_cede(worker, module, name, &err), &err);
}

/* Makes action findable for jsorc.call, unless another module serves the name. 0 or -1. */
static int publish_name(const struct worker *worker, const char *module, PyObject *name,
                        struct py_action *action)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (!text || worker_is_ceded(worker, module, text)) {
        return text ? 0 : -1;
    }
    return PyDict_SetItem(py_call_table(), name, (PyObject *)action);
}

/* Under its name and its aliases. 0 or -1. */
static int publish(const struct worker *worker, const char *module, struct py_action *action,
                   const char *const *aliases)
{
    if (publish_name(worker, module, action->name, action) < 0) {
        return -1;
    }
    CLEANUP(py_free) PyObject *group = PyObject_CallMethod(action->name, "rpartition", "s", ".");
    PyObject *prefix = group ? PyTuple_GetItem(group, 0) : NULL;
    for (; prefix && *aliases; aliases++) {
        CLEANUP(py_free) PyObject *name = PyUnicode_FromFormat("%U.%s", prefix, *aliases);
        if (!name || publish_name(worker, module, name, action) < 0) {
            return -1;
        }
    }
    return prefix ? 0 : -1;
}

/* add_action(module, name, aliases, params, doc, returns, idempotent, timeout_ms, action) */
static PyObject *worker_object_add_action(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"module",  "name",       "aliases",    "params", "doc",
                            "returns", "idempotent", "timeout_ms", "action", NULL};
    struct worker *worker = core_of(self);
    struct worker_action_def def = {.loader = py_serve_loader(), .call = py_serve_action};
    const char *aliases[WORKER_ALIASES_MAX + 1];
    PyObject *alias_list, *object;
    int idempotent;
    unsigned long long timeout_ms;
    if (!worker ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "$ssO!szzpKO", names, &def.module, &def.name,
                                     &PyList_Type, &alias_list, &def.params, &def.doc, &def.returns,
                                     &idempotent, &timeout_ms, &object)) {
        return NULL;
    }
    struct py_action *action = py_action_from(object);
    if (!action || read_aliases(alias_list, aliases) < 0 ||
        PyList_Append(((struct py_worker *)self)->kept, object) < 0) {
        return NULL;
    }
    def.aliases = aliases;
    def.idempotent = idempotent;
    def.timeout_ms = timeout_ms;
    def.arg = action;
    struct err err = {0};
    struct worker_action *added;
    int code = worker_add_action(worker, &def, &added, &err);
    if (code < 0) {
        return raise_err(code, &err);
    }
    action->stat = worker_action_stat(added);
    action->entry = worker_is_measured(worker) ? added : NULL;
    return publish(worker, def.module, action, aliases) < 0 ? NULL : Py_NewRef(Py_None);
}

/* add_walker(module, name, params, doc, action) */
static PyObject *worker_object_add_walker(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    struct worker_walker_def def;
    PyObject *object;
    if (!worker ||
        !PyArg_ParseTuple(args, "sszzO", &def.module, &def.name, &def.params, &def.doc, &object)) {
        return NULL;
    }
    struct py_action *action = py_action_from(object);
    if (!action || PyList_Append(((struct py_worker *)self)->kept, object) < 0) {
        return NULL;
    }
    struct err err = {0};
    struct worker_stat *stat;
    int code = worker_add_walker(worker, &def, &stat, &err);
    if (code < 0) {
        return raise_err(code, &err);
    }
    if (!action->stat) { /* an alias counts with the walker's own name */
        action->stat = stat;
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(action->name, &size);
        action->walker = (struct slice){text, text ? (size_t)size : 0};
    }
    return Py_NewRef(Py_None);
}

/* serve_walkers(run) */
static PyObject *worker_object_serve_walkers(PyObject *self, PyObject *run)
{
    struct worker *worker = core_of(self);
    if (!worker || PyList_Append(((struct py_worker *)self)->kept, run) < 0) {
        return NULL;
    }
    worker_set_walker_run(worker, py_serve_loader(), py_serve_walker, run);
    return Py_NewRef(Py_None);
}

/* add_endpoint(path, prefix, function) */
static PyObject *worker_object_add_endpoint(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    const char *path;
    int prefix;
    PyObject *function;
    if (!worker || !PyArg_ParseTuple(args, "spO", &path, &prefix, &function) ||
        PyList_Append(((struct py_worker *)self)->kept, function) < 0) {
        return NULL;
    }
    struct err err = {0};
    struct worker_endpoint_def def = {path, prefix, py_serve_loader(), py_serve_endpoint, function};
    return none_or_raise(worker_add_endpoint(worker, &def, &err), &err);
}

/* add_native(module, path, ctx): ctx is JSON text */
static PyObject *worker_object_add_native(PyObject *self, PyObject *args)
{
    struct worker *worker = core_of(self);
    const char *module, *path, *ctx_text;
    if (!worker || !PyArg_ParseTuple(args, "sss", &module, &path, &ctx_text)) {
        return NULL;
    }
    struct err err = {0};
    CLEANUP(json_put) struct json_object *ctx = NULL;
    int code = json_parse_object(slice_str(ctx_text), &ctx, &err);
    if (code < 0) {
        return raise_err(code, &err);
    }
    Py_BEGIN_ALLOW_THREADS code = native_load(worker, module, path, ctx, &err);
    Py_END_ALLOW_THREADS return none_or_raise(code, &err);
}

int py_worker_init(PyObject *module)
{
    static PyMethodDef methods[] = {
        {"add_module", worker_object_add_module, METH_VARARGS, NULL},
        {"cede", worker_object_cede, METH_VARARGS, NULL},
        {"add_action", (PyCFunction)(void (*)(void))worker_object_add_action,
         METH_VARARGS | METH_KEYWORDS, NULL},
        {"add_walker", worker_object_add_walker, METH_VARARGS, NULL},
        {"serve_walkers", worker_object_serve_walkers, METH_O, NULL},
        {"add_endpoint", worker_object_add_endpoint, METH_VARARGS, NULL},
        {"add_native", worker_object_add_native, METH_VARARGS, NULL},
        {"start", worker_object_start, METH_NOARGS, NULL},
        {"wait", worker_object_wait, METH_NOARGS, NULL},
        {"drain", worker_object_drain, METH_NOARGS, NULL},
        {"report_failure", worker_object_report_failure, METH_VARARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyGetSetDef getters[] = {
        {"address", worker_object_address, NULL, "Where TCP clients reach it.", NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, worker_object_new},
        {Py_tp_dealloc, worker_object_dealloc},
        {Py_tp_methods, methods},
        {Py_tp_getset, getters},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "_jsorc.Worker",
        .basicsize = sizeof(struct py_worker),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };
    CLEANUP(py_free) PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObjectRef(module, "Worker", type) : -1;
}
