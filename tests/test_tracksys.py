"""jsorc_tracksys_start, _report and _stop: what the daemon, its workers and this host use."""

import json
import os
import socket
import time
from pathlib import Path

import pytest
from programs import wait_until

WORK = """
import os
import time
import jsorc

KEPT = b"x" * 50_000_000

@jsorc.action
def burn(seconds: float):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return os.getpid()
"""
POD_KEYS = {"cpu_utilization_cores", "mem_utilization_bytes", "network_recv_bytes",
            "network_tran_bytes"}
NODE_KEYS = {"disk_read_bytes", "disk_write_bytes", "cpu_cores", "mem_total_bytes",
             "mem_active_bytes", "net_recv_bytes", "net_tran_bytes"}
NOTHING = {"active": False, "states": [], "dropped": 0}
INTERVAL = 0.2
TICK = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def daemon(serve, write):
    daemon = serve(write("work.py", WORK), options=("--tracksys-interval-s", INTERVAL))
    daemon.call("work.burn", seconds=0)
    return daemon


def states(daemon, count):
    """The report once it has that many states."""
    def enough():
        report = daemon.op("jsorc_tracksys_report")
        return report if len(report["states"]) >= count else None

    return wait_until(enough, 10, f"{count} states")["states"]


def worker_of(daemon, pid):
    return next(worker["name"] for worker in daemon.op("jsorc_status")["workers"]
                if worker["pid"] == pid)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def test_states_come_at_the_interval_and_have_the_originals_keys(daemon):
    assert daemon.op("jsorc_tracksys_report") == NOTHING
    assert daemon.op("jsorc_tracksys_stop") == NOTHING
    begun = time.time()
    assert daemon.op("jsorc_tracksys_start") == {"success": True}
    assert daemon.op("jsorc_tracksys_report") == {"active": True, "states": [], "dropped": 0}
    found = states(daemon, 3)
    took = time.time() - begun
    assert 3 * INTERVAL <= took + 0.01
    runtime = worker_of(daemon, daemon.call("work.burn", seconds=0).json())
    for state in found:
        assert set(state) == {"ts", "actions", "prometheus", "nodes", "cgroup", "source"}
        assert int(begun) - 1 <= state["ts"] <= time.time() and isinstance(state["ts"], int)
        assert state["actions"] == {"work": {"mode": "module"}}
        assert set(state["prometheus"]) == {"daemon", runtime}
        assert all(set(pod) == POD_KEYS for pod in state["prometheus"].values())
        assert set(state["nodes"]) == {socket.gethostname()}
        assert all(set(node) == NODE_KEYS for node in state["nodes"].values())
        assert set(state["cgroup"]) == {"cpu_utilization_cores", "mem_utilization_bytes",
                                        "mem_max_bytes"}
        assert state["source"] == "local"
        for pod in state["prometheus"].values():  # what cannot be known is not 0
            assert pod["network_recv_bytes"] is None and pod["network_tran_bytes"] is None
    last = daemon.op("jsorc_tracksys_stop")
    assert last["active"] and last["states"][:3] == found
    assert daemon.op("jsorc_tracksys_report") == NOTHING
    time.sleep(2 * INTERVAL)
    assert daemon.op("jsorc_tracksys_stop") == NOTHING  # stopped is stopped


def test_the_figures_are_the_kernels(daemon):
    pid = daemon.call("work.burn", seconds=0).json()
    pod = worker_of(daemon, pid)
    before = cpu_seconds(pid)
    daemon.op("jsorc_tracksys_start")
    start = time.monotonic()
    assert daemon.call("work.burn", seconds=0.6).status == 200
    time.sleep(2 * INTERVAL)
    found = daemon.op("jsorc_tracksys_report")["states"]
    elapsed, used = time.monotonic() - start, cpu_seconds(pid) - before
    cores = [state["prometheus"][pod]["cpu_utilization_cores"] for state in found]
    # Mean cores over the intervals, by the time that they cover together.
    told = sum(cores) / len(cores) * elapsed
    assert used == pytest.approx(told, rel=0.6)
    assert max(cores) < 1.6  # one thread of Python
    host = found[-1]["nodes"][socket.gethostname()]
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert host["mem_total_bytes"] == total
    assert 0 < host["mem_active_bytes"] < total
    # The kernel counts in ticks: a short interval may have none.
    busiest = max(state["nodes"][socket.gethostname()]["cpu_cores"] for state in found)
    assert 0 < busiest <= os.cpu_count() * 1.5

    pss = int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0]) * 1024
    pods = found[-1]["prometheus"]
    assert pss > 50e6
    assert pods[pod]["mem_utilization_bytes"] == pytest.approx(pss, rel=0.2)
    assert 1e6 < pods["daemon"]["mem_utilization_bytes"] < 50e6


def test_a_moved_module_shows_as_its_pod(daemon):
    daemon.op("jsorc_tracksys_start")
    states(daemon, 1)
    assert daemon.op("jsorc_actions_load", name="work", mode="remote", wait=True)["success"]
    pod = worker_of(daemon, daemon.call("work.burn", seconds=0).json())

    def last():
        return daemon.op("jsorc_tracksys_report")["states"][-1]

    wait_until(lambda: last()["actions"] == {"work": {"mode": "remote"}}, 10, "the new placement")
    wait_until(lambda: last()["prometheus"][pod]["cpu_utilization_cores"] is not None, 10, "a rate")


@pytest.mark.sanitize
def test_a_second_start_begins_anew_and_a_restart_forgets(serve):
    daemon = serve(options=("--tracksys-interval-s", INTERVAL))
    daemon.op("jsorc_tracksys_start")
    states(daemon, 2)
    daemon.op("jsorc_tracksys_start")
    assert len(daemon.op("jsorc_tracksys_report")["states"]) < 2
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.op("jsorc_tracksys_report") == NOTHING


def test_the_command_line_has_the_originals_forms_and_a_table(daemon):
    assert json.loads(daemon.cli("jsorc", "tracksys", "start").stdout) == {"success": True}
    states(daemon, 1)
    head, *rows = daemon.cli("tracksys", "report", "-o", "table").stdout.splitlines()
    assert head.split()[:3] == ["TIME", "OF", "CORES"]
    assert {row.split()[2] for row in rows} >= {"daemon", socket.gethostname()}
    assert json.loads(daemon.cli("jsorc", "tracksys", "stop").stdout)["active"] is True
    assert json.loads(daemon.cli("tracksys", "report").stdout) == NOTHING


def test_an_interval_out_of_range_is_refused(serve, write):
    daemon = serve(write("work.py", WORK), options=("--tracksys-interval-s", "0"), start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(10) == 2
    assert "tracksys_interval_s" in daemon.log_text()
