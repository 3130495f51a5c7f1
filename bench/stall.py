"""Checks the load generator against what must come out.

    bench/stall.py [--stall 1000] [--every 5000] [--periods 4] [--rate 1000]

A server answers at once, except that every T it looks away for D. Requests due at a constant rate
arrive at any moment of T alike; those in the stall wait for its end, so a share (D - x) / T takes
longer than x, and the quantile q is D - (1 - q) T. The open loop must show that. A closed loop
meets each stall once a client, however long it is: it must not. Then requests/s of a closed loop
on a server that does not stall, in turn with wrk. Exits with 1 when a figure is not as it must be.

Source: G. Tene, "How NOT to Measure Latency" (coordinated omission); Schroeder et al., "Open
Versus Closed: A Cautionary Tale", NSDI 2006."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager

from evidence import BUILD, write_result
from harness import free_port, post

FOLDER = BUILD / "bench" / "load"
BODY = '{"text": "x"}'
CONNECTIONS = 16
TOLERANCE_MS = 15  # of a quantile: the machine's own delays, and a part of a period at each end


@contextmanager
def server(stall_ms, every_ms):
    port = free_port()
    process = subprocess.Popen([FOLDER / "stall_server", str(port), str(stall_ms), str(every_ms)])
    try:
        for _ in range(200):
            try:
                post(port, "/", BODY)
                break
            except OSError:
                time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait()


def load(port, connections, seconds, rate, *more):
    run = subprocess.run(
        [FOLDER / "load", "127.0.0.1", str(port), "/", BODY, str(connections), str(seconds),
         str(rate), *more], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def wrk(port, connections, seconds):
    run = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", "bench/post.lua",
         f"http://127.0.0.1:{port}/", "--", BODY], capture_output=True, text=True, check=True)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])


def check_stall(options):
    """(figures, list of what is wrong)"""
    seconds = options.periods * options.every / 1000
    figures, wrong = {}, []
    with server(options.stall, options.every) as port:
        time.sleep(options.every / 1000)  # from the first stall on each period has one
        for name, rate, more in (("open", options.rate, ()),
                                 ("open, poisson", options.rate, ("poisson",)),
                                 ("closed", 0, ())):
            figures[name] = load(port, CONNECTIONS if rate else 1, seconds, rate, *more)
    print(f"a stall of {options.stall} ms each {options.every} ms, {options.rate}/s\n"
          f"{'':16s}{'p50 ms':>10}{'p90 ms':>10}{'p99 ms':>10}{'p99.9 ms':>10}{'requests':>10}")
    wanted = {key: max(0, options.stall - (1 - share) * options.every)
              for key, share in (("p50", .5), ("p90", .9), ("p99", .99), ("p999", .999))}
    rows = {"as computed": {f"{key}_ms": value for key, value in wanted.items()}, **figures}
    for name, row in rows.items():
        cells = "".join(f"{row[f'{key}_ms']:10.2f}" for key in wanted)
        print(f"{name:16s}{cells}{row.get('right', 0) or '':>10}")
    for name in ("open", "open, poisson"):
        for key, value in wanted.items():
            # Poisson arrivals are not spread evenly: allow their own deviation.
            slack = TOLERANCE_MS + (options.every * 0.01 if "poisson" in name else 0)
            if abs(figures[name][f"{key}_ms"] - value) > slack:
                wrong.append(f"{name}: {key} is {figures[name][f'{key}_ms']:.1f} ms, "
                             f"computed {value:.1f}")
        if figures[name]["right"] + figures[name]["abandoned"] < 0.97 * options.rate * seconds:
            wrong.append(f"{name}: requests are missing")
    if figures["closed"]["p999_ms"] > options.stall / 10:
        wrong.append(f"closed: p99.9 is {figures['closed']['p999_ms']:.1f} ms: it saw the stall")
    if figures["closed"]["max_ms"] < options.stall * 0.9:
        wrong.append("closed: not even its slowest request met a stall")
    return figures, wrong


def compare_with_wrk(seconds, repeat):
    rates = {"load": [], "wrk": []}
    with server(0, 1000) as port:
        load(port, CONNECTIONS, 1, 0)
        for _ in range(repeat):
            rates["load"].append(load(port, CONNECTIONS, seconds, 0)["per_s"])
            rates["wrk"].append(wrk(port, CONNECTIONS, seconds))
        ratio = statistics.median(a / b for a, b in zip(*rates.values(), strict=True))
        print(f"\nclosed loop, {CONNECTIONS} connections: "
              + ", ".join(f"{name} {statistics.median(values):.0f}/s"
                          for name, values in rates.items()) + f"; ratio {ratio:.2f}")
        open_rate = round(min(rates["load"]) / 2)
        steady = load(port, CONNECTIONS, seconds, open_rate)
    print(f"open loop at {open_rate}/s: sent {steady['right'] / seconds:.0f}/s, late by "
          f"{steady['lag_p50_ms'] * 1000:.0f} us (p50), {steady['lag_p99_ms'] * 1000:.0f} us (p99)")
    return {"rates": rates, "ratio": ratio, "open": steady}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--stall", type=int, default=1000, help="ms")
    parser.add_argument("--every", type=int, default=5000, help="ms")
    parser.add_argument("--periods", type=int, default=4)
    parser.add_argument("--rate", type=int, default=1000, help="requests a second")
    parser.add_argument("--repeat", type=int, default=3, help="turns of the comparison with wrk")
    options = parser.parse_args()
    stall, wrong = check_stall(options)
    peers = compare_with_wrk(2, options.repeat)
    print(f"figures in {write_result('stall', {'stall': stall, 'wrk': peers, 'wrong': wrong})}")
    for line in wrong:
        print(f"stall: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
