"""jsorc_trackact_start, _report and _stop: the calls of each action, from one placement to the
next."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from placement import move

TEXT = """
import time
import jsorc

@jsorc.action
def nap(seconds: float = 0):
    time.sleep(seconds)
    return "x" * 100

@jsorc.action
def fail():
    raise ValueError("no")
"""
FLOW = """
import jsorc

@jsorc.walker
def naps(seconds: float = 0, count: int = 3):
    for _ in range(count):
        jsorc.call("text.nap", seconds)
"""
STATS = {"count", "errors", "mean", "p50", "p95", "p99", "exec", "bytes_out", "bytes_in", "places"}


@pytest.fixture
def daemon(serve, write):
    daemon = serve(write("text.py", TEXT), write("flow.py", FLOW))
    run(daemon)  # now both are loaded
    return daemon


def run(daemon, **ctx):
    assert daemon.post("/walkers/naps", {"ctx": ctx}).json()["success"]


def test_entry_0_has_the_calls_of_a_walker(daemon):
    """Calls inside the walker's process, which pass no daemon."""
    before = time.time()
    assert daemon.op("jsorc_trackact_start") == {"success": True}
    run(daemon, seconds=0.02)
    entry, = daemon.op("jsorc_trackact_stop")
    assert set(entry) == {"ts", "actions_calls", "actions_stats"}
    assert before - 0.01 <= entry["ts"] <= time.time()
    assert set(entry["actions_calls"]) == {"text.nap"}
    assert 0.02 <= entry["actions_calls"]["text.nap"] < 0.2
    stats = entry["actions_stats"]["text.nap"]
    assert set(stats) == STATS
    assert (stats["count"], stats["errors"], stats["places"]) == (3, 0, {"module": 3, "remote": 0})


def test_the_figures_are_those_of_the_calls(daemon):
    move(daemon, "text", "remote")
    daemon.call("text.nap")
    daemon.op("jsorc_trackact_start")
    naps = [0.001 * i for i in range(30)]

    def timed(nap):
        start = time.monotonic()
        assert daemon.call("text.nap", seconds=nap).status == 200
        return time.monotonic() - start

    with ThreadPoolExecutor(3) as pool:
        seen = list(pool.map(timed, naps))
    assert daemon.call("text.fail").status == 500
    entry, = daemon.op("jsorc_trackact_report")
    assert set(entry["actions_calls"]) == {"text.nap"}  # the original counts what went well
    assert set(entry["actions_stats"]) == {"text.nap", "text.fail"}
    stats = entry["actions_stats"]["text.nap"]
    assert entry["actions_calls"]["text.nap"] == stats["mean"]
    assert numpy.mean(naps) <= stats["exec"] <= stats["mean"] <= numpy.mean(seen)
    for key, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
        low = numpy.percentile(naps, percent, method="lower")
        high = numpy.percentile(seen, percent, method="higher")
        assert 0.99 * low <= stats[key] <= 1.01 * high, key
    assert stats["bytes_out"] == 30 * len(json.dumps("x" * 100))
    assert stats["bytes_in"] == sum(len(json.dumps({"seconds": nap})) for nap in naps)
    assert stats["places"] == {"module": 0, "remote": 30}
    failed = entry["actions_stats"]["text.fail"]
    assert (failed["count"], failed["errors"], failed["mean"]) == (1, 1, None)


def test_each_move_begins_an_entry(daemon):
    daemon.op("jsorc_trackact_start")
    for place, count in (("remote", 2), ("module", 5)):
        run(daemon, count=count)
        move(daemon, "text", place)
    run(daemon, count=4)
    history = daemon.op("jsorc_trackact_report")
    assert [entry["actions_stats"]["text.nap"]["count"] for entry in history] == [2, 5, 4]
    assert [entry["actions_stats"]["text.nap"]["places"] for entry in history] == [
        {"module": 2, "remote": 0}, {"module": 0, "remote": 5}, {"module": 4, "remote": 0}]
    assert [entry.get("actions_state", {}).get("text") for entry in history] == [
        None, {"mode": "remote"}, {"mode": "module"}]
    assert all(entry["actions_state"]["flow"] == {"mode": "module"} for entry in history[1:])
    stamps = [entry["ts"] for entry in history]
    assert stamps == sorted(stamps)
    assert daemon.op("jsorc_trackact_stop") == history


def test_out_of_service_is_no_place(daemon):
    """A module has moved when it comes back elsewhere, not when it goes or comes for the first
    time."""
    daemon.op("jsorc_trackact_start")
    for place, entries in (("module", 1), ("remote", 2)):
        assert daemon.op("jsorc_actions_unload", name="text", mode="auto")["success"]
        move(daemon, "text", place)
        assert len(daemon.op("jsorc_trackact_report")) == entries
    assert daemon.op("jsorc_trackact_stop")[1]["actions_state"]["text"] == {"mode": "remote"}


def test_a_module_that_is_loaded_meanwhile_is_in_entry_0(serve, kit, write):
    """The original's test_actions_tracking."""
    daemon = serve(write("flow.py", """
import jsorc

@jsorc.walker
def three():
    return [jsorc.call("example_module.call", text) for text in "abc"]
"""), env=kit)
    daemon.op("jsorc_trackact_start")
    assert daemon.op("jsorc_actions_config", config="jac_misc.config",
                     name="example_module")["success"]
    move(daemon, "example_module", "module")
    assert daemon.post("/walkers/three", {}).json()["success"]
    entry, = daemon.op("jsorc_trackact_stop")
    assert "example_module.call" in entry["actions_calls"]
    assert entry["actions_stats"]["example_module.call"]["count"] == 3


def test_it_stops_and_starts_as_it_is_told(daemon):
    assert daemon.op("jsorc_trackact_report") == []
    assert daemon.op("jsorc_trackact_stop") == []
    daemon.op("jsorc_trackact_start")
    run(daemon)
    daemon.op("jsorc_trackact_start")  # begins anew
    entry, = daemon.op("jsorc_trackact_report")
    assert entry["actions_calls"] == {}
    assert len(daemon.op("jsorc_trackact_stop")) == 1
    assert daemon.op("jsorc_trackact_report") == []  # stopped is stopped
    move(daemon, "text", "remote")
    assert daemon.op("jsorc_trackact_stop") == []
    daemon.op("jsorc_trackact_start")
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.op("jsorc_trackact_report") == []


def test_calls_that_are_not_counted_cannot_be_tracked(serve):
    daemon = serve(options=("--measure=false",))
    answer = daemon.op("jsorc_trackact_start")
    assert answer["success"] is False and "'measure'" in answer["response"]
    assert daemon.op("jsorc_trackact_report") == []


def test_nothing_is_lost_or_counted_twice_over_moves_under_load(daemon):
    daemon.op("jsorc_trackact_start")
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run, daemon, count=2) for _ in range(150)]
        for place in ("remote", "module"):
            move(daemon, "text", place)
        for future in runs:
            future.result()
    history = daemon.op("jsorc_trackact_stop")
    counted = [entry["actions_stats"].get("text.nap", {"count": 0, "errors": 0})
               for entry in history]
    assert sum(stats["count"] for stats in counted) == 300
    assert sum(stats["errors"] for stats in counted) == 0
    assert len(history) == 3


def test_the_command_line_has_the_originals_forms_and_a_table(daemon):
    for name in ("trackact", "actionstracking"):
        assert json.loads(daemon.cli("jsorc", name, "start").stdout) == {"success": True}
        run(daemon)
        if name == "trackact":
            head, row = daemon.cli(name, "report", "-o", "table").stdout.splitlines()
            assert head.split()[:4] == ["SINCE", "ACTION", "CALLS", "ERRORS"]
            assert row.split()[2:5] == ["text.nap", "3", "0"]
        entry, = json.loads(daemon.cli("jsorc", name, "stop").stdout)
        assert set(entry["actions_calls"]) == {"text.nap"}


def test_a_report_has_all_calls_before_it_while_others_ask_for_one(daemon):
    daemon.op("jsorc_trackact_start")

    def ask(times):
        for _ in range(times):
            daemon.op("jsorc_trackact_report")

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, 100) for _ in range(2)]
        done = 0
        while not all(future.done() for future in asking):
            run(daemon, count=1)
            done += 1
            entry, = daemon.op("jsorc_trackact_report")
            assert entry["actions_stats"]["text.nap"]["count"] == done
