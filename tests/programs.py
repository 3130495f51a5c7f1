"""The built program as tests run it: `jsorc serve` (Daemon) and `jsorc host` (Host).

A Program is started in a process group of its own, with its output in a file, and is found with all
that it started by a mark in the environment, whoever became the parent of what."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from postgres import query

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("JSORC_BUILD", ROOT / "build")).resolve()
JSORC = BUILD / "jsorc"
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
CALL_SECONDS_MAX = 60
PATIENCE = 4  # a machine that others use as well may be so much slower
MARK = "JSORC_TEST_MARK"


def wait_until(condition, seconds=10.0, what="the condition", poll=0.01):
    """Polls every poll seconds; returns what condition returned. seconds: what a quiet machine
    needs at the most. Fails with AssertionError after PATIENCE times that."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(poll)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; timeout in seconds."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Client:
    """HTTP to one address, a connection a request unless one is given."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def connect(self, timeout=CALL_SECONDS_MAX):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method, path, body=None, *, connection=None, timeout=CALL_SECONDS_MAX,
                token=None, headers=None):
        """body: bytes are sent as they are, anything else as JSON, None not at all."""
        all_headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            all_headers.setdefault("Content-Type", "application/json")
        if token:
            all_headers["Authorization"] = f"Token {token}"
        own = connection or self.connect(timeout)
        try:
            own.request(method, path, body, all_headers)
            reply = own.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            if not connection:
                own.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)


class Program(Client):
    """One running jsorc. Fill argv and env in a subclass, then start()."""

    ready_path = "/"

    def __init__(self, folder, env=None):
        super().__init__("127.0.0.1", free_port())
        self.folder = Path(folder)
        self.mark = uuid.uuid4().hex
        # Workers run in the interpreter that runs the tests: it has orjson and numpy.
        self.env = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONUNBUFFERED": "1",
                    **(env or {}), MARK: self.mark}
        self.log = self.folder / "output.log"
        self.process = None
        self.expected_log = []

    # ---- life

    def start(self, wait=True):
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in self.argv()], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=self.env, cwd=self.folder, start_new_session=True)
        if wait:
            wait_until(self.answers, READY_SECONDS_MAX, f"an answer of {self.argv()}")
        return self

    def answers(self):
        assert self.process.poll() is None, \
            f"exited with {self.process.returncode}:\n{self.log_text()}"
        try:
            return self.get(self.ready_path, timeout=5).status < 500
        except OSError:
            return False

    def stop(self, sig=signal.SIGTERM):
        """Ends it and returns its exit status (negative: the signal's number)."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end after signal {sig}:\n{self.log_text()}") from None

    def kill(self):
        """SIGKILL for it and for all that it started."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # ---- what it looks like from outside

    def pids(self):
        """All living processes that carry its mark, zombies left out."""
        needle = f"{MARK}={self.mark}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
        return sorted(found)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def expect_log(self, pattern):
        """A warning or error line that matches is no failure of this test."""
        self.expected_log.append(re.compile(pattern))


class Host(Program):
    """`jsorc host SOURCE`: one module, at http://127.0.0.1:PORT."""

    ready_path = "/healthz"

    def __init__(self, folder, source, *options, env=None):
        super().__init__(folder, env)
        self.source, self.options = source, options
        self.url = f"http://127.0.0.1:{self.port}"

    def argv(self):
        return [JSORC, "host", self.source, "--listen", f"127.0.0.1:{self.port}", *self.options]


class Daemon(Program):
    """`jsorc serve SOURCES`, with its state in FOLDER/state. Restarting it keeps state and port."""

    ready_path = "/js_public/health"

    def __init__(self, folder, *sources, options=(), env=None):
        super().__init__(folder, env)
        self.sources, self.options = sources, options
        self.state = self.folder / "state"
        self.socket = self.state / "run" / "jsorc.sock"
        self.url = f"http://127.0.0.1:{self.port}"

    def argv(self):
        return [JSORC, "serve", *self.sources, "--state", self.state,
                "--listen", f"127.0.0.1:{self.port}", *self.options]

    def connect_local(self, timeout=CALL_SECONDS_MAX):
        """The Unix socket: needs no login."""
        return UnixConnection(self.socket, timeout)

    def op(self, name, /, **parameters):
        """An operation of the API, as the local administrator; returns the answer's JSON."""
        connection = self.connect_local(timeout=120)
        try:
            return self.post(f"/js_admin/{name}", parameters, connection=connection).json()
        finally:
            connection.close()

    def under_way(self, count):
        """Waits until so many calls are with the workers."""
        wait_until(lambda: sum(worker["in_flight"] for worker in self.op("jsorc_status")["workers"])
                   >= count, 15, f"{count} calls under way")

    def call(self, action, /, **arguments):
        """An action; returns the Reply."""
        return self.post(f"/actions/{action}", arguments)

    def cli(self, *words, stdin=""):
        """`jsorc WORDS` against this daemon; returns the CompletedProcess."""
        return subprocess.run(
            [str(JSORC), *map(str, words)], input=stdin, capture_output=True, text=True,
            timeout=120, env={**self.env, "JSORC_STATE": str(self.state)})

    def daemon_pid(self):
        """Of the daemon proper; `process` is its supervisor."""
        return int((self.state / "run" / "daemon.pid").read_text())

    def stored(self, column, table):
        """A column's texts as they lie in the store."""
        select = f"SELECT {column} FROM {table}"
        if "--state-url" in self.options:
            url = self.options[self.options.index("--state-url") + 1]
            return query(url, f"SET search_path = jsorc; {select}").splitlines()
        with contextlib.closing(sqlite3.connect(self.state / "jsorc.db")) as database:
            return [str(row[0]) for row in database.execute(select)]

    def worker_log(self, name):
        path = self.state / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""
