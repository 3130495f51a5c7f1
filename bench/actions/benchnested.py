"""A walker that times its calls of an action beside it, with the time of each."""

import time

import jsorc


@jsorc.walker
def nested(calls: int, rounds: int):
    """The least time of a call, in ns, over rounds of so many calls."""
    call, best = jsorc.call, float("inf")
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(calls):
            call("benchwork.echo", text="x")
        best = min(best, (time.perf_counter_ns() - start) / calls)
    return best
