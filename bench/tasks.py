"""How many tasks of Celery's protocol a second: our queue beside Celery's worker, the same echo.

    bench/tasks.py [--tasks 5000] [--repeat 3]      with dev/env's JSORC_VENV_TEST

A client of Celery sends all tasks first, then one consumer at a time takes them from a Redis and
stores their results there. The time is that from the first result to the last. Ours here is the
queue alone (celery_talk, which echoes in C): what the way through the Redis costs, no walker in
it. Celery's worker is told to run in one process (solo) and to log warnings only."""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from celery_peers import CeleryWorker, QueueTalk, RedisServer  # noqa: E402

SECONDS_MAX = 300  # of one run


def count(server, tasks):
    """How many results there are. Few keys are none of them, so only near the end it counts."""
    size = server.client.dbsize()
    return len(server.client.keys("celery-task-meta-*")) if size >= tasks else size


def drain(server, tasks, consumer):
    """Tasks a second, as the consumer (a context) takes them."""
    server.client.flushdb()
    app = server.app()
    with app.producer_pool.acquire() as producer:
        for i in range(tasks):
            app.send_task("peer.echo", args=[i], producer=producer)
    assert server.client.llen("celery") == tasks
    end = time.monotonic() + SECONDS_MAX
    with consumer(server):
        while (first := count(server, tasks)) < tasks // 20:
            assert time.monotonic() < end, first
            time.sleep(0.002)
        begin = time.monotonic()
        while (last := count(server, tasks)) < tasks:
            assert time.monotonic() < end, last
            time.sleep(0.002)
        seconds = time.monotonic() - begin
    app.close()
    return (tasks - first) / seconds


CONSUMERS = {
    "ours, queue alone": lambda server: QueueTalk(server, echo=True, taken_max=64),
    "ours, one at a time": lambda server: QueueTalk(server, echo=True, taken_max=1),
    "Celery's worker": lambda server: CeleryWorker(server, level="WARNING"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rates = {name: [] for name in CONSUMERS}
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(folder)
        try:
            for _ in range(options.repeat):
                for name, consumer in CONSUMERS.items():
                    rates[name].append(drain(server, options.tasks, consumer))
        finally:
            server.stop()
    for name, seen in rates.items():
        print(f"{name:22} {statistics.median(seen):8.0f} tasks/s   "
              f"({min(seen):.0f} to {max(seen):.0f})")


if __name__ == "__main__":
    main()
