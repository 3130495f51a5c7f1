/* From a call's JSON object to the arguments of the function: parameters are walked in signature
 * order and filled by position; *x is spread, x after *x is passed by name, **x is merged. A value
 * of the very type that an annotation names is taken without a Python call. */
#include <string.h>

#include "worker/python/py_action.h"

struct binding {
    PyObject *arguments; /* borrowed */
    Py_ssize_t found;    /* how many of its keys are parameters */
    Py_ssize_t filled;   /* of args */
    struct py_bound bound;
};

void py_bound_done(struct py_bound *bound)
{
    Py_XDECREF(bound->args);
    Py_XDECREF(bound->kwargs);
    *bound = (struct py_bound){0};
}

static bool fits(const struct py_param *param, PyObject *value)
{
    if (!param->convert) {
        return true;
    }
    if (Py_TYPE(value) != param->exact) {
        return false;
    }
    if (param->item_exact) { /* exact is list */
        Py_ssize_t count = PyList_Size(value);
        for (Py_ssize_t i = 0; i < count; i++) {
            if (Py_TYPE(PyList_GetItem(value, i)) != param->item_exact) {
                return false;
            }
        }
    }
    return true;
}

/* *ret_value is a new reference. */
static enum py_bind_result take(const struct py_param *param, PyObject *value, PyObject **ret_value)
{
    if (fits(param, value)) {
        *ret_value = Py_NewRef(value);
        return PY_BIND_DONE;
    }
    PyObject *converted = PyObject_CallFunctionObjArgs(param->convert, value, NULL);
    if (converted) {
        *ret_value = converted;
        return PY_BIND_DONE;
    }
    if (!PyErr_ExceptionMatches(py_hooks.invalid_type)) {
        return PY_BIND_FAILED;
    }
    PyErr_Clear();
    return PY_BIND_INVALID;
}

/* *ret_value is borrowed; NULL = not given. 0 or -1. */
static int look_up(struct binding *binding, const struct py_param *param, PyObject **ret_value)
{
    PyObject *value = PyDict_GetItemWithError(binding->arguments, param->key);
    if (!value && !PyErr_Occurred() && param->key != param->name &&
        (param->kind == PY_LIST || param->kind == PY_DICT)) {
        /* Peers of the seed's version send stars under their bare names. */
        value = PyDict_GetItemWithError(binding->arguments, param->name);
    }
    if (!value && PyErr_Occurred()) {
        return -1;
    }
    binding->found += value != NULL;
    *ret_value = value;
    return 0;
}

static int put_keyword(struct binding *binding, PyObject *name, PyObject *value)
{
    if (!binding->bound.kwargs) {
        binding->bound.kwargs = PyDict_New();
    }
    return binding->bound.kwargs ? PyDict_SetItem(binding->bound.kwargs, name, value) : -1;
}

/* x, before or after *x. */
static enum py_bind_result bind_one(struct binding *binding, const struct py_param *param)
{
    PyObject *value;
    if (look_up(binding, param, &value) < 0) {
        return PY_BIND_FAILED;
    }
    /* A null where the default is something: peers of the seed's version mean the default. */
    bool absent = !value || (value == Py_None && param->fallback);
    if (absent && !param->fallback) {
        return PY_BIND_INVALID;
    }
    CLEANUP(py_free) PyObject *taken = NULL;
    if (absent) {
        taken = Py_NewRef(param->fallback);
    } else {
        enum py_bind_result result = take(param, value, &taken);
        if (result != PY_BIND_DONE) {
            return result;
        }
    }
    if (param->kind == PY_PLAIN) {
        return PyTuple_SetItem(binding->bound.args, binding->filled++, TAKE(taken)) < 0
                   ? PY_BIND_FAILED
                   : PY_BIND_DONE;
    }
    if (!absent && put_keyword(binding, param->name, taken) < 0) {
        return PY_BIND_FAILED;
    }
    return PY_BIND_DONE;
}

/* *x: the tuple of args was made large enough for its items. */
static enum py_bind_result bind_list(struct binding *binding, const struct py_param *param,
                                     PyObject *list)
{
    Py_ssize_t count = list ? PyList_Size(list) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *taken;
        enum py_bind_result result = take(param, PyList_GetItem(list, i), &taken);
        if (result != PY_BIND_DONE) {
            return result;
        }
        if (PyTuple_SetItem(binding->bound.args, binding->filled++, taken) < 0) {
            return PY_BIND_FAILED;
        }
    }
    return PY_BIND_DONE;
}

/* **x: no name in it may be that of another parameter. */
static enum py_bind_result bind_dict(struct binding *binding, const struct py_action *action,
                                     const struct py_param *param)
{
    PyObject *given;
    if (look_up(binding, param, &given) < 0) {
        return PY_BIND_FAILED;
    }
    if (!given || given == Py_None) {
        return PY_BIND_DONE;
    }
    if (!PyDict_Check(given)) {
        return PY_BIND_INVALID;
    }
    for (const struct py_param *other = action->params; other != param; other++) {
        if (PyDict_GetItemWithError(given, other->name)) {
            return PY_BIND_INVALID;
        }
    }
    PyObject *name, *value;
    Py_ssize_t place = 0;
    while (PyDict_Next(given, &place, &name, &value)) {
        CLEANUP(py_free) PyObject *taken = NULL;
        enum py_bind_result result = take(param, value, &taken);
        if (result != PY_BIND_DONE) {
            return result;
        }
        if (put_keyword(binding, name, taken) < 0) {
            return PY_BIND_FAILED;
        }
    }
    return PyErr_Occurred() ? PY_BIND_FAILED : PY_BIND_DONE;
}

/* The list of *x, to know how many positional arguments there are. */
static enum py_bind_result find_list(struct binding *binding, const struct py_action *action,
                                     PyObject **ret_list)
{
    *ret_list = NULL;
    if (action->plain_count == action->param_count ||
        action->params[action->plain_count].kind != PY_LIST) {
        return PY_BIND_DONE;
    }
    PyObject *given;
    if (look_up(binding, &action->params[action->plain_count], &given) < 0) {
        return PY_BIND_FAILED;
    }
    if (given && given != Py_None) {
        if (!PyList_Check(given)) {
            return PY_BIND_INVALID;
        }
        *ret_list = given;
    }
    return PY_BIND_DONE;
}

static enum py_bind_result bind_all(struct binding *binding, const struct py_action *action)
{
    PyObject *list;
    enum py_bind_result result = find_list(binding, action, &list);
    if (result != PY_BIND_DONE) {
        return result;
    }
    Py_ssize_t count = action->plain_count + (list ? PyList_Size(list) : 0);
    binding->bound.args = PyTuple_New(count);
    if (!binding->bound.args) {
        return PY_BIND_FAILED;
    }
    for (Py_ssize_t i = 0; i < action->param_count && result == PY_BIND_DONE; i++) {
        const struct py_param *param = &action->params[i];
        if (param->kind == PY_LIST) {
            result = bind_list(binding, param, list);
        } else if (param->kind == PY_DICT) {
            result = bind_dict(binding, action, param);
        } else {
            result = bind_one(binding, param);
        }
    }
    if (result == PY_BIND_DONE && binding->found != PyDict_Size(binding->arguments)) {
        return PY_BIND_INVALID; /* a name that is no parameter's */
    }
    return result;
}

enum py_bind_result py_action_bind(const struct py_action *action, PyObject *arguments,
                                   struct py_bound *ret_bound)
{
    struct binding binding = {.arguments = arguments};
    enum py_bind_result result = bind_all(&binding, action);
    if (result != PY_BIND_DONE) {
        py_bound_done(&binding.bound);
        return result;
    }
    *ret_bound = binding.bound;
    return PY_BIND_DONE;
}
