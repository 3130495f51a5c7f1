"""Short forms of the soaks in bench/: moves, generations, kills and load cycles under a load of
which every request is checked. The long forms are run by hand (bench/*.py)."""

import json
import os
import subprocess
import sys

import pytest
from programs import BUILD, ROOT

MINUTE = 120  # seconds; the machine may be busy


@pytest.fixture
def soak(tmp_path):
    """soak(program, *options) -> (what it printed, its figures)."""

    def run(name, *options):
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench" / f"{name}.py"), *options], capture_output=True,
            text=True, timeout=MINUTE,
            env={**os.environ, "JSORC_BUILD": str(BUILD), "JSORC_BENCH_RESULTS": str(tmp_path)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, json.loads((tmp_path / f"{name}.json").read_text())

    return run


def test_no_request_is_lost_repeated_or_swapped_while_modules_move(soak):
    printed, figures = soak("moves", "--moves", "30", "--generations", "10", "--steady", "1",
                            "--rate", "1000")
    assert "nothing failed" in printed
    for phase in ("steady", "moving", "generations"):
        assert figures[phase]["right"] == figures[phase]["sent"] > 100
    assert len(figures["moving"]["took"]) == 30


def test_kills_fail_at_most_what_was_under_way(soak):
    _, figures = soak("kill", "--repeat", "1", "--rate", "1000", "--connections", "16")
    for what in ("daemon", "runtime", "pod"):
        result, = figures[what]
        assert (result["wrong"], result["twice"], result["unsent"]) == (0, 0, 0), result
        assert result["failed"] <= 16, result
        assert result["right"] == result["sent"] - result["failed"]


def test_memory_of_unloaded_modules_comes_back(soak):
    """Of 20 times 100 MB. What other processes share with ours counts more when they end."""
    _, figures = soak("cycles", "--cycles", "20")
    assert figures["after_kb"] - figures["before_kb"] < 30 * 1024, figures


def test_an_idle_daemon_is_small(soak):
    """The time to the first answer is not asserted: this machine may be busy."""
    _, figures = soak("idle", "--starts", "3")
    assert max(sum(pair) for pair in figures["pss_kb"]) <= 16 * 1024
