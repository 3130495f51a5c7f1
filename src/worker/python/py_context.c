#include "worker/python/py_context.h"

#include <stddef.h>

#include "http/server.h"
#include "worker/python/py_action.h"
#include "worker/worker.h"

static PyTypeObject *context_type;
static __thread struct py_current *thread_current;

static void context_dealloc(PyObject *self)
{
    struct py_context *context = (struct py_context *)self;
    Py_XDECREF(context->action);
    Py_XDECREF(context->walker);
    Py_XDECREF(context->reports);
    Py_XDECREF(context->report_custom);
    Py_XDECREF(context->report_file);
    Py_XDECREF(context->headers);
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

/* Header text may be any bytes: those that are no UTF-8 are read as Latin-1. */
static PyObject *header_text(struct slice text)
{
    PyObject *made = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.size, NULL);
    if (!made) {
        PyErr_Clear();
        made = PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.size, NULL);
    }
    return made;
}

static PyObject *read_headers(const struct http_request *request)
{
    CLEANUP(py_free) PyObject *headers = PyDict_New();
    size_t count = headers && request ? http_request_header_count(request) : 0;
    for (size_t i = 0; i < count; i++) {
        struct slice name_text, value_text;
        http_request_header_at(request, i, &name_text, &value_text);
        CLEANUP(py_free) PyObject *given = header_text(name_text);
        CLEANUP(py_free) PyObject *name = given ? PyObject_CallMethod(given, "lower", NULL) : NULL;
        CLEANUP(py_free) PyObject *value = header_text(value_text);
        if (!name || !value || PyDict_SetItem(headers, name, value) < 0) {
            return NULL;
        }
    }
    return TAKE(headers);
}

static PyObject *context_headers(PyObject *self, void *closure)
{
    struct py_context *context = (struct py_context *)self;
    (void)closure;
    if (!context->headers) {
        if (!context->call) {
            return PyDict_New();
        }
        context->headers = read_headers(context->call->request);
    }
    return context->headers ? Py_NewRef(context->headers) : NULL;
}

/* What the daemon calls the request, in its access log and to the client; None = no name known. */
static PyObject *context_request_id(PyObject *self, void *closure)
{
    const struct py_context *context = (const struct py_context *)self;
    (void)closure;
    struct slice id = context->call && context->call->request
                          ? http_request_id(context->call->request)
                          : (struct slice){0};
    return id.size > 0 ? header_text(id) : Py_NewRef(Py_None);
}

static PyObject *context_query(PyObject *self, void *closure)
{
    const struct py_context *context = (const struct py_context *)self;
    (void)closure;
    return header_text(context->call ? context->call->query : (struct slice){0});
}

static PyObject *context_body(PyObject *self, void *closure)
{
    const struct py_context *context = (const struct py_context *)self;
    (void)closure;
    return header_text(context->call ? context->call->body : (struct slice){0});
}

int py_context_init(PyObject *module)
{
    static PyMemberDef members[] = {
        {"action", T_OBJECT, offsetof(struct py_context, action), READONLY,
         "Full name of the action that is running; None in a walker."},
        {"walker", T_OBJECT, offsetof(struct py_context, walker), 0,
         "Name of the walker that is running; None in an action."},
        {"reports", T_OBJECT, offsetof(struct py_context, reports), READONLY,
         "What the walker has reported so far, a list."},
        {"report_custom", T_OBJECT, offsetof(struct py_context, report_custom), 0,
         "Set it to any value but None: it becomes the walker's whole answer."},
        {"report_file", T_OBJECT, offsetof(struct py_context, report_file), 0,
         "Set it to a path, bytes or {'name', 'base64', 'content-type'}: the walker's answer is "
         "that file."},
        {"status_code", T_INT, offsetof(struct py_context, status_code), 0,
         "Set it to an HTTP status for the walker's answer."},
        {"failed", T_BOOL, offsetof(struct py_context, failed), 0, NULL},
        {NULL, 0, 0, 0, NULL},
    };
    static PyGetSetDef getters[] = {
        {"headers", context_headers, NULL,
         "The request's headers by lower-case name; read them while the call runs.", NULL},
        {"query", context_query, NULL,
         "The request's query, without '?'; read it while the call runs.", NULL},
        {"body", context_body, NULL,
         "The request's body as text, as it reached the worker; read it while the call runs.",
         NULL},
        {"request_id", context_request_id, NULL,
         "The request's id in the daemon's access log; read it while the call runs.", NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, context_dealloc},
        {Py_tp_members, members},
        {Py_tp_getset, getters},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "_jsorc.Context",
        .basicsize = sizeof(struct py_context),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    context_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return context_type ? PyModule_AddObjectRef(module, "Context", (PyObject *)context_type) : -1;
}

void py_current_begin(struct py_current *current, const struct worker_call *call,
                      const struct py_action *action)
{
    *current = (struct py_current){.call = call, .action = action, .outer = thread_current};
    thread_current = current;
}

void py_current_end(struct py_current *current)
{
    thread_current = current->outer;
    if (current->context) {
        current->context->call = NULL; /* somebody may keep the object, the request ends */
        Py_DECREF((PyObject *)current->context);
        current->context = NULL;
    }
}

struct py_context *py_current_context(struct py_current *current)
{
    if (current->context) {
        return current->context;
    }
    struct py_context *context = (struct py_context *)PyType_GenericAlloc(context_type, 0);
    if (!context) {
        return NULL;
    }
    context->call = current->call;
    struct slice owner = origin_walker(origin_current());
    memcpy(context->owner, owner.data, owner.size);
    context->action = current->action ? Py_NewRef(current->action->name) : NULL;
    context->reports = PyList_New(0);
    if (!context->reports) {
        Py_DECREF((PyObject *)context);
        return NULL;
    }
    current->context = context;
    return context;
}

PyObject *py_context_get_or_none(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (thread_current) {
        return Py_XNewRef((PyObject *)py_current_context(thread_current));
    }
    /* Async actions and threads that carry a context on run outside the call's own thread. */
    return py_hooks.current ? PyObject_CallNoArgs(py_hooks.current) : Py_NewRef(Py_None);
}

void py_behalf_begin(struct py_behalf *behalf)
{
    behalf->begun = false;
    if (origin_current() || !py_hooks.current) {
        return;
    }
    CLEANUP(py_free) PyObject *found = PyObject_CallNoArgs(py_hooks.current);
    if (!found || Py_TYPE(found) != context_type) {
        PyErr_Clear();
        return;
    }
    const struct py_context *context = (const struct py_context *)found;
    /* The request and the context may end before the GIL is ours again: all that they tell is
     * copied now. An action's context knows no walker, but who called the action. */
    struct origin there = {.request = context->call ? context->call->request : NULL,
                           .walker = context->walker_name.size > 0 ? context->walker_name
                                                                   : slice_str(context->owner)};
    struct slice walker = origin_walker(&there);
    memcpy(behalf->walker, walker.data, walker.size);
    struct slice lines = origin_lines(&there, behalf->lines);
    origin_begin(&behalf->origin, NULL);
    behalf->origin.walker = (struct slice){behalf->walker, walker.size};
    behalf->origin.lines = lines;
    behalf->begun = true;
}

void py_behalf_end(struct py_behalf *behalf)
{
    if (!behalf->begun) {
        return;
    }
    origin_end(&behalf->origin);
    if (behalf->origin.nested_ns > 0) {
        PyObject *type, *value, *trace; /* a failure's */
        PyErr_Fetch(&type, &value, &trace);
        CLEANUP(py_free)
        PyObject *number = PyLong_FromUnsignedLongLong(behalf->origin.nested_ns);
        CLEANUP(py_free)
        PyObject *done =
            number ? PyObject_CallFunctionObjArgs(py_hooks.add_nested, number, NULL) : NULL;
        if (!done) {
            PyErr_Clear(); /* no memory: a figure less */
        }
        PyErr_Restore(type, value, trace);
    }
}

PyObject *py_context_get(PyObject *module, PyObject *unused)
{
    PyObject *context = py_context_get_or_none(module, unused);
    if (context == Py_None) {
        Py_DECREF(context);
        PyErr_SetString(PyExc_RuntimeError, "no request is running in this thread");
        return NULL;
    }
    return context;
}

PyObject *py_context_report(PyObject *module, PyObject *value)
{
    CLEANUP(py_free) PyObject *context = py_context_get_or_none(module, NULL);
    if (!context) {
        return NULL;
    }
    if (Py_TYPE(context) != context_type || !((struct py_context *)context)->walker) {
        PyErr_SetString(PyExc_RuntimeError, "report() works in a walker that a worker runs");
        return NULL;
    }
    if (PyList_Append(((struct py_context *)context)->reports, value) < 0) {
        return NULL;
    }
    return Py_NewRef(Py_None);
}
