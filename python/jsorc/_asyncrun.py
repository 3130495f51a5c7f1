"""Runs coroutines of async actions: one event loop in a thread of its own for the whole worker, so
that what an action keeps between calls (sessions, pools, locks) stays usable."""

import asyncio
import threading
import time

from . import _context
from ._jsorc_or_none import _jsorc


class NotAwaited(RuntimeError):
    """The caller's mistake, not the action's failure."""


_lock = threading.Lock()
_loop = None
_thread_id = None


def _start():
    global _loop, _thread_id
    with _lock:
        if _loop is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="jsorc-async", daemon=True)
            thread.start()
            _thread_id = thread.ident
            _loop = loop
    return _loop


def run(coroutine):
    """The result of a coroutine, from a thread that may wait for it."""
    loop = _loop or _start()
    if threading.get_ident() == _thread_id:
        coroutine.close()
        raise NotAwaited("an async action was called from async code without await: "
                         "use 'await jsorc.call_async(...)'")
    result, ended = asyncio.run_coroutine_threadsafe(_shielded(coroutine), loop).result()
    if ended is not None:
        raise ended
    return result


async def _shielded(coroutine):
    """(result, None), or (None, error) where the error would end the loop itself."""
    try:
        return await coroutine, None
    except (SystemExit, KeyboardInterrupt) as error:
        return None, error


async def _counted(name, function, args, kwargs):
    """The call of an async action of this process, where it is awaited."""
    start_ns, status = time.monotonic_ns(), 500
    meter, token = _context.begin_meter()
    try:
        result = await function(*args, **kwargs)
        status = 200
        return result
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        from . import _signature, _wire

        params = _signature.params_of(function)
        status, value, seen = _wire.failed_here(name, params, args, kwargs, error)
        if seen is None:
            return value
        raise seen
    finally:
        _context.end_meter(token)
        if _jsorc is not None and status != 0:
            _jsorc.count_call(name, time.monotonic_ns() - start_ns, meter.read(), status >= 400)


async def call_async(call, name, args, kwargs):
    """The call of an action from async code, without blocking the event loop."""
    from . import _registry

    outer = _context.meter()
    if outer is not None:
        outer.begin()
    try:
        function = _registry.find(name)
        if function is not None and asyncio.iscoroutinefunction(function):
            return await _counted(name, function, args, kwargs)
        import contextvars

        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: context.run(call, name, *args, **kwargs))
    finally:
        if outer is not None:
            outer.end()
