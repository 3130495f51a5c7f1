"""What is measured of calls, wherever they run: nothing is lost and nothing counted twice."""

import json
import os
import signal

import pytest
from metrics import read_metrics
from placement import module_status, move, workers
from programs import wait_until

FLOW = """
import jsorc

@jsorc.walker
def once(text="a"):
    jsorc.report(jsorc.call("text.upper", text))

@jsorc.walker
def many(count=10):
    for _ in range(count):
        jsorc.call("text.upper", "b")

@jsorc.walker
async def awaited(count=3):
    for _ in range(count):
        await jsorc.call_async("text.upper", "c")
        await jsorc.call_async("flow.nap", 0.001)

@jsorc.walker
def failing():
    raise ValueError("as it should")

@jsorc.action
async def nap(seconds: float):
    import asyncio
    await asyncio.sleep(seconds)
"""


def calls_of(daemon, module, action):
    return module_status(daemon, module)["actions"][action]["calls"]


def run(daemon, walker, **ctx):
    reply = daemon.post(f"/walkers/{walker}", {"ctx": ctx})
    assert reply.status == 200
    return reply.json()


@pytest.fixture
def flow(serve, text, write):
    return serve(text, write("flow.py", FLOW))


def test_calls_inside_a_walker_are_counted(flow):
    move(flow, "text", "module")
    run(flow, "many", count=100)
    assert calls_of(flow, "text", "text.upper") == 100
    run(flow, "awaited")
    assert calls_of(flow, "text", "text.upper") == 103
    nap = module_status(flow, "flow")["actions"]["flow.nap"]
    assert nap["calls"] == 3
    assert nap["exec_ms"] >= 1
    assert nap["p50_ms"] == pytest.approx(nap["exec_ms"], rel=0.9), "a local call has no hop"
    status = flow.op("jsorc_status")
    assert {name: row["calls"] for name, row in status["walkers"].items()} == \
        {"many": 1, "awaited": 1}


def test_a_failing_walker_is_an_error_of_its_name(flow):
    flow.expect_log("ValueError")
    assert run(flow, "failing")["success"] is False
    assert run(flow, "nobody")["success"] is False, "not found"
    status = flow.op("jsorc_status")
    walkers = status["walkers"]
    assert (walkers["failing"]["calls"], walkers["failing"]["failed"]) == (1, 1)
    assert list(walkers) == ["failing"], "a name that does not exist makes no row"
    assert status["walker_runs"]["calls"] == 2


def test_figures_only_grow_over_generations(flow):
    move(flow, "text", "module")
    total = 0
    for mode in ("remote", "module", "remote", "module"):
        run(flow, "many", count=7)
        total += 7
        assert flow.call("text.upper", text="a").json() == "A"
        total += 1
        before = {worker["pid"] for worker in workers(flow, "runtime")}
        assert calls_of(flow, "text", "text.upper") == total
        run(flow, "many", count=5)  # not yet looked at when the generation ends
        total += 5
        move(flow, "text", mode)
        wait_until(lambda gone=before: not gone & {worker["pid"]
                                                   for worker in workers(flow, "runtime")})
        assert calls_of(flow, "text", "text.upper") == total


def test_an_adopted_worker_is_counted_from_its_adoption(flow):
    move(flow, "text", "module")
    run(flow, "many", count=9)
    flow.expect_log("daemon")
    pid = flow.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: flow.daemon_pid() not in (None, pid) and flow.answers(), 20)
    calls_of(flow, "text", "text.upper")
    run(flow, "many", count=4)
    assert calls_of(flow, "text", "text.upper") == 4


# ---- whose calls they are

OUTER = """
import threading
import jsorc

@jsorc.action
def plain(count=2):
    for _ in range(count):
        jsorc.call("text.upper", "a")

@jsorc.action
async def awaited(count=2):
    for _ in range(count):
        await jsorc.call_async("text.upper", "a")

@jsorc.action
def threaded():
    thread = threading.Thread(target=jsorc.call, args=("text.upper", "a"))
    thread.start()
    thread.join()
"""
OUTER += "\n@jsorc.action\ndef " + "n" * 190 + "():\n    jsorc.call('text.upper', 'a')\n"
OUTER_FLOW = """
import jsorc

@jsorc.walker
def through(action):
    jsorc.call(action)
"""


@pytest.mark.parametrize("inner_place", ["module", "remote"])
@pytest.mark.parametrize("outer_place", ["module", "remote"])
def test_calls_of_an_action_are_those_of_the_request_that_it_serves(
        serve, text, write, outer_place, inner_place):
    daemon = serve(text, write("outer.py", OUTER), write("flow.py", OUTER_FLOW))
    move(daemon, "outer", outer_place)
    move(daemon, "text", inner_place)
    for action in ("plain", "awaited", "threaded", "n" * 190):
        assert daemon.call(f"outer.{action}").status == 200
    for action in ("plain", "awaited"):
        run(daemon, "through", action=f"outer.{action}")
    metrics = read_metrics(daemon)

    def calls(walker):
        return metrics("jsorc_action_calls_total", action="text.upper", walker=walker)

    assert calls("") in (0, None), "none of them is a request"
    assert calls("/actions/outer.plain") == 2
    assert calls("/actions/outer.awaited") == 2
    assert calls("through") == 4
    assert calls("(others)") == 2, "of a thread without a request, and of too long a name"
    assert metrics("jsorc_action_calls_total", action="outer.plain", walker="") == 1


INNER = """
import time
import jsorc

@jsorc.action
def nap():
    time.sleep(0.2)

@jsorc.action
def same():
    jsorc.call("inner.nap")
"""
NAPS = """
import jsorc

@jsorc.action
def nap():
    jsorc.call("inner.nap")
"""


@pytest.mark.parametrize("inner_place", ["module", "remote"])
@pytest.mark.parametrize("outer_place", ["module", "remote"])
def test_what_nested_calls_take_is_the_time_of_those(serve, write, outer_place, inner_place):
    daemon = serve(write("inner.py", INNER), write("outer.py", NAPS), write("flow.py", OUTER_FLOW))
    move(daemon, "outer", outer_place)
    move(daemon, "inner", inner_place)
    timing = daemon.call("outer.nap").headers["Server-Timing"]
    whole, nested = (float(part.split("dur=")[1]) for part in timing.split(", "))
    assert 200 <= nested <= whole
    run(daemon, "through", action="outer.nap")
    figures = json.loads(daemon.op("jsorc_actionpolicy_observe", seconds=0)["lines"][1])
    assert figures["actions"]["inner"]["exec_s"] >= 0.2
    assert figures["actions"]["outer"]["exec_s"] < 0.15, "its own time alone"
    assert figures["actions"]["outer"]["mean_s"] < 0.15, "so what is left is its own hop"
