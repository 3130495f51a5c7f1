"""The context of a request in code that runs outside the call's own thread: async actions, and
threads started with ``contextvars.copy_context().run``."""

from _contextvars import ContextVar
from time import monotonic_ns

from ._jsorc_or_none import _jsorc

_variable = ContextVar("jsorc_context", default=None)
_meter = ContextVar("jsorc_meter", default=None)

current = _variable.get
meter = _meter.get


class Meter:
    """How long an async call has waited for other actions: the time in which at least one of its
    calls was under way, so that calls side by side do not count twice."""

    __slots__ = ("under_way", "since_ns", "nested_ns")

    def __init__(self):
        self.under_way = self.since_ns = self.nested_ns = 0

    def begin(self):
        if self.under_way == 0:
            self.since_ns = monotonic_ns()
        self.under_way += 1

    def end(self):
        self.under_way -= 1
        if self.under_way == 0:
            self.nested_ns += monotonic_ns() - self.since_ns

    def read(self):
        return self.nested_ns + (monotonic_ns() - self.since_ns if self.under_way else 0)


def begin_meter():
    """(meter, token): one for a call that begins here."""
    made = Meter()
    return made, _meter.set(made)


def end_meter(token):
    try:
        _meter.reset(token)
    except ValueError:  # a coroutine that was given up is closed from elsewhere
        pass


def add_nested(nested_ns):
    """Of a call that blocked the async code that made it."""
    found = _meter.get()
    if found is not None and found.under_way == 0:  # else it is within what is under way
        found.nested_ns += nested_ns


def run_async(coroutine):
    """The result of an async action's coroutine; other jobs go on meanwhile."""
    from . import _asyncrun

    token = _variable.set(_jsorc.context_or_none())
    made, meter_token = begin_meter()
    try:
        _jsorc.thread_waits()
        return _asyncrun.run(coroutine)
    finally:
        end_meter(meter_token)
        _variable.reset(token)
        _jsorc.add_nested(made.read())
