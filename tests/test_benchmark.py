"""jsorc_benchmark_start, _report and _stop: what they book, under which names, and that the figures
are those of the requests."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from test_api import FORM, local

WALKERS = """
import time
import jsorc

@jsorc.walker
def nap(seconds: float = 0, name: str = ""):
    time.sleep(seconds)
    return seconds

@jsorc.walker
def fail():
    raise ValueError("no")

@jsorc.walker(name="straße")
def named():
    return 1
"""
KEYS = {"throughput", "average_latency", "50th_latency", "90th_latency", "95th_latency",
        "99th_latency", "999th_latency", "min_latency", "max_latency", "count", "errors"}
PERCENTS = {"50th_latency": 50, "90th_latency": 90, "95th_latency": 95, "99th_latency": 99,
            "999th_latency": 99.9}


@pytest.fixture
def daemon(serve, write):
    return serve(write("flow.py", WALKERS))


@pytest.fixture
def bare(serve):
    """A daemon without workers."""
    return serve()


def run(daemon, name, **ctx):
    return local(daemon, "POST", "/js/walker_run", {"name": name, "ctx": ctx}).json()


def figures(samples_ms):
    """What a leaf must say of samples, but for the throughput."""
    return {**{key: numpy.percentile(samples_ms, percent) for key, percent in PERCENTS.items()},
            "average_latency": numpy.mean(samples_ms), "min_latency": min(samples_ms),
            "max_latency": max(samples_ms), "count": len(samples_ms)}


def test_nothing_is_there_before_the_start_and_after_the_stop(daemon):
    assert daemon.op("jsorc_benchmark_report") == {}
    assert daemon.op("jsorc_benchmark_stop") == {}
    assert daemon.op("jsorc_benchmark_start") == {"success": True}
    assert daemon.op("jsorc_benchmark_report") == {}
    run(daemon, "nap")
    assert daemon.op("jsorc_benchmark_stop", report=False) == {}
    run(daemon, "nap")
    assert daemon.op("jsorc_benchmark_report") == {}
    assert daemon.op("jsorc_benchmark_stop") == {}


def test_walkers_count_by_name_however_they_are_called(daemon):
    daemon.op("jsorc_benchmark_start")
    assert run(daemon, "nap")["success"]
    local(daemon, "POST", "/js/walker_run", {"ctx": {"name": "x"}, "name": "nap"})
    local(daemon, "POST", "/js/walker_run", b"name=nap", headers={"Content-Type": FORM})
    local(daemon, "POST", "/js/walker_run?name=nap", {})
    local(daemon, "POST", "/walkers/nap", {})
    local(daemon, "POST", "/js/wapi/nap", {})
    assert run(daemon, "straße")["success"]
    assert not run(daemon, "fail")["success"]
    assert not run(daemon, "nobody")["success"]
    report = daemon.op("jsorc_benchmark_stop")
    assert set(report) == {"walker_run", "wapi"}
    assert {name: (leaf["count"], leaf["errors"]) for name, leaf in report["walker_run"].items()} \
        == {"nap": (5, 0), "straße": (1, 0), "fail": (1, 1), "nobody": (1, 1), "all": (8, 2)}
    assert report["wapi"]["nap"]["count"] == report["wapi"]["all"]["count"] == 1
    assert all(set(leaf) == KEYS for op in report.values() for leaf in op.values())


def test_the_figures_are_those_of_the_requests(daemon):
    """The daemon sees less of a request than its client and more than the walker."""
    naps = [0.001 * (i % 7) ** 2 for i in range(40)]
    begun = time.monotonic()
    daemon.op("jsorc_benchmark_start")
    active = time.monotonic()

    def timed(nap):
        start = time.monotonic()
        assert run(daemon, "nap", seconds=nap)["report"] == [nap]
        return time.monotonic() - start

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(timed, naps))
    before = time.monotonic()
    report = daemon.op("jsorc_benchmark_report")
    after = time.monotonic()
    leaf = report["walker_run"]["nap"]
    low, high = figures([1000 * nap for nap in naps]), figures([1000 * second for second in seen])
    for key in low:
        assert low[key] <= leaf[key] <= high[key], key
    assert leaf == report["walker_run"]["all"]
    assert 40 / (after - begun) <= leaf["throughput"] <= 40 / (before - active)
    time.sleep(0.1)
    later = daemon.op("jsorc_benchmark_stop")["walker_run"]["nap"]
    assert later["throughput"] < leaf["throughput"]  # idle time counts
    assert {**later, "throughput": leaf["throughput"]} == leaf


@pytest.mark.sanitize
def test_percentiles_are_numpys(bare):
    """The API's log has the same latencies, one a line."""
    bare.op("jsorc_benchmark_start")
    for i in range(30):
        bare.op("config_set", name="CONFIG_EXAMPLE", value="x" * (1 << i % 14))
    bare.op("config_set", name="CONFIG_EXAMPLE")  # refused: a parameter is missing
    report = bare.op("jsorc_benchmark_stop")
    assert set(report) == {"config_set"}
    assert set(report["config_set"]) == {"_default_", "all"}
    lines = map(json.loads, (bare.state / "logs/api.log").read_text().splitlines())
    samples = [1000 * line["request_latency"] for line in lines
               if line["api_name"] == "config_set" and "request_latency" in line]
    leaf = report["config_set"]["_default_"]
    wanted = figures(samples)
    assert {key: leaf[key] for key in wanted} == pytest.approx(wanted, rel=1e-9)
    assert (leaf["count"], leaf["errors"]) == (31, 1)


@pytest.mark.sanitize
def test_its_own_operations_are_booked_on_demand(bare):
    bare.op("jsorc_benchmark_start", include_control=True)
    first = bare.op("jsorc_benchmark_report")
    second = bare.op("jsorc_benchmark_report")
    assert set(first) == {"jsorc_benchmark_start"}
    assert set(second) == {"jsorc_benchmark_start", "jsorc_benchmark_report"}
    assert set(bare.op("jsorc_benchmark_stop")) == set(second)


def test_a_second_start_begins_anew(daemon):
    for runs in (3, 2):
        daemon.op("jsorc_benchmark_start")
        for _ in range(runs):
            run(daemon, "nap")
    assert daemon.op("jsorc_benchmark_stop")["walker_run"]["nap"]["count"] == 2


def test_starts_and_stops_while_requests_run(daemon):
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run, daemon, "nap") for _ in range(200)]
        while not all(future.done() for future in runs):
            assert daemon.op("jsorc_benchmark_start")["success"]
            report = daemon.op("jsorc_benchmark_stop")
            assert set(report) <= {"walker_run"}
        assert all(future.result()["success"] for future in runs)


def test_a_lost_worker_counts_as_an_error_of_its_walker(serve, write):
    daemon = serve(write("flow.py", """
import os
import jsorc

@jsorc.walker
def end():
    os._exit(3)
"""))
    daemon.expect_log("worker|runtime")
    daemon.op("jsorc_benchmark_start")
    assert local(daemon, "POST", "/js/walker_run", {"name": "end"}).status == 502
    leaf = daemon.op("jsorc_benchmark_stop")["walker_run"]["end"]
    assert (leaf["count"], leaf["errors"]) == (1, 1)


def test_walkers_are_booked_where_nothing_else_is_counted(serve, write):
    daemon = serve(write("flow.py", WALKERS), options=("--measure=false",))
    daemon.op("jsorc_benchmark_start")
    run(daemon, "nap")
    run(daemon, "fail")
    report = daemon.op("jsorc_benchmark_stop")["walker_run"]
    assert {name: (leaf["count"], leaf["errors"]) for name, leaf in report.items()} == {
        "nap": (1, 0), "fail": (1, 1), "all": (2, 1)}


def test_bad_parameters_are_refused(bare):
    for op, parameters in (("jsorc_benchmark_start", {"include_control": "maybe"}),
                           ("jsorc_benchmark_stop", {"report": 7})):
        reply = bare.post(f"/js_admin/{op}", parameters, connection=bare.connect_local())
        assert reply.status == 400
        assert list(parameters)[0] in reply.json()["response"]
    assert bare.get("/js_admin/jsorc_benchmark_report").status in (401, 405)


def test_a_restarted_daemon_has_no_benchmark(daemon):
    daemon.op("jsorc_benchmark_start")
    run(daemon, "nap")
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.op("jsorc_benchmark_report") == {}


def test_the_command_line_knows_the_originals_forms(daemon):
    assert json.loads(daemon.cli("jsorc", "benchmark", "start").stdout) == {"success": True}
    run(daemon, "nap")
    report = json.loads(daemon.cli("benchmark", "report").stdout)
    assert set(report) == {"walker_run"}
    assert set(json.loads(daemon.cli("jsorc", "benchmark", "stop", "-report", "True").stdout)) \
        == {"walker_run"}
    assert daemon.cli("benchmark", "stop").returncode == 0


def test_the_command_line_shows_a_table(daemon):
    daemon.op("jsorc_benchmark_start")
    run(daemon, "nap")
    run(daemon, "fail")
    head, *rows = daemon.cli("benchmark", "report", "-o", "table").stdout.splitlines()
    assert head.split()[:4] == ["OPERATION", "NAME", "CALLS", "ERRORS"]
    assert [row.split()[:4] for row in rows] == [
        ["walker_run", "fail", "1", "1"], ["walker_run", "nap", "1", "0"],
        ["walker_run", "(all)", "2", "1"]]
    assert daemon.cli("benchmark", "start", "-o", "table").returncode == 0
