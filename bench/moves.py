"""Moves a module between its places while numbered requests run, and checks every one of them.

    bench/moves.py [--moves 1000] [--generations 100] [--rate 1500] [--connections 16]

Evidence: the load (bench/load/nonce_load.c) sends each number once and compares the answer with it;
the action writes each number that it executes to a journal. So a failed, lost, repeated or swapped
request shows: sent = right answers = executions, each number exactly once."""

import argparse
import collections
import json
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from programs import BUILD, Daemon  # noqa: E402

LOAD = BUILD / "bench" / "load" / "nonce_load"
LOAD_SECONDS_MAX = 3600


class Load:
    """nonce_load in the background."""

    def __init__(self, daemon, connections, rate, first=1, path="/actions/nonce.touch"):
        self.process = subprocess.Popen(
            [str(LOAD), "127.0.0.1", str(daemon.port), path, str(connections),
             str(LOAD_SECONDS_MAX), str(rate), str(first)], stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Its result as a dict."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=90)
        return json.loads(out)


def executions(journal):
    """Counter of the numbers that were executed."""
    counts = collections.Counter()
    for path in Path(journal).iterdir():
        data = path.read_bytes()
        counts.update(number for (number,) in struct.iter_unpack("<q", data[:len(data) // 8 * 8]))
    return counts


def tree_pss_kb(daemon):
    """Memory of all processes of the daemon, shared pages counted once (PSS)."""
    total = 0
    for pid in daemon.pids():
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def move(daemon, place):
    start = time.monotonic()
    answer = daemon.op("jsorc_actions_load", name="nonce", mode=place, wait=True, timeout=120)
    assert answer["success"] and answer["action_status"]["mode"] == place, answer
    return time.monotonic() - start


def generation(daemon, number):
    """Another setup argument makes the runtime worker begin anew."""
    answer = daemon.op("jsorc_actions_load", name="other", mode="module", wait=True,
                       ctx={"number": number}, timeout=120)
    assert answer["success"], answer


def describe(name, result, counts, first):
    sent = result["sent"]
    twice = sum(1 for count in counts.values() if count > 1)
    missing = sum(1 for n in range(first, first + sent) if n not in counts)
    print(f"{name}: {sent} requests at {result['per_s']:.0f}/s: {result['right']} right, "
          f"{result['failed'] + result['unsent']} failed, {result['wrong']} swapped, "
          f"{twice} executed twice, {missing} never executed; "
          f"p50 {result['p50_ms']:.2f} ms, p99 {result['p99_ms']:.2f} ms, "
          f"max {result['max_ms']:.1f} ms")
    return {**result, "twice": twice, "missing": missing}


OTHER = '''import jsorc

@jsorc.action
def setup(number: int = 0):
    pass

@jsorc.action
def nothing():
    return None
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--generations", type=int, default=100)
    parser.add_argument("--rate", type=int, default=1500, help="requests a second")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--steady", type=float, default=10, help="seconds without moves, to compare")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="jsorc-moves-") as folder:
        journal = Path(folder) / "journal"
        journal.mkdir()
        other = Path(folder) / "other.py"
        other.write_text(OTHER)
        daemon = Daemon(Path(folder) / "daemon", ROOT / "bench" / "actions" / "nonce.py", other,
                        env={"NONCE_JOURNAL": str(journal)})
        daemon.start()
        try:
            results = run(daemon, journal, options)
        finally:
            daemon.stop()
            daemon.kill()
    out = BUILD / "bench"
    out.mkdir(exist_ok=True)
    (out / "moves.json").write_text(json.dumps(results, indent=2) + "\n")
    bad = sum(results[phase][key] for phase in ("steady", "moving", "generations")
              for key in ("failed", "unsent", "wrong", "twice", "missing"))
    print(f"{'nothing failed' if not bad else f'{bad} FAILED'}; p99 while moving / steady: "
          f"{results['moving']['p99_ms'] / results['steady']['p99_ms']:.2f}; figures in "
          f"{out / 'moves.json'}")
    return 1 if bad else 0


def run(daemon, journal, options):
    move(daemon, "module")
    before_kb = tree_pss_kb(daemon)
    results, first = {}, 1

    def phase(name, work):
        nonlocal first
        load = Load(daemon, options.connections, options.rate, first)
        try:
            took = work()
        finally:
            result = load.stop()
        time.sleep(0.2)
        counts = executions(journal)
        mine = {n: c for n, c in counts.items() if n >= first}
        results[name] = {**describe(name, result, mine, first), "took": took}
        first += result["sent"]

    phase("steady", lambda: time.sleep(options.steady))
    phase("moving", lambda: [move(daemon, "remote" if i % 2 == 0 else "module")
                             for i in range(options.moves)])
    phase("generations", lambda: [generation(daemon, i + 1)
                                  for i in range(options.generations)] and [])
    times = results["moving"]["took"]
    print(f"{len(times)} moves: median {statistics.median(times) * 1000:.0f} ms, "
          f"longest {max(times) * 1000:.0f} ms; memory of all processes "
          f"{before_kb / 1024:.1f} MB before, {tree_pss_kb(daemon) / 1024:.1f} MB after")
    return results


if __name__ == "__main__":
    sys.exit(main())
