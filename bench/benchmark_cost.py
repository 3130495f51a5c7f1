"""What `jsorc benchmark start` costs while it is active: walker runs, with and without it in turn.

    bench/benchmark_cost.py [--seconds 2] [--repeat 9]

One daemon, a walker with one call of an action beside it, wrk with 16 connections. Prints the ratio
of requests/s, the median over the pairs, and the daemon's own processor time for a request, which
moves less than the rate."""

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from evidence import ROOT, Daemon, wait_until, write_result
from measure_cost import cpu_s
from walkers import wrk

ACTIONS = ROOT / "bench" / "actions"
WORK = ("/walkers/flow", '{"ctx": {"text": "x"}}')


def measure(daemon, active, seconds):
    """(requests a second, the daemon's microseconds of processor a request)"""
    daemon.op("jsorc_benchmark_start" if active else "jsorc_benchmark_stop")
    before = cpu_s(daemon.daemon_pid())
    rate = wrk(daemon, *WORK, seconds)
    return rate, (cpu_s(daemon.daemon_pid()) - before) / (rate * seconds) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    runs = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="jsorc-benchmark-") as folder:
        daemon = Daemon(Path(folder) / "daemon", *(ACTIONS / name for name in (
            "benchwork.py", "benchflow.py", "benchlocal.py"))).start()
        try:
            wait_until(lambda: daemon.post(WORK[0], {"ctx": {"text": "x"}}).status == 200, 30,
                       "the walker")
            measure(daemon, False, 1)
            for _ in range(options.repeat):
                for active in random.sample([True, False], 2):
                    runs[active].append(measure(daemon, active, options.seconds))
        finally:
            daemon.stop()
            daemon.kill()
    ratio = statistics.median(on[0] / off[0]
                              for on, off in zip(runs[True], runs[False], strict=True))
    for active, figures in runs.items():
        print(f"benchmark {'active' if active else 'off':6s}: "
              f"{statistics.median(rate for rate, _ in figures):7.0f} requests/s, "
              f"{statistics.median(us for _, us in figures):5.2f} us of the daemon's processor "
              "a request")
    print(f"requests/s active / off: {ratio:.3f}")
    path = write_result("benchmark_cost", {"active": runs[True], "off": runs[False]})
    print(f"figures in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
