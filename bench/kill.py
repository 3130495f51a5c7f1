"""Kills the daemon, the runtime worker and a pod with SIGKILL while numbered requests run.

    bench/kill.py [--repeat 10] [--rate 1500] [--connections 16]

Prints what the clients saw: failures by kind, repeated or swapped requests (asked: none), the
longest time without an answer, and the time until the process was replaced. A request that was
being executed when its worker was killed may fail; it must fail, not run twice. Each time it is
another jsorc: what ends again and again is started ever more slowly, on purpose."""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from evidence import ROOT, Daemon, Load, executions, load_module, wait_until, write_result

# Kinds of failures as nonce_load tells them: a status of HTTP, or minus 1 minus the outcome.
KINDS = {"-2": "not sent", "-3": "connection lost", "-4": "no HTTP", "-5": "timed out",
         "502": "502 worker lost", "503": "503 not running", "504": "504 timed out"}


def worker_pid(daemon, role):
    """Of the ready worker in that role, or None."""
    pids = [worker["pid"] for worker in daemon.op("jsorc_status")["workers"]
            if worker["role"] == role and worker["state"] == "ready"]
    return pids[-1] if pids else None


def victim(daemon, what):
    return daemon.daemon_pid() if what == "daemon" else worker_pid(daemon, what)


def replaced(daemon, what, old):
    try:
        new = victim(daemon, what)
    except (OSError, ValueError, KeyError):
        return False
    return new is not None and new != old


def kill_once(folder, what, place, options):
    """One jsorc, one kill: what its clients saw."""
    journal = folder / "journal"
    journal.mkdir(parents=True)
    daemon = Daemon(folder / "daemon", ROOT / "bench" / "actions" / "nonce.py",
                    env={"NONCE_JOURNAL": str(journal)}).start()
    try:
        load_module(daemon, "nonce", place)
        old = victim(daemon, what)
        load = Load(daemon, options.connections, options.rate)
        time.sleep(1)
        os.kill(old, signal.SIGKILL)
        start = time.monotonic()
        wait_until(lambda: replaced(daemon, what, old), 60, f"another {what}")
        seconds = time.monotonic() - start
        time.sleep(1)
        result = load.stop()
    finally:
        daemon.stop()
        daemon.kill()
    counts = executions(journal)
    result["twice"] = sum(1 for count in counts.values() if count > 1)
    result["replaced_s"] = seconds
    return result


def describe(what, results):
    kinds = {}
    for result in results:
        for kind, count in result["kinds"].items():
            name = KINDS.get(kind, kind)
            kinds[name] = kinds.get(name, 0) + count
    total = {key: sum(result[key] for result in results)
             for key in ("sent", "right", "failed", "unsent", "wrong", "twice")}
    gaps = [result["longest_gap_ms"] for result in results]
    times = [result["replaced_s"] * 1000 for result in results]
    seen = ", ".join(f"{count} {name}" for name, count in kinds.items()) or "none"
    print(f"{what} killed {len(results)} times: {total['sent']} requests, "
          f"{total['failed'] + total['unsent']} failed ({seen}), {total['wrong']} swapped, "
          f"{total['twice']} executed twice; longest pause median "
          f"{statistics.median(gaps):.0f} ms, worst {max(gaps):.0f} ms; replaced after median "
          f"{statistics.median(times):.0f} ms, worst {max(times):.0f} ms")
    return total["wrong"] + total["twice"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1500, help="requests a second")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    figures, bad = {}, 0
    with tempfile.TemporaryDirectory(prefix="jsorc-kill-") as folder:
        for what, place in (("daemon", "module"), ("runtime", "module"), ("pod", "remote")):
            figures[what] = [kill_once(Path(folder) / f"{what}-{number}", what, place, options)
                             for number in range(options.repeat)]
            bad += describe(what, figures[what])
    print(f"figures in {write_result('kill', figures)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
