#include "worker/python/py_plain.h"

#include "base/err.h"
#include "base/json.h"

#define PLAIN_DEPTH_MAX JSON_DEPTH_MAX

static PyObject *to_python(struct json_object *value);

static PyObject *array_to_python(struct json_object *array)
{
    size_t count = json_object_array_length(array);
    CLEANUP(py_free) PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *item = to_python(json_object_array_get_idx(array, i));
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0) {
            return NULL;
        }
    }
    return TAKE(list);
}

static PyObject *object_to_python(struct json_object *object)
{
    CLEANUP(py_free) PyObject *dict = PyDict_New();
    if (!dict) {
        return NULL;
    }
    json_object_object_foreach(object, name, member)
    {
        CLEANUP(py_free) PyObject *value = to_python(member);
        if (!value || PyDict_SetItemString(dict, name, value) < 0) {
            return NULL;
        }
    }
    return TAKE(dict);
}

/* New reference. json_parse has bounded the depth. */
static PyObject *to_python(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return Py_NewRef(Py_None);
    case json_type_boolean:
        return PyBool_FromLong(json_object_get_boolean(value));
    case json_type_int:
        return PyLong_FromLongLong(json_object_get_int64(value));
    case json_type_double:
        return PyFloat_FromDouble(json_object_get_double(value));
    case json_type_string:
        return PyUnicode_FromStringAndSize(json_object_get_string(value),
                                           json_object_get_string_len(value));
    case json_type_array:
        return array_to_python(value);
    case json_type_object:
        return object_to_python(value);
    }
    return NULL;
}

PyObject *py_plain_parse(PyObject *module, PyObject *text)
{
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    (void)module;
    if (!data) {
        return NULL;
    }
    struct err err = {0};
    CLEANUP(json_put) struct json_object *value = NULL;
    if (json_parse((struct slice){data, (size_t)size}, &value, &err) < 0) {
        PyErr_SetString(PyExc_ValueError, err.text);
        return NULL;
    }
    return to_python(value);
}

static int from_python(PyObject *value, int depth, struct json_object **ret_value);

static int list_from_python(PyObject *list, int depth, struct json_object **ret_value)
{
    CLEANUP(json_put) struct json_object *array = json_object_new_array();
    for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
        struct json_object *item;
        if (from_python(PyList_GetItem(list, i), depth, &item) < 0) {
            return -1;
        }
        (void)json_object_array_add(array, item);
    }
    *ret_value = TAKE(array);
    return 0;
}

static int dict_from_python(PyObject *dict, int depth, struct json_object **ret_value)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    PyObject *key, *value;
    Py_ssize_t place = 0;
    while (PyDict_Next(dict, &place, &key, &value)) {
        Py_ssize_t size;
        const char *name = PyUnicode_AsUTF8AndSize(key, &size);
        struct json_object *member;
        if (!name || from_python(value, depth, &member) < 0) {
            return -1;
        }
        json_set(object, name, member);
    }
    *ret_value = TAKE(object);
    return 0;
}

static int number_from_python(PyObject *value, struct json_object **ret_value)
{
    if (PyFloat_Check(value)) {
        *ret_value = json_object_new_double(PyFloat_AsDouble(value));
        return 0;
    }
    long long number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    *ret_value = json_object_new_int64(number);
    return 0;
}

/* *ret_value is owned by the caller. 0 or -1. */
static int from_python(PyObject *value, int depth, struct json_object **ret_value)
{
    if (depth > PLAIN_DEPTH_MAX) {
        PyErr_SetString(PyExc_TypeError, "nested too deep");
        return -1;
    }
    if (value == Py_None) {
        *ret_value = NULL;
    } else if (PyBool_Check(value)) {
        *ret_value = json_object_new_boolean(value == Py_True);
    } else if (PyLong_Check(value) || PyFloat_Check(value)) {
        return number_from_python(value, ret_value);
    } else if (PyUnicode_Check(value)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        if (!text) {
            return -1;
        }
        *ret_value = json_object_new_string_len(text, (int)size);
    } else if (PyList_Check(value)) {
        return list_from_python(value, depth + 1, ret_value);
    } else if (PyDict_Check(value)) {
        return dict_from_python(value, depth + 1, ret_value);
    } else {
        PyErr_Format(PyExc_TypeError, "no plain value: %R", value);
        return -1;
    }
    return 0;
}

PyObject *py_plain_text(PyObject *module, PyObject *value)
{
    (void)module;
    CLEANUP(json_put) struct json_object *made = NULL;
    if (from_python(value, 0, &made) < 0) {
        return NULL;
    }
    return PyUnicode_FromString(json_text(made));
}
