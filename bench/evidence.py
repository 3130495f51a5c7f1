"""What the soaks share: a load of numbered requests, the journal of what was executed, memory."""

import collections
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from programs import BUILD, JSORC, Daemon, UnixConnection, wait_until  # noqa: E402,F401

LOAD = BUILD / "bench" / "load" / "nonce_load"
LOAD_SECONDS_MAX = 3600


class Load:
    """nonce_load in the background; rate in requests a second, 0 = as fast as it goes."""

    def __init__(self, daemon, connections, rate, first=1, path="/actions/nonce.touch"):
        self.first = first
        self.process = subprocess.Popen(
            [str(LOAD), "127.0.0.1", str(daemon.port), path, str(connections),
             str(LOAD_SECONDS_MAX), str(rate), str(first)], stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Its result as a dict."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=90)
        return json.loads(out)


def executions(journal, first=1):
    """Counter of the numbers from first on that were executed."""
    counts = collections.Counter()
    for path in Path(journal).iterdir():
        data = path.read_bytes()
        whole = data[:len(data) // 8 * 8]
        counts.update(number for (number,) in struct.iter_unpack("<q", whole) if number >= first)
    return counts


def pss_kb(pid):
    """Memory of a process, shared pages in part (PSS), in KiB; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def tree_pss_kb(daemon):
    """Of all processes of the daemon together."""
    return sum(pss_kb(pid) for pid in daemon.pids())


def settled_kb(daemon, workers):
    """As tree_pss_kb, once what was replaced or unloaded is gone and so many workers are left."""
    wait_until(lambda: len(daemon.op("jsorc_status")["workers"]) == workers, 60,
               "the end of the old workers")
    return tree_pss_kb(daemon)


def load_module(daemon, name, place, **more):
    """Moves or loads a module and waits until it is there."""
    answer = daemon.op("jsorc_actions_load", name=name, mode=place, wait=True, timeout=120, **more)
    assert answer["success"] and answer["action_status"]["mode"] == place, answer
    return answer


def write_result(name, result):
    """Keeps the figures in build/bench/NAME.json, or in $JSORC_BENCH_RESULTS; the path."""
    folder = Path(os.environ.get("JSORC_BENCH_RESULTS", BUILD / "bench"))
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
