/* From what a Python function left, a value or an exception, to the answer of the call. */
#pragma once

#include "worker/python/py_api.h"

struct worker_answer;

/* The answer keeps owner until it was written. */
void py_answer_keep(struct worker_answer *answer, PyObject *owner);

/* Body and status from a bytes object (taken over; NULL = exception set, then a plain 500). */
void py_answer_bytes(struct worker_answer *answer, int status, PyObject *bytes);

/* Encodes value; what cannot be encoded becomes a 500 that tells its type and place. name is the
 * action's, for messages. */
void py_answer_value(struct worker_answer *answer, int status, PyObject *name, PyObject *value);

/* From the exception that is set, which is cleared. */
void py_answer_exception(struct worker_answer *answer, PyObject *name);

/* The exception that is set, as an instance; clears it. New reference, NULL = none was set. */
PyObject *py_take_exception(void);
