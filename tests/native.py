"""For the tests of workers without Python: `jsorc worker`, commands, a daemon that is none."""

import json
import os
import socketserver
import subprocess
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from programs import JSORC, Host, UnixConnection

SOURCE = Path(__file__).with_name("native_module.c").read_text()


def in_threads(count, function):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))


def run(*words, **options):
    return subprocess.run([str(JSORC), *map(str, words)], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, **options)


class Worker(Host):
    """`jsorc worker` on a Unix socket, with its ready line in `ready`."""

    def __init__(self, folder, spec, *options):
        super().__init__(folder, None)
        self.spec, self.options = spec, options
        self.socket = self.folder / "w.sock"

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "spec.json").write_text(json.dumps(self.spec))
        ready_read, ready_write = os.pipe()
        life_read, self.life = os.pipe()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [str(JSORC), "worker", "--spec", str(self.folder / "spec.json"), "--socket",
                 str(self.socket), "--notify-fd", str(ready_write), "--lifeline-fd",
                 str(life_read), *map(str, self.options)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env,
                pass_fds=(ready_write, life_read), start_new_session=True)
        os.close(ready_write)
        os.close(life_read)
        with os.fdopen(ready_read) as lines:
            self.ready = json.loads(lines.readline())
            assert lines.read() == ""  # one line, and closed
        return self

    def connect(self, timeout=30):
        return UnixConnection(self.socket, timeout)


class FakeDaemon(socketserver.ThreadingUnixStreamServer):
    """Answers POST /actions/NAME with what it got; keeps the connection."""

    daemon_threads = True
    block_on_close = False  # the worker keeps its connection

    def __init__(self, path):
        requests = self.requests = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path, body, self.connection.fileno()))
                status = 503 if "busy" in self.path else 200
                reply = b'{"detail": "no worker"}' if status == 503 else body
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        super().__init__(str(path), Handler)
