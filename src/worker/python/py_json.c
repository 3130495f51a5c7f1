#include "worker/python/py_json.h"

/* A body up to this is copied into a bytes object, which costs less than a view of the memory. */
#define PY_JSON_COPY_MAX 4096

static struct {
    PyObject *loads;
    PyObject *dumps;
    PyObject *options;          /* NULL with the json module */
    PyObject *options_odd_keys; /* for dicts whose keys are no text */
} codec;

int py_json_prepare(void)
{
    if (codec.loads) {
        return 0;
    }
    CLEANUP(py_free) PyObject *found = PyObject_CallNoArgs(py_hooks.load_codec);
    PyObject *loads, *dumps, *options, *options_odd_keys;
    if (!found || !PyArg_ParseTuple(found, "OOOO", &loads, &dumps, &options, &options_odd_keys)) {
        return -1;
    }
    if (codec.loads) { /* another thread was faster: the GIL was free meanwhile */
        return 0;
    }
    codec.dumps = Py_NewRef(dumps);
    codec.options = Py_NewRef(options);
    codec.options_odd_keys = Py_NewRef(options_odd_keys);
    codec.loads = Py_NewRef(loads);
    return 0;
}

bool py_json_too_deep(struct slice text)
{
    /* Nearly no body has that many brackets at all, and this loop is one that compilers vectorize.
     */
    size_t brackets = 0;
    for (size_t i = 0; i < text.size; i++) {
        brackets += ((unsigned char)text.data[i] | 0x20) == '{'; /* '[' | 0x20 == '{' */
    }
    if (brackets <= PY_JSON_DEPTH_MAX) {
        return false;
    }
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > PY_JSON_DEPTH_MAX) {
                return true;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

PyObject *py_json_loads(struct slice text)
{
    if (py_json_prepare() < 0) {
        return NULL;
    }
    if (py_json_too_deep(text)) {
        return PyErr_Format(PyExc_ValueError, "nested deeper than %d levels", PY_JSON_DEPTH_MAX);
    }
    CLEANUP(py_free)
    PyObject *data =
        text.size <= PY_JSON_COPY_MAX
            ? PyBytes_FromStringAndSize(text.data, (Py_ssize_t)text.size)
            : PyMemoryView_FromMemory((char *)text.data, (Py_ssize_t)text.size, PyBUF_READ);
    return data ? PyObject_CallFunctionObjArgs(codec.loads, data, NULL) : NULL;
}

static PyObject *dumps_with(PyObject *value, PyObject *options)
{
    CLEANUP(py_free)
    PyObject *bytes =
        PyObject_CallFunctionObjArgs(codec.dumps, value, py_hooks.default_value, options, NULL);
    if (bytes && !PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "the JSON encoder returned no bytes");
        return NULL;
    }
    return TAKE(bytes);
}

PyObject *py_json_dumps(PyObject *value)
{
    if (py_json_prepare() < 0) {
        return NULL;
    }
    PyObject *bytes = dumps_with(value, codec.options);
    if (bytes || codec.options == codec.options_odd_keys) {
        return bytes;
    }
    PyErr_Clear();
    return dumps_with(value, codec.options_odd_keys);
}
