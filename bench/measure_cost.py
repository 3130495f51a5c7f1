"""What measuring costs: requests/s with everything on against everything off, and the time that a
walker's call within its process takes longer.

    bench/measure_cost.py [--seconds 2] [--repeat 15]

Two daemons run side by side, one with `measure: false`, the other with an access log, and are
loaded in turn (wrk, 16 connections, a no-op action in the runtime worker); the ratio is the median
over the pairs. Each daemon's own processor time for a request is told, too: it moves less than the
rate."""

import argparse
import os
import random
import statistics
import sys
import tempfile
from pathlib import Path

from evidence import ROOT, Daemon, wait_until, write_result
from walkers import wrk

ACTIONS = ROOT / "bench" / "actions"
RATIO_MIN = 0.97
LOCAL_US_MAX = 1.0
LOCAL_CALLS, LOCAL_ROUNDS = 2000, 50


def cpu_s(pid):
    """Processor time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(daemon, seconds):
    """(requests a second, the daemon's microseconds of processor a request)"""
    before = cpu_s(daemon.daemon_pid())
    rate = wrk(daemon, "/actions/benchwork.echo", '{"text": "x"}', seconds)
    return rate, (cpu_s(daemon.daemon_pid()) - before) / (rate * seconds) * 1e6


def local_us(daemon):
    body = {"ctx": {"calls": LOCAL_CALLS, "rounds": LOCAL_ROUNDS}}
    return daemon.post("/walkers/nested", body, timeout=120).json()["report"][-1] / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    sources = [ACTIONS / name for name in ("benchwork.py", "benchnested.py")]
    runs = {"on": [], "off": []}
    local = {"on": [], "off": []}
    with tempfile.TemporaryDirectory(prefix="jsorc-measure-") as folder:
        daemons = {
            "on": Daemon(Path(folder) / "on", *sources, options=("--access-log", "access.log")),
            "off": Daemon(Path(folder) / "off", *sources, options=("--measure=false",)),
        }
        try:
            for daemon in daemons.values():
                daemon.start()
                wait_until(lambda daemon=daemon: daemon.call(
                    "benchwork.echo", text="x").status == 200, 30, "echo")
                measure(daemon, 1)
            for _ in range(options.repeat):
                for name in random.sample(sorted(daemons), 2):
                    runs[name].append(measure(daemons[name], options.seconds))
                for name in random.sample(sorted(daemons), 2):
                    local[name].append(local_us(daemons[name]))
        finally:
            for daemon in daemons.values():
                daemon.stop()
                daemon.kill()
    ratios = sorted(on[0] / off[0] for on, off in zip(runs["on"], runs["off"], strict=True))
    ratio = statistics.median(ratios)
    for name, figures in runs.items():
        print(f"measuring {name:3s}: {statistics.median(rate for rate, _ in figures):7.0f} "
              f"requests/s, {statistics.median(us for _, us in figures):5.2f} us of the daemon's "
              f"processor a request, a local call {min(local[name]):.3f} us")
    quarter = len(ratios) // 4
    print(f"requests/s on / off: {ratio:.3f}, half of the pairs between {ratios[quarter]:.3f} and "
          f"{ratios[-1 - quarter]:.3f} (asked at least {RATIO_MIN})")
    added = statistics.median(on - off for on, off in zip(local["on"], local["off"], strict=True))
    print(f"a local call takes {added:.3f} us longer (asked at most {LOCAL_US_MAX:.0f})")
    path = write_result("measure_cost", {"runs": runs, "local_us": local, "ratio": ratio,
                                         "added_us": added})
    print(f"figures in {path}")
    return 0 if ratio >= RATIO_MIN and added <= LOCAL_US_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
