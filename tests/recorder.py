"""A stand-in for the daemon: keeps the requests of the command line, and answers as told."""

import json
import os
import socketserver
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from programs import JSORC


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    body: object = None  # JSON, or bytes as they are
    status: int = 200
    headers: dict = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that did not wait for the answer."""


class UnixServer(Server):
    address_family = socketserver.socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0


class Recorder:
    """Listens on STATE/run/jsorc.sock and on a loopback port. answers: path -> Answer, or a
    function of the Request; what is not there is answered with {"success": true}."""

    def __init__(self, state):
        self.state = state
        self.requests = []
        self.answers = {}
        (state / "run").mkdir(parents=True)
        self.servers = [
            UnixServer(str(state / "run" / "jsorc.sock"), self._handler()),
            Server(("127.0.0.1", 0), self._handler()),
        ]
        self.url = f"http://127.0.0.1:{self.servers[1].server_port}"
        self.threads = [threading.Thread(target=server.serve_forever, args=(0.02,))
                        for server in self.servers]
        for thread in self.threads:
            thread.start()

    def close(self):
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

    def last(self):
        return self.requests[-1]

    def _answer(self, request):
        self.requests.append(request)
        answer = self.answers.get(request.path, Answer({"success": True}))
        return answer(request) if callable(answer) else answer

    def _handler(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                size = int(self.headers.get("Content-Length") or 0)
                answer = recorder._answer(Request(
                    self.command, self.path, dict(self.headers), self.rfile.read(size)))
                body = answer.body
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(answer.status)
                headers = {"Content-Type": "application/json", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = handle_one

            def address_string(self):
                return "client"

            def log_message(self, *args):
                pass

        return Handler


def clean_environment(home, **more):
    """The caller's environment without its jsorc settings, with a home of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JSORC_")}
    for name in ("XDG_STATE_HOME", "NO_COLOR", "http_proxy", "https_proxy", "all_proxy"):
        kept.pop(name, None)
    return {**kept, "HOME": str(home), **more}


def run(*words, env, stdin=None, cwd=None):
    """`jsorc WORDS`, to its end. stdin: text, or None for /dev/null."""
    source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run([str(JSORC), *map(str, words)], capture_output=True, text=True,
                          timeout=60, env=env, cwd=cwd, **source)
