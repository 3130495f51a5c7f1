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
    metrics = read_metrics(flow)
    assert metrics("jsorc_walker_errors_total", walker="failing") == 1
    assert metrics("jsorc_walker_errors_total", walker="") == 1
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


# ---- how long a caller waits

SLOW = """
import time
import jsorc

class Slow:
    def tolist(self):  # what the encoder calls for it
        time.sleep(0.3)
        return [1]

@jsorc.walker
def send(count=2):
    for _ in range(count):
        jsorc.call("far.take", Slow())

@jsorc.walker
async def send_async(count=2):
    for _ in range(count):
        await jsorc.call_async("far.take", Slow())
"""
FAR = """
import jsorc

@jsorc.action
def take(values):
    return 1
"""


@pytest.mark.parametrize("walker", ["send", "send_async"])
def test_a_call_of_a_pod_lasts_from_the_callers_first_step_to_its_last(serve, write, walker):
    daemon = serve(write("far.py", FAR), write("flow.py", SLOW))
    move(daemon, "far", "remote")
    daemon.op("jsorc_trackact_start")
    run(daemon, walker)
    run(daemon, walker, count=1)
    entry, = daemon.op("jsorc_trackact_stop")
    stats = entry["actions_stats"]["far.take"]
    assert (stats["count"], stats["errors"], stats["places"]["remote"]) == (3, 0, 3)
    assert stats["mean"] >= 0.3, "the encoding of the arguments is a part of it"
    assert stats["p50"] >= 0.29
    metrics = read_metrics(daemon)
    assert metrics("jsorc_action_duration_seconds_count", action="far.take", place="remote",
                   walker=walker) == 3
    assert metrics("jsorc_action_duration_seconds_sum", action="far.take") >= 0.9
    assert metrics("jsorc_action_executions_total", action="far.take") == 3
    assert daemon.call("far.take", values=[]).status == 200
    assert read_metrics(daemon)("jsorc_action_duration_seconds_count", action="far.take",
                                place="remote", walker="") == 1, "of a client's the daemon tells"


def test_durations_that_callers_tell_only_grow_over_generations_and_pods(serve, text, write):
    daemon = serve(text, write("outer.py", OUTER))
    total = 0
    for outer in ("module", "remote", "module"):
        move(daemon, "outer", outer)
        for place in ("remote", "module"):
            move(daemon, "text", place)
            assert daemon.call("outer.plain", count=5).status == 200
            total += 5
            metrics = read_metrics(daemon)
            assert metrics("jsorc_action_calls_total", action="text.upper") == total
            assert metrics("jsorc_action_duration_seconds_count", action="text.upper") == total


GATHER = """
import asyncio
import jsorc

@jsorc.action
async def side_by_side():
    await asyncio.sleep(0.2)
    await asyncio.gather(*(jsorc.call_async("inner.sleep", 0.3) for _ in range(3)))

@jsorc.action
async def through():
    await jsorc.call_async("outer.between")

@jsorc.action
async def between():
    await jsorc.call_async("inner.sleep", 0.3)

@jsorc.action
async def blocks():
    jsorc.call("inner.sleep_blocking", 0.3)
"""
SLEEPER = """
import asyncio
import time
import jsorc

@jsorc.action
async def sleep(seconds: float):
    await asyncio.sleep(seconds)

@jsorc.action
def sleep_blocking(seconds: float):
    time.sleep(seconds)
"""


@pytest.mark.parametrize("inner_place", ["module", "remote"])
@pytest.mark.parametrize("outer_place", ["module", "remote"])
def test_what_async_actions_wait_for_others_counts_once(serve, write, outer_place, inner_place):
    daemon = serve(write("inner.py", SLEEPER), write("outer.py", GATHER))
    move(daemon, "inner", inner_place)
    move(daemon, "outer", outer_place)

    def timing(action):
        reply = daemon.call(f"outer.{action}")
        assert reply.status == 200, reply.body
        return [float(part.split("dur=")[1]) for part in reply.headers["Server-Timing"].split(", ")]

    whole, nested = timing("side_by_side")
    assert nested >= 300
    assert whole - nested >= 190, "its own sleep is its own, however many calls lie side by side"
    for action in ("through", "blocks"):
        whole, nested = timing(action)
        assert 300 <= nested <= whole, action
    grown = daemon.op("jsorc_actionpolicy_observe", seconds=0)
    figures = json.loads(grown["lines"][1])["actions"]
    assert figures["inner"]["exec_s"] >= 0.25
    # Five executions in outer: 0.2 s of its own, all else is inner's.
    assert figures["outer"]["exec_s"] < 0.25, "what lies between has nothing of its own either"
