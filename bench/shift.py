"""Shifts the load while `adaptive` keeps a placement: when is it planned anew, with how many moves?

    bench/shift.py [--phase 2] [--repeat 1]

Two modules of which one needs much longer than the other, and two walkers that call them in
different mixes. First few clients run the one walker; once the policy has settled and kept its
placement for a while, more clients run the other. Real requests, no simulation; every answer is
checked."""

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from evidence import Daemon, wait_until, write_result

MODULE = """
import time
import jsorc

@jsorc.action
def work(n: int):
    end = time.perf_counter() + {seconds}
    while time.perf_counter() < end:
        pass
    return n + 1
"""

FLOW = """
import jsorc

@jsorc.walker
def brief(n: int):
    for _ in range(10):
        jsorc.call("light.work", n=n)
    jsorc.report(n)

@jsorc.walker
def heavy_first(n: int):
    jsorc.call("heavy.work", n=n)
    jsorc.call("light.work", n=n)
    jsorc.report(n)
"""


class Clients:
    """Closed loop: each client sends its next request when it has the answer."""

    def __init__(self, port, walker, count):
        self.over = threading.Event()
        self.answered, self.failed, self.number = [0] * count, [0] * count, 0
        self.threads = [threading.Thread(target=self.run, args=(port, walker, i))
                        for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, port, walker, index):
        connection, n = http.client.HTTPConnection("127.0.0.1", port, timeout=60), index
        while not self.over.is_set():
            n += len(self.threads)
            connection.request("POST", f"/walkers/{walker}", json.dumps({"ctx": {"n": n}}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = json.loads(response.read())
            right = response.status == 200 and body["report"] == [n]
            self.answered[index] += right
            self.failed[index] += not right
        connection.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        return sum(self.answered), sum(self.failed)


def state(daemon):
    return daemon.op("jsorc_actionpolicy_get")["state"]


def moves(daemon):
    return len([line for line in daemon.log_text().splitlines() if "module moved" in line])


def place_of(answer):
    return {name: place for name, place in answer["placement"].items() if name != "flow"}


def settled(daemon):
    now = state(daemon)
    return now["phases"] > 0 and now["settled"] and \
        now["answer"]["why"] in ("best", "still best") and now["answer"]


def run_once(folder, phase_s):
    for name, seconds in (("light", 0.0002), ("heavy", 0.006)):
        (folder / f"{name}.py").write_text(MODULE.format(seconds=seconds))
    (folder / "flow.py").write_text(FLOW)
    daemon = Daemon(folder / "daemon", *(folder / f"{m}.py" for m in ("light", "heavy", "flow")),
                    options=("--policy-phase-s", str(phase_s)))
    daemon.start()
    try:
        assert daemon.op("jsorc_actionpolicy_set", policy_name="adaptive")["success"]
        clients = Clients(daemon.port, "brief", 2)
        first = wait_until(lambda: settled(daemon), 60 * phase_s, "the first decision")
        kept_from = state(daemon)["phases"]
        wait_until(lambda: state(daemon)["phases"] >= kept_from + 8, 60 * phase_s, "a base")
        moved = moves(daemon)
        right, failed = clients.stop()
        shifted = time.monotonic()
        clients = Clients(daemon.port, "heavy_first", 8)
        seen = wait_until(lambda: not settled(daemon) and time.monotonic(), 120 * phase_s,
                          "the shift being seen")
        again = wait_until(lambda: settled(daemon), 120 * phase_s, "the next decision")
        planned = time.monotonic()
        more = clients.stop()
        return {"phase_s": phase_s, "first": place_of(first), "then": place_of(again),
                "moves_before": moved, "moves_after": moves(daemon) - moved,
                "seen_s": round(seen - shifted, 1), "planned_s": round(planned - shifted, 1),
                "requests": right + more[0], "failed": failed + more[1]}
    finally:
        daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", type=float, default=2, help="seconds")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    runs = []
    for _ in range(args.repeat):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(run_once(Path(folder), args.phase))
            print(json.dumps(runs[-1]), flush=True)
    print(f"figures in {write_result('shift', runs)}")
    sys.exit(1 if any(run["failed"] for run in runs) else 0)


if __name__ == "__main__":
    main()
