"""A walker that times calls of an action, as the walker sees them."""

import time

import jsorc


@jsorc.walker
def timed(calls: int):
    """Microseconds a call of the no-op benchwork.echo, and of a plain Python function beside it."""
    call = jsorc.call

    def echo(text):
        return text

    start = time.perf_counter_ns()
    for _ in range(calls):
        call("benchwork.echo", text="x")
    called = time.perf_counter_ns()
    for _ in range(calls):
        echo(text="x")
    done = time.perf_counter_ns()
    return {"call_us": (called - start) / calls / 1000, "plain_us": (done - called) / calls / 1000}
