"""`make bench`: jsorc and its peers side by side in one run, with wrk.

    peers.py [--build build] [--seconds 2] [--repeat 5] [--connections 1,16,64] [--only TEXT]...

Prints a table for each work and number of connections, and what was asked of the ratios; writes
build/bench/peers-TIME.json with the machine's fingerprint."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
from works import ECHO, SCORE, TEXT

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
ACTIONS = BENCH / "actions"
SERVERS = BENCH / "servers"
BOTH = {"echo": "/echo/", "score": "/score/"}

NGINX = "nginx, fixed answer"
HOST = "jsorc host, Python"
DAEMON = "jsorc serve, Python"
DAEMON_C = "jsorc serve, C"
WALKER = "jsorc serve, walker_run + 1 call"
UVICORN = "uvicorn, bare ASGI, orjson"
FASTAPI = "FastAPI on uvicorn"
ORIGINAL = "original action server"

# (server, of, at least): requests/s of `echo` with 64 connections, as a ratio.
ASKED = [(HOST, NGINX, 0.75), (HOST, UVICORN, 1.7), (HOST, FASTAPI, 6), (HOST, ORIGINAL, 80),
         (DAEMON, NGINX, 0.4), (DAEMON_C, NGINX, 0.45), (WALKER, DAEMON, 0.5)]


def venv(name):
    return Path(os.environ.get(f"JSORC_VENV_{name}", "/nonexistent")) / "bin" / "python"


def uvicorn(name, app):
    python = venv("BENCH")
    return harness.Server(
        name, [python, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", "{port}", "--loop",
               "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"],
        paths=BOTH, env={"PYTHONPATH": f"{SERVERS}:{ACTIONS}"},
        missing="" if python.exists() else "no environment 'bench': dev/setup bench")


def original():
    python = venv("ORIGINAL")
    return harness.Server(
        ORIGINAL, [python, SERVERS / "original.py", "{port}"], paths=BOTH,
        env={"PYTHONPATH": str(ACTIONS)},
        missing="" if python.exists() else "no environment 'original': dev/setup bench")


def native_module(folder):
    """Compiles benchnative.c as a user would; returns the shared object."""
    path = folder / "benchnative.so"
    run = subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", f"-I{ROOT}/include", ACTIONS / "benchnative.c",
         "-o", path],
        capture_output=True, text=True)
    if run.returncode != 0:
        raise OSError(f"benchnative.c does not compile: {run.stderr[:300]}")
    return path


def jsorc_servers(program):
    missing = "" if program.exists() else f"{program} is not built"
    # Workers take this interpreter; it has orjson, as the peers have.
    env = {"VIRTUAL_ENV": str(venv("BENCH").parent.parent)}
    listen = ["--listen", "127.0.0.1:{port}"]
    serve = [program, "serve", ACTIONS / "benchwork.py", ACTIONS / "benchflow.py",
             "{tmp}/benchnative.so", "--state", "{tmp}/state", *listen]

    def compile_native(_server, folder):
        native_module(folder)

    def walker(answer):
        return answer["report"][0]

    def server(name, argv, paths, **options):
        return harness.Server(name, argv, paths, env=env, prepare=compile_native, missing=missing,
                              **options)

    return [
        server(HOST, [program, "host", ACTIONS / "benchwork.py", *listen], BOTH),
        server("jsorc host, C", [program, "host", "{tmp}/benchnative.so", *listen],
               {"echo": "/echo/"}),
        server(DAEMON, serve, {"echo": "/actions/benchwork.echo",
                               "score": "/actions/benchwork.score"}),
        server(DAEMON_C, serve, {"echo": "/actions/benchnative.echo"}),
        server(WALKER, serve, {"echo": harness.Target(
            "/js/walker_run", json.dumps({"name": "flow", "ctx": {"text": TEXT}}).encode(),
            walker)}, login=login),
    ]


def login(server, folder):
    """Makes the first account with the token that the daemon wrote for it; returns the header."""
    bootstrap = (folder / "state" / "bootstrap-token").read_text().strip()
    account = json.dumps({"email": "bench@example.com", "password": "only for this run"}).encode()
    status, body = harness.post(server.port, "/user/create_super/", account,
                                {"Authorization": f"Token {bootstrap}"})
    if status != 201:
        raise ConnectionError(f"no account: {status} {body[:200]!r}")
    _, body = harness.post(server.port, "/user/token/", account)
    return {"Authorization": f"Token {json.loads(body)['token']}"}


def verdicts(servers, rows):
    """Lines: what was asked of the ratios, what they are."""
    failed = {server.name: server.failed for server in servers if server.failed}
    cells = {row["server"]: row for row in rows
             if row["work"] == "echo" and row["connections"] == 64}
    for name, of, least in ASKED:
        what = f"{name} / {of}"
        if name in cells and of in cells:
            ratio = harness.ratio_of(cells[name], cells[of])
            word = "reached" if ratio >= least else "MISSED"
            yield f"{what:62}{ratio:8.2f}  asked {least:5.2f}  {word}"
        elif name in failed or of in failed:
            yield f"{what:62}{'–':>8}  asked {least:5.2f}  not measured"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--only", action="append", default=[], help="part of a server's name")
    args = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("peers: wrk is not installed: dev/setup bench")

    servers = [harness.nginx(f'"{TEXT}"', NGINX),
               *jsorc_servers((args.build / "jsorc").resolve()),
               uvicorn(UVICORN, "asgi_app:app"), uvicorn(FASTAPI, "fastapi_app:app"), original()]
    if args.only:
        servers = [s for s in servers if any(part in s.name for part in args.only)]
    works = [ECHO, SCORE]
    connections = [int(count) for count in args.connections.split(",")]
    rows = harness.run_all(servers, works, connections, args.seconds, args.repeat)
    print("\n".join(harness.table(servers, rows, works, connections, servers[0].name)))
    print("\nasked of echo with 64 connections, requests/s:")
    print("\n".join(verdicts(servers, rows)))
    name = time.strftime("peers-%Y%m%d-%H%M%S.json", time.gmtime())
    harness.write_json(args.build / "bench" / name, servers, rows,
                       {"seconds": args.seconds, "repeat": args.repeat})
    sys.exit(1 if any(server.failed for server in servers) else 0)


main()
