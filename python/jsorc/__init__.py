"""jsorc: functions served as actions, called by name wherever their module is placed.

    import jsorc

    @jsorc.action
    def split(text: str, sep: str = " ") -> list[str]:
        return text.split(sep)

    @jsorc.walker
    def intake(text: str):
        jsorc.report(jsorc.call("text.split", text=text))

``jsorc serve FILE`` serves both; see :func:`action`, :func:`walker`, :func:`call`.
"""

from . import _wire
from ._jsorc_or_none import _jsorc
from ._registry import action, walker
from .errors import ActionError, HTTPError

__all__ = ["ActionError", "Client", "HTTPError", "action", "actions", "call", "call_async",
           "context", "report", "walker"]
__version__ = "0.1.0"

if _jsorc is not None:
    _jsorc.install(call=_wire.call)
    call = _jsorc.call
    report = _jsorc.report
    context = _jsorc.context
else:

    def call(name, /, *args, **kwargs):
        """Calls an action by its full name and returns its result."""
        return _wire.call(name, args, kwargs)

    def report(value, /):
        """Adds a value to the answer of the walker that is running."""
        raise RuntimeError("report() works in a walker that a worker runs, and the extension "
                           "_jsorc is not installed here")

    def context():
        """What is known about the request that is running."""
        raise RuntimeError("context() works in a call that a worker runs, and the extension "
                           "_jsorc is not installed here")


actions = _wire.Actions(call)


async def call_async(name, /, *args, **kwargs):
    """As :func:`call`, for async functions: waits without blocking the event loop."""
    from . import _asyncrun

    return await _asyncrun.call_async(call, name, args, kwargs)


def __getattr__(name):
    if name == "Client":  # imports http.client, which a worker does not need
        from .client import Client

        return Client
    raise AttributeError(f"module 'jsorc' has no attribute {name!r}")
