"""Runs coroutines of async actions: one event loop in a thread of its own for the whole worker, so
that what an action keeps between calls (sessions, pools, locks) stays usable."""

import asyncio
import threading
import time

from ._jsorc_or_none import _jsorc

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
        raise RuntimeError("an async action was called from async code without await: "
                           "use 'await jsorc.call_async(...)'")
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


async def _counted(name, coroutine):
    start_ns, failed = time.monotonic_ns(), True
    try:
        result = await coroutine
        failed = False
        return result
    finally:
        if _jsorc is not None:
            _jsorc.count_call(name, time.monotonic_ns() - start_ns, failed)


async def call_async(call, name, args, kwargs):
    """The call of an action from async code, without blocking the event loop."""
    from . import _registry

    function = _registry.find(name)
    if function is not None and asyncio.iscoroutinefunction(function):
        return await _counted(name, function(*args, **kwargs))
    import contextvars

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        None, lambda: context.run(call, name, *args, **kwargs))
