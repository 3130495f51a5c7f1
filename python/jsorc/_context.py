"""The context of a request in code that runs outside the call's own thread: async actions, and
threads started with ``contextvars.copy_context().run``."""

from _contextvars import ContextVar

from ._jsorc_or_none import _jsorc

_variable = ContextVar("jsorc_context", default=None)

current = _variable.get


def run_async(coroutine):
    """The result of an async action's coroutine; other jobs go on meanwhile."""
    from . import _asyncrun

    token = _variable.set(_jsorc.context_or_none())
    try:
        _jsorc.thread_waits()
        return _asyncrun.run(coroutine)
    finally:
        _variable.reset(token)
