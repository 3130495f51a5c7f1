"""Moves a module between its places while numbered requests run, and checks every one of them.

    bench/moves.py [--moves 1000] [--generations 100] [--rate 1500] [--connections 16]

Evidence: the load (bench/load/nonce_load.c) sends each number once and compares the answer with it;
the action writes each number that it executes to a journal. So a failed, lost, repeated or swapped
request shows: sent = right answers = executions, each number exactly once."""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from evidence import ROOT, Daemon, Load, executions, load_module, settled_kb, write_result


def move(daemon, place):
    start = time.monotonic()
    load_module(daemon, "nonce", place)
    return time.monotonic() - start


def generation(daemon, number):
    """Another setup argument makes the runtime worker begin anew."""
    load_module(daemon, "other", "module", ctx={"number": number})


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
    parser.add_argument("--steady", type=float, default=10, help="seconds without moves")
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
    path = write_result("moves", results)
    bad = sum(results[phase][key] for phase in ("steady", "moving", "generations")
              for key in ("failed", "unsent", "wrong", "twice", "missing"))
    print(f"{'nothing failed' if not bad else f'{bad} FAILED'}; p99 while moving / steady: "
          f"{results['moving']['p99_ms'] / results['steady']['p99_ms']:.2f}; figures in {path}")
    return 1 if bad else 0


def run(daemon, journal, options):
    move(daemon, "module")
    before_kb = settled_kb(daemon, 1)
    results, first = {}, 1

    def phase(name, work):
        nonlocal first
        load = Load(daemon, options.connections, options.rate, first)
        try:
            took = work()
        finally:
            result = load.stop()
        time.sleep(0.2)
        counts = executions(journal, first)
        results[name] = {**describe(name, result, counts, first), "took": took}
        first += result["sent"]

    phase("steady", lambda: time.sleep(options.steady))
    phase("moving", lambda: [move(daemon, "remote" if i % 2 == 0 else "module")
                             for i in range(options.moves)])
    phase("generations", lambda: [generation(daemon, i + 1)
                                  for i in range(options.generations)] and [])
    move(daemon, "module")  # as it was measured before
    times = results["moving"]["took"]
    print(f"{len(times)} moves: median {statistics.median(times) * 1000:.0f} ms, "
          f"longest {max(times) * 1000:.0f} ms; memory of all processes "
          f"{before_kb / 1024:.1f} MB before, {settled_kb(daemon, 1) / 1024:.1f} MB after")
    return results


if __name__ == "__main__":
    sys.exit(main())
