"""The part of ./dev/demo that runs once jsorc is built: serves, loads, moves, kills, reports.

Run by the interpreter of the environment in which the example's packages are.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "intake"
JSORC = pathlib.Path(os.environ.get("JSORC_BUILD", ROOT / "build")).resolve() / "jsorc"

START_SECONDS_MAX = 180  # OCR loads in 0.4 s; a machine that swaps needs long
MOVE_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
PORT_FIRST = 8642  # the default of jsorc serve
THREADS = 4
DOCUMENTS = 102  # 34 pictures, 34 source files, 34 paragraphs
FAILURES_SHOWN = 5

# (share of the load's time, what to do then)
SCRIPT = [
    (0.08, "remote", "ocr"),
    (0.22, "remote", "keywords"),
    (0.36, "remote", "filetype"),
    (0.50, "kill", "ocr"),
    (0.66, "module", "keywords"),
    (0.80, "module", "filetype"),
]


class DemoError(Exception):
    """What went wrong, for a person."""


def say(text):
    print(f"\n== {text}", flush=True)


def tell(text):
    print(f"   {text}", flush=True)


def port_free(first):
    """The first port from first on that nobody listens to."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise DemoError(f"no free port from {first} to {first + 99}")


class Daemon:
    """`jsorc serve examples/intake`, with its state in a folder of its own."""

    def __init__(self, folder, port):
        self.state = folder / "state"
        self.log = folder / "serve.log"
        self.url = f"http://127.0.0.1:{port}"
        command = [JSORC, "serve", EXAMPLE, "--state", self.state, "--python", sys.executable,
                   "--listen", f"127.0.0.1:{port}"]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches this program only, which ends it in order.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)

    def cli(self, *words):
        """The result of `jsorc WORDS -o json` as a value."""
        done = subprocess.run([JSORC, "--state", self.state, *words, "-o", "json"],
                              capture_output=True, text=True, timeout=MOVE_SECONDS_MAX)
        if done.returncode != 0:
            reason = done.stderr.strip() or done.stdout.strip()
            raise DemoError(f"jsorc {' '.join(words)}: {reason}")
        return json.loads(done.stdout)

    def modules(self):
        """name -> its entry in `jsorc status`."""
        return {module["name"]: module for module in self.cli("status")["modules"]}

    def log_end(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def wait_ready(self):
        """Until all modules answer; returns modules()."""
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise DemoError(f"jsorc serve ended by itself:\n{self.log_end()}")
            try:
                modules = self.modules()
            except DemoError:
                modules = {}  # it does not listen yet
            for module in modules.values():
                if module["state"] == "failed":
                    raise DemoError(f"module '{module['name']}': {module['error']}")
            if modules and all(module["state"] == "ready" for module in modules.values()):
                return modules
            time.sleep(0.2)
        raise DemoError(f"not ready after {START_SECONDS_MAX} s:\n{self.log_end()}")

    def wait_for(self, name, condition):
        """Until condition(entry of the module in `jsorc status`) holds."""
        end = time.monotonic() + MOVE_SECONDS_MAX
        while time.monotonic() < end:
            if condition(self.modules()[name]):
                return
            time.sleep(0.1)
        raise DemoError(f"'{name}' did not come back in {MOVE_SECONDS_MAX} s:\n{self.log_end()}")

    def move(self, name, place):
        """Moves a module; returns the seconds until calls went to the new place."""
        start = time.monotonic()
        self.cli("actions", "load", name, "-mode", place)
        self.wait_for(name, lambda module: module["state"] == "ready" and module["place"] == place)
        return time.monotonic() - start

    def kill_pod(self, name):
        """kill -9 of a module's pod; returns the seconds until a new one served."""
        killed = self.modules()[name]["pid"]
        start = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        self.wait_for(name, lambda module: module["state"] == "ready"
                      and module["pid"] not in (0, killed))
        return time.monotonic() - start

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            # The workers end with the supervisor: they hold the other end of a pipe of it.
            self.process.kill()
            self.process.wait()
            tell("jsorc had to be killed")


# ---- the steps


def make_input(folder):
    """Builds the C module beside the Python ones, and makes the documents."""
    source = EXAMPLE / "stats.c"
    command = ["cc", "-shared", "-fPIC", "-O2", "-I", ROOT / "include",
               "-o", source.with_suffix(".so"), source]
    subprocess.run(command, check=True)
    made = subprocess.run([sys.executable, EXAMPLE / "make_input.py", folder,
                           "--count", str(DOCUMENTS)], check=True, capture_output=True, text=True)
    tell(made.stdout.strip())


def start_load(daemon, documents, seconds, figures):
    command = [sys.executable, EXAMPLE / "load.py", documents, "--url", daemon.url,
               "--seconds", str(seconds), "--threads", str(THREADS), "--json", figures]
    return subprocess.Popen(command, start_new_session=True)


def move_under_load(daemon, load, seconds):
    """Carries out SCRIPT while the load runs; returns (unix time from, to) of each kill."""
    start = time.monotonic()
    kills = []
    for share, what, name in SCRIPT:
        while time.monotonic() - start < share * seconds and load.poll() is None:
            time.sleep(0.05)
        at = f"{time.monotonic() - start:5.1f} s"
        if what == "kill":
            begin = time.time()
            took = daemon.kill_pod(name)
            kills.append((begin, time.time()))
            tell(f"{at}  kill -9 of the pod of {name}: a new one serves after {took:.1f} s")
        else:
            took = daemon.move(name, what)
            tell(f"{at}  jsorc actions load {name} -mode {what}: moved in {took:.1f} s")
    load.wait(seconds + 2 * MOVE_SECONDS_MAX)
    return kills


def milliseconds(value):
    return "-" if value is None else f"{value:.2f}"


def print_actions(status):
    print(f"   {'action':<20} {'place':<7} {'calls':>6} {'p50 ms':>9} {'p99 ms':>9} "
          f"{'memory MB':>10} {'failed':>7}")
    for module in status["modules"]:
        for name, figures in sorted(module["actions"].items()):
            if figures["calls"] == 0:
                continue
            print(f"   {name:<20} {module['place']:<7} {figures['calls']:>6} "
                  f"{milliseconds(figures['p50_ms']):>9} {milliseconds(figures['p99_ms']):>9} "
                  f"{module['mem_kb'] / 1024:>10.1f} {figures['failed']:>7}")


def print_requests(rows):
    print(f"   {'request':<20} {'':<7} {'calls':>6} {'p50 ms':>9} {'p99 ms':>9} {'':>10} "
          f"{'failed':>7}")
    for row in rows:
        print(f"   {row['name']:<20} {'':<7} {row['calls']:>6} {row['p50_ms']:>9.2f} "
              f"{row['p99_ms']:>9.2f} {'':>10} {row['failed']:>7}")


def report(daemon, figures, kills):
    """Prints the tables; returns how many requests failed."""
    result = json.loads(figures.read_text())
    failures = result["failures"]
    say("What the daemon saw, per action (memory: of a pod its own, else what loading it added)")
    print_actions(daemon.cli("status"))
    say("What the clients saw; each answer was compared with what the document is known to hold")
    print_requests(result["rows"])
    in_kill = sum(any(begin <= failure["at"] <= end for begin, end in kills)
                  for failure in failures)
    calls = sum(row["calls"] for row in result["rows"])
    print(f"\n   {calls} requests, {len(failures)} failed ({in_kill} of them while a killed pod "
          f"was replaced)")
    for failure in failures[:FAILURES_SHOWN]:
        print(f"   {failure['label']}, {failure['file']}: {failure['reason']}")
    return len(failures)


def print_next(daemon, once):
    jsorc = os.path.relpath(JSORC)
    say("Where to look next")
    if once:
        print(f"""   ./dev/demo on a terminal, without --once, goes on serving and tells
   commands to try.
   {os.path.relpath(EXAMPLE)}/README.md: how the example is made, and how to copy it""")
        return
    print(f"""   {daemon.url}/docs: every action with its parameters, to be tried there

   export JSORC_STATE={daemon.state}
   {jsorc} status
   {jsorc} call sentiment.score --text "What a lovely day"
   {jsorc} walker run intake -ctx '{{"text": "The train was late again."}}'
   {jsorc} actions load ocr -mode module
   {jsorc} logs ocr

   {os.path.relpath(EXAMPLE)}/README.md: how the example is made, and how to copy it""")


def run(arguments, folder):
    say("Making documents: pictures of text, source files, paragraphs in nine languages")
    documents = folder / "documents"
    make_input(documents)

    daemon = load = None
    try:
        port = arguments.port or port_free(PORT_FIRST)
        say(f"jsorc serve {os.path.relpath(EXAMPLE)} --listen 127.0.0.1:{port}")
        start = time.monotonic()
        daemon = Daemon(folder, port)
        modules = daemon.wait_ready()
        tell(f"{len(modules)} modules ready after {time.monotonic() - start:.1f} s: "
             + ", ".join(sorted(modules)))

        say(f"A load of {THREADS} clients for {arguments.seconds:g} s; modules move meanwhile")
        figures = folder / "figures.json"
        load = start_load(daemon, documents, arguments.seconds, figures)
        kills = move_under_load(daemon, load, arguments.seconds)
        failed = report(daemon, figures, kills)
        print_next(daemon, arguments.once)
        if not arguments.once:
            say("It goes on serving; Ctrl-C stops it")
            daemon.process.wait()
            raise DemoError(f"jsorc serve ended by itself:\n{daemon.log_end()}")
        return 1 if failed else 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything
        if load and load.poll() is None:
            load.kill()
            load.wait()
        if daemon:
            daemon.stop()
            say("Stopped; nothing is left running")


def main():
    parser = argparse.ArgumentParser(prog="dev/demo")
    parser.add_argument("--once", action="store_true",
                        help="end after the report also on a terminal")
    parser.add_argument("--seconds", type=float, default=60, help="length of the load")
    parser.add_argument("--port", type=int, default=0,
                        help="on 127.0.0.1; default: the first free one from 8642 on")
    arguments = parser.parse_args()
    arguments.once = arguments.once or not sys.stdout.isatty()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="jsorc-demo-"))
    try:
        return run(arguments, folder)
    except KeyboardInterrupt:
        return 0
    except (DemoError, subprocess.SubprocessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
