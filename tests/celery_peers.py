"""The released Celery as a peer of our task queue: its client, its worker, the Redis between, and
celery_talk, which is the queue of src/task alone, told by lines what to do."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import celery
import redis
from kube_talk import PATIENCE_SECONDS, Talk
from programs import BUILD, PATIENCE, wait_until

HERE = Path(__file__).resolve().parent
DB = 1
GET_SECONDS = 10 * PATIENCE  # until a result is there


class RedisServer:
    """A redis-server on a Unix socket that keeps what it has over a kill -9."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = f"{folder}/redis.sock"
        self.client = redis.Redis(unix_socket_path=self.socket, db=DB)
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis+socket://{self.socket}?virtual_host={DB}"

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
             "--save", "", "--appendonly", "yes", "--appendfsync", "always"],
            stdout=subprocess.DEVNULL)
        wait_until(self.answers, 10, "the Redis answers")

    def answers(self):
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.client.close()
        self.kill()

    def app(self):
        """Celery's client, as a user of it has it."""
        app = celery.Celery("peer", broker=self.url, backend=self.url)
        # A result that outlives its server, in a collector's hands, shall not look for it.
        app.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 0}}
        return app


class CeleryWorker:
    """`celery worker` with the tasks of celery_tasks.py, as a process."""

    def __init__(self, server, visibility_s=3600, level="INFO"):
        self.log = Path(server.folder) / "worker.log"
        environment = {**os.environ, "PYTHONPATH": str(HERE), "TEST_CELERY_URL": server.url,
                       "TEST_CELERY_VISIBILITY_S": str(visibility_s)}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "solo",
                 "-l", level, "--without-gossip", "--without-mingle", "--without-heartbeat"],
                stdout=out, stderr=out, env=environment, cwd=server.folder)
        ready = "celery@" if level == "WARNING" else " ready."  # its banner, or its log
        wait_until(lambda: self.process.poll() is not None or ready in self.log.read_text(),
                   30, "Celery's worker is ready")
        assert self.process.poll() is None, self.log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()


class QueueTalk(Talk):
    """with QueueTalk(server) as queue: task = queue.next_task(); queue.finish(task, 7)"""

    def __init__(self, server, **options):
        self.changed = threading.Condition()
        self.lines = []
        self.taken = 0
        self.ended = False
        super().__init__(BUILD / "src/task/celery_talk",
                         {"socket": server.socket, "db": DB, **options})
        self.expected = ""
        self.line_where("it is up", lambda line: line.get("up"))

    def complaint(self):
        lines = self.process.stderr.read().splitlines()
        return "\n".join(x for x in lines if not self.expected or self.expected not in x)

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def line_where(self, what, condition, begin=0):
        """The first line from number begin on for which condition holds, once it is there."""
        def found():
            return next((line for line in self.lines[begin:] if condition(line)), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, PATIENCE_SECONDS)
            assert found(), f"{what}: {self.lines}"
            return found()

    def next_task(self):
        """The next one taken, in their order."""
        def tasks():
            return [line for line in self.lines if "task" in line]

        with self.changed:
            self.changed.wait_for(lambda: len(tasks()) > self.taken or self.ended,
                                  PATIENCE_SECONDS)
            assert len(tasks()) > self.taken, self.lines
            self.taken += 1
            return tasks()[self.taken - 1]

    def finish(self, task, value=None, error=None):
        self.tell({"finish": task["id"], "value": value, "error": error})

    def answer(self, task_id, seconds=GET_SECONDS):
        begin = len(self.lines)
        self.tell({"await": task_id, "timeout_ms": int(seconds * 1000)})
        return self.line_where("the answer", lambda x: x.get("answer") == task_id, begin)

    def kill(self):
        """As a daemon that is killed; its end is not looked at."""
        self.process.kill()
        self.process.wait()
