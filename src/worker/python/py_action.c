#include "worker/python/py_action.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "worker/worker.h"

static PyTypeObject *action_type;

static void param_done(struct py_param *param)
{
    Py_XDECREF(param->name);
    Py_XDECREF(param->key);
    Py_XDECREF(param->fallback);
    Py_XDECREF(param->convert);
    Py_XDECREF((PyObject *)param->exact);
    Py_XDECREF((PyObject *)param->item_exact);
}

static void action_dealloc(PyObject *self)
{
    struct py_action *action = (struct py_action *)self;
    for (Py_ssize_t i = 0; i < action->param_count; i++) {
        param_done(&action->params[i]);
    }
    free(action->params);
    Py_XDECREF(action->name);
    Py_XDECREF(action->function);
    Py_XDECREF(action->described);
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyObject *ref_unless_none(PyObject *object)
{
    return object == Py_None ? NULL : Py_NewRef(object);
}

/* From (name, kind, default, exact, item_exact, convert). */
static int param_init(struct py_param *param, PyObject *described)
{
    static const char *const stars[] = {"", "*", "", "**"};
    PyObject *name, *fallback, *exact, *item_exact, *convert;
    int kind;
    if (!PyArg_ParseTuple(described, "UiOOOO", &name, &kind, &fallback, &exact, &item_exact,
                          &convert)) {
        return -1;
    }
    if (kind < PY_PLAIN || kind > PY_DICT || (exact != Py_None && !PyType_Check(exact)) ||
        (item_exact != Py_None && !PyType_Check(item_exact))) {
        PyErr_SetString(PyExc_TypeError, "not a parameter");
        return -1;
    }
    CLEANUP(py_free) PyObject *prefix = PyUnicode_FromString(stars[kind]);
    PyObject *key = prefix ? PyUnicode_Concat(prefix, name) : NULL;
    if (!key) {
        return -1;
    }
    PyUnicode_InternInPlace(&key);
    bool required = PyObject_HasAttrString((PyObject *)Py_TYPE(fallback), "jsorc_required");
    *param = (struct py_param){
        .name = Py_NewRef(name),
        .key = key,
        .fallback = required ? NULL : Py_NewRef(fallback),
        .convert = ref_unless_none(convert),
        .exact = (PyTypeObject *)ref_unless_none(exact),
        .item_exact = (PyTypeObject *)ref_unless_none(item_exact),
        .kind = (enum py_kind)kind,
    };
    return 0;
}

static int params_init(struct py_action *action, PyObject *params)
{
    Py_ssize_t count = PyList_Size(params);
    action->params = xcalloc((size_t)count + 1, sizeof(struct py_param));
    for (Py_ssize_t i = 0; i < count; i++) {
        struct py_param *param = &action->params[i];
        if (param_init(param, PyList_GetItem(params, i)) < 0) {
            return -1;
        }
        action->param_count++;
        action->plain_count += param->kind == PY_PLAIN;
        action->has_keywords = action->has_keywords || param->kind == PY_KEYWORD;
    }
    return 0;
}

/* Action(name, function, params, described, wants_meta) */
static PyObject *action_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *name, *function, *params, *described;
    int wants_meta;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "UOO!Op", &name, &function, &PyList_Type, &params, &described,
                          &wants_meta)) {
        return NULL;
    }
    if (PyList_Size(params) > WORKER_PARAMS_MAX) {
        return PyErr_Format(PyExc_ValueError, "'%U' has more than %d parameters", name,
                            WORKER_PARAMS_MAX);
    }
    CLEANUP(py_free) PyObject *self = PyType_GenericAlloc(type, 0);
    if (!self) {
        return NULL;
    }
    struct py_action *action = (struct py_action *)self;
    action->name = Py_NewRef(name);
    action->function = Py_NewRef(function);
    action->described = Py_NewRef(described);
    action->wants_meta = wants_meta;
    if (params_init(action, params) < 0) {
        return NULL;
    }
    return TAKE(self);
}

int py_action_init(PyObject *module)
{
    static PyType_Slot slots[] = {
        {Py_tp_new, action_new},
        {Py_tp_dealloc, action_dealloc},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "_jsorc.Action",
        .basicsize = sizeof(struct py_action),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };
    action_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return action_type ? PyModule_AddObjectRef(module, "Action", (PyObject *)action_type) : -1;
}

struct py_action *py_action_from(PyObject *object)
{
    if (Py_TYPE(object) != action_type) {
        PyErr_SetString(PyExc_TypeError, "not an _jsorc.Action");
        return NULL;
    }
    return (struct py_action *)object;
}
