"""Candidates for the HTTP layer, side by side: what docs/adr/0001-http.md rests on.

`fixed`: the I/O thread answers at once. `handoff`: it hands the request to another thread, and that
one's answer goes out, which is what every worker and the daemon's control thread do.

    run.py PROGRAMS-FOLDER RESULT.json [--seconds N] [--repeat N]"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

TEXT = "The quick brown fox jumps over it"
ECHO = harness.Work("echo", b'{"text": "%s"}' % TEXT.encode(), TEXT)
NAMES = {"parser": "http_parser + epoll, bare", "ours": "src/http", "mhd": "libmicrohttpd, epoll"}


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
    harness.write_json(args.result, servers, rows, {"seconds": args.seconds, "repeat": args.repeat})
    sys.exit(1 if any(server.failed for server in servers) else 0)


main()
