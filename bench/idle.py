"""What an idle daemon costs, and how soon it answers.

    bench/idle.py [--starts 20]

Prints the memory (PSS) of supervisor and daemon with nothing loaded, and the time from the exec of
`jsorc serve` to its first HTTP answer, without Python."""

import argparse
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from evidence import Daemon, pss_kb, write_result

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER_SECONDS_MAX = 10


def first_answer(port, until):
    """Asks again and again without a pause; the answer's first bytes."""
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(REQUEST)
                data = connection.recv(4096)
                if data.startswith(b"HTTP/1.1 200"):
                    return data
        except OSError:
            pass
    raise AssertionError("no answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--starts", type=int, default=20)
    options = parser.parse_args()
    times, memory = [], []
    with tempfile.TemporaryDirectory(prefix="jsorc-idle-") as folder:
        for number in range(options.starts):
            daemon = Daemon(Path(folder) / str(number))
            start = time.monotonic()
            daemon.start(wait=False)
            first_answer(daemon.port, start + ANSWER_SECONDS_MAX)
            times.append((time.monotonic() - start) * 1000)
            time.sleep(0.3)
            supervisor = daemon.process.pid
            memory.append((pss_kb(supervisor), pss_kb(daemon.daemon_pid())))
            assert sorted(daemon.pids()) == sorted([supervisor, daemon.daemon_pid()])
            daemon.stop()
    supervisor_mb = statistics.median(pair[0] for pair in memory) / 1024
    daemon_mb = statistics.median(pair[1] for pair in memory) / 1024
    path = write_result("idle", {"start_ms": times, "pss_kb": memory})
    print(f"idle: supervisor {supervisor_mb:.1f} MiB + daemon {daemon_mb:.1f} MiB = "
          f"{supervisor_mb + daemon_mb:.1f} MiB PSS (asked at most 16)")
    print(f"exec to first answer: median {statistics.median(times):.1f} ms, "
          f"worst {max(times):.1f} ms of {len(times)} starts (asked at most 50)")
    print(f"figures in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
