"""Candidates for the HTTP layer, side by side: what docs/adr/0001-http.md rests on.

`fixed`: the I/O thread answers at once. `handoff`: it hands the request to another thread, and that
one's answer goes out, which is what every worker and the daemon's control thread do.

Then two clients: 20,000 requests one after the other on one kept connection to nginx; and two
libraries for JSON in C.

    run.py PROGRAMS-FOLDER RESULT.json [--seconds N] [--repeat N]"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

TEXT = "The quick brown fox jumps over it"
ECHO = harness.Work("echo", b'{"text": "%s"}' % TEXT.encode(), TEXT)
NAMES = {"parser": "http_parser + epoll, bare", "ours": "src/http", "mhd": "libmicrohttpd, epoll"}


def run_lines(argv):
    run = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    return [json.loads(line) for line in run.stdout.splitlines()]


def measure_clients(programs, repeat):
    """[(name, p50_us, p99_us, cpu_us)], medians of interleaved runs."""
    names = {"client_ours": "src/http/client.h", "client_curl": "libcurl, easy"}
    runs = {name: [] for name in names}
    server = harness.nginx(f'"{TEXT}"')
    with tempfile.TemporaryDirectory(prefix="jsorc-bench-") as tmp:
        try:
            harness.start(server, [ECHO], Path(tmp) / "nginx")
            for _ in range(repeat):
                for name in names:
                    runs[name].extend(run_lines([programs / name, str(server.port)]))
        finally:
            harness.stop(server)
    return [{"client": names[name],
             **{key: statistics.median(run[key] for run in mine) for key in mine[0]}}
            for name, mine in runs.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()

    servers = [harness.nginx(f'"{TEXT}"')]
    for mode in ("fixed", "handoff"):
        for program, name in NAMES.items():
            servers.append(harness.Server(
                f"{name}: {mode}", [args.programs.resolve() / program, "{port}", mode],
                paths={"echo": "/echo/"}))
    connections = [1, 16, 64]
    rows = harness.run_all(servers, [ECHO], connections, args.seconds, args.repeat)
    print("\n".join(harness.table(servers, rows, [ECHO], connections, servers[0].name)))
    clients = measure_clients(args.programs.resolve(), args.repeat)
    print(f"\n{'client, one call at a time':28}{'p50 µs':>9}{'p99 µs':>9}{'CPU µs':>9}")
    for row in clients:
        print(f"{row['client']:28}{row['p50_us']:9.1f}{row['p99_us']:9.1f}{row['cpu_us']:9.1f}")
    json_rows = {name: run_lines([args.programs.resolve() / name])
                 for name in ("json-c", "jansson")}
    print(f"\n{'JSON to a tree and back':28}{'bytes':>9}{'json-c ns':>12}{'jansson ns':>12}")
    for ours, other in zip(*json_rows.values(), strict=True):
        print(f"{ours['case']:28}{ours['bytes']:9}{ours['ns']:12.0f}{other['ns']:12.0f}")
    harness.write_json(args.result, servers, rows, {
        "seconds": args.seconds, "repeat": args.repeat, "clients": clients, "json": json_rows})
    sys.exit(1 if any(server.failed for server in servers) else 0)


main()
