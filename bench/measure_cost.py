"""What measuring costs: requests/s with everything on against everything off, and the time that a
walker's call within its process takes longer.

    bench/measure_cost.py [--seconds 2] [--repeat 15] [--otlp]

Two daemons run side by side, one with `measure: false`, the other with an access log, and are
loaded in turn (wrk, 16 connections, a no-op action in the runtime worker); the ratio is the
median over the pairs. Each daemon's own processor time for a request is told, too: it moves less
than the rate. A third daemon is like the second: how far apart these two are is what the
machine's noise does to the ratio. With --otlp two more export traces as well, of all requests
and of one in a hundred, to a collector that throws them away: a process of its own, so its work
is on the same processors."""

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from evidence import ROOT, Daemon, wait_until, write_result
from metrics import read_metrics
from walkers import wrk

ACTIONS = ROOT / "bench" / "actions"
RATIO_MIN = 0.97
LOCAL_US_MAX = 1.0
LOCAL_CALLS, LOCAL_ROUNDS = 2000, 50
SINK = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


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


@contextlib.contextmanager
def collector():
    """The address of a collector that throws away what it gets."""
    with subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def ratio_of(runs, name, base):
    """Requests/s of name / base: median of the pairs, and the quarters around it."""
    ratios = sorted(one[0] / other[0] for one, other in zip(runs[name], runs[base], strict=True))
    quarter = len(ratios) // 4
    return statistics.median(ratios), ratios[quarter], ratios[-1 - quarter]


def spans(daemon):
    """Spans that were sent, and that were dropped."""
    metrics = read_metrics(daemon)
    return {"sent": metrics("jsorc_spans_exported_total") or 0,
            "dropped": metrics("jsorc_spans_dropped_total") or 0}


def options_of(url):
    """Options of the daemons by their names; url: of a collector, or None."""
    on = ("--access-log", "access.log")
    traced = {"all traced": (*on, "--otlp-url", url),
              "1 % traced": (*on, "--otlp-url", url, "--trace-ratio", "0.01")} if url else {}
    off = ("--measure=false",)
    return {"on": on, "off": off, "off again": off, **traced}


def load_in_turn(daemons, options):
    """{name: [measure()]}, {name: [local_us()]}"""
    runs, local = ({name: [] for name in daemons} for _ in range(2))
    for daemon in daemons.values():
        daemon.start()
        wait_until(lambda daemon=daemon: daemon.call("benchwork.echo", text="x").status == 200,
                   30, "echo")
        measure(daemon, 1)
    for _ in range(options.repeat):
        for name in random.sample(sorted(daemons), len(daemons)):
            runs[name].append(measure(daemons[name], options.seconds))
        for name in random.sample(sorted(daemons), len(daemons)):
            local[name].append(local_us(daemons[name]))
    return runs, local


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--otlp", action="store_true")
    options = parser.parse_args()
    sources = [ACTIONS / name for name in ("benchwork.py", "benchnested.py")]
    with tempfile.TemporaryDirectory(prefix="jsorc-measure-") as folder, \
            contextlib.ExitStack() as stack:
        url = stack.enter_context(collector()) if options.otlp else None
        daemons = {name: Daemon(Path(folder) / name.replace(" ", "-"), *sources, options=more)
                   for name, more in options_of(url).items()}
        try:
            runs, local = load_in_turn(daemons, options)
            exported = {name: spans(daemons[name]) for name in daemons if name.endswith("traced")}
        finally:
            for daemon in daemons.values():
                daemon.stop()
                daemon.kill()
    for name, figures in runs.items():
        print(f"measuring {name:10s}: {statistics.median(rate for rate, _ in figures):7.0f} "
              f"requests/s, {statistics.median(us for _, us in figures):5.2f} us of the daemon's "
              f"processor a request, a local call {min(local[name]):.3f} us")
    ratios = {f"{name} / off": ratio_of(runs, name, "off") for name in ("on", "off again")}
    ratios |= {f"{name} / on": ratio_of(runs, name, "on") for name in exported}
    for name, (ratio, low, high) in ratios.items():
        asked = f" (asked at least {RATIO_MIN})" if name == "on / off" else ""
        print(f"requests/s {name}: {ratio:.3f}, half of the pairs between {low:.3f} and "
              f"{high:.3f}{asked}")
    for name, counts in exported.items():
        print(f"spans, {name}: {counts['sent']:.0f} sent, {counts['dropped']:.0f} dropped")
    added = statistics.median(on - off for on, off in zip(local["on"], local["off"], strict=True))
    print(f"a local call takes {added:.3f} us longer (asked at most {LOCAL_US_MAX:.0f})")
    ratio = ratios["on / off"][0]
    path = write_result("measure_cost", {"runs": runs, "local_us": local, "ratio": ratio,
                                         "ratios": ratios, "spans": exported, "added_us": added})
    print(f"figures in {path}")
    return 0 if ratio >= RATIO_MIN and added <= LOCAL_US_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
