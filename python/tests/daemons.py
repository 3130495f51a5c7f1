"""A stand-in for the daemon, as workers and clients see it: it records what it is asked."""

import http.server
import json
import socketserver
import threading


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers POST /actions/NAME by `answers[NAME](body)` -> (status, bytes), other paths by
    `answers[PATH]`, and counts."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(str(path), Handler)
        self.path = path
        self.seen = []
        self.tokens = []
        self.spec_reads = 0
        self.connections = 0
        self.answers = {}
        self.headers = {}
        self.spec = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        self.connections += 1
        request, _ = super().get_request()
        return request, ("unix", 0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = self.path.removeprefix("/actions/")
        self.server.seen.append((name, body))
        self.server.tokens.append(self.headers["authorization"])
        none = lambda _: (404, b'{"detail": "no such action"}')  # noqa: E731
        self.answer(*self.server.answers.get(name, none)(body))

    def do_GET(self):
        assert self.path == "/jaseci_actions_spec/"
        self.server.spec_reads += 1
        self.answer(200, json.dumps(self.server.spec).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
