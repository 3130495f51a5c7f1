"""What a walker's calls cost: within the process, and when the action is placed remote.

    bench/walkers.py [--seconds 3] [--repeat 5]

Prints requests/s (wrk, 16 connections) of a plain action through the daemon, of a walker_run with
one call of that action in the same process, and of the same walker with the action in a pod; and
the time of one call as the walker sees it."""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from evidence import ROOT, Daemon, load_module, wait_until, write_result

ACTIONS = ROOT / "bench" / "actions"
CONNECTIONS = 16
CALLS = 100000


def wrk(daemon, path, body, seconds):
    """Requests a second; every answer must be a 200."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "POST"\nwrk.body = [[{body}]]\n'
                     'wrk.headers["Content-Type"] = "application/json"\n')
        script.flush()
        out = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", script.name,
             daemon.url + path], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def timed(daemon, calls):
    report = daemon.post("/walkers/timed", {"ctx": {"calls": calls}}, timeout=120).json()
    return report["report"][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rates = {"action": [], "walker, local": [], "walker, remote": []}
    local, remote = [], []
    with tempfile.TemporaryDirectory(prefix="jsorc-walkers-") as folder:
        daemon = Daemon(Path(folder) / "daemon", *(ACTIONS / name for name in (
            "benchwork.py", "benchflow.py", "benchlocal.py"))).start()
        try:
            wait_until(lambda: daemon.call("benchwork.echo", text="x").status == 200, 30, "echo")
            action = ("/actions/benchwork.echo", '{"text": "x"}')
            walker = ("/walkers/flow", '{"ctx": {"text": "x"}}')
            for _ in range(options.repeat):
                load_module(daemon, "benchwork", "module")
                rates["action"].append(wrk(daemon, *action, options.seconds))
                rates["walker, local"].append(wrk(daemon, *walker, options.seconds))
                local.append(timed(daemon, CALLS))
                load_module(daemon, "benchwork", "remote")
                rates["walker, remote"].append(wrk(daemon, *walker, options.seconds))
                remote.append(timed(daemon, CALLS // 20))
        finally:
            daemon.stop()
            daemon.kill()
    base = statistics.median(rates["action"])
    for name, values in rates.items():
        print(f"{name:15s} {statistics.median(values):9.0f} requests/s, "
              f"{statistics.median(values) / base:.2f} of the action")
    print(f"walker, local is {statistics.median(rates['walker, local']) / base:.2f} of the action "
          "(asked at least 0.5)")
    call_us = statistics.median(figure["call_us"] for figure in local)
    plain_us = statistics.median(figure["plain_us"] for figure in local)
    remote_us = statistics.median(figure["call_us"] for figure in remote)
    print(f"one call in the walker: {call_us:.2f} us local (asked at most 1), {plain_us:.2f} us "
          f"as a plain function, {remote_us:.1f} us remote ({remote_us / call_us:.0f} times)")
    path = write_result("walkers", {"rates": rates, "local": local, "remote": remote})
    print(f"figures in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
