"""A proxy between a client and an API server that injects faults, by a seed.

What happens to the n-th request of a method and path depends on the seed, method, path and n
alone, so a seed that fails fails again. Before the server has seen the request: an error status, a
cut. After it: the answer lost, cut in its middle, slow, replaced by a 500, or never come
(half-open). Of a watch, after some lines: cut in the middle of a line, silence, a 410, nonsense."""

import http.client
import json
import random
import socket
import ssl
import struct
import threading
import time
from urllib.parse import urlsplit

from kube_server import KubeHandler, KubeServer

STATUSES = (409, 410, 422, 429, 429, 500, 503)
REASONS = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests",
           500: "InternalError", 503: "ServiceUnavailable"}
REQUEST_FAULTS = ("status", "status", "cut", "lost", "half", "slow", "replaced", "hang")
WATCH_FAULTS = ("status", "cut", "cut-later", "cut-later", "hang-later", "gone-later",
                "nonsense-later", "slow")
REQUEST_FAULT_RATIO = 0.35
WATCH_FAULT_RATIO = 0.8
HANG_SECONDS_MAX = 60


class KubeProxy(KubeServer):
    """with KubeProxy(url, seed) as proxy: proxy.url. context: an ssl context for an https url.

    counts: fault -> how often it was injected. calm(): no more of them."""

    def __init__(self, url, seed, context=None):
        self.target = urlsplit(url)
        self.seed = seed
        self.context = context
        self.lock = threading.Lock()
        self.numbers = {}
        self.counts = {}
        self.stopping = threading.Event()
        self.quiet = False
        super().__init__(_Handler)

    def __exit__(self, *_):
        self.stopping.set()
        super().__exit__()

    def calm(self):
        self.quiet = True

    def choose(self, method, path, watch):
        """The fault of this request ("" = none), and its own random numbers."""
        with self.lock:
            number = self.numbers[method, path] = self.numbers.get((method, path), 0) + 1
            rng = random.Random(f"{self.seed} {method} {path} {number}")
            ratio = WATCH_FAULT_RATIO if watch else REQUEST_FAULT_RATIO
            if self.quiet or rng.random() >= ratio:
                return "", rng
            fault = rng.choice(WATCH_FAULTS if watch else REQUEST_FAULTS)
            name = f"watch-{fault}" if watch else fault
            self.counts[name] = self.counts.get(name, 0) + 1
            return fault, rng

    def connect(self):
        if self.target.scheme == "https":
            return http.client.HTTPSConnection(self.target.hostname, self.target.port,
                                               timeout=HANG_SECONDS_MAX, context=self.context)
        return http.client.HTTPConnection(self.target.hostname, self.target.port,
                                          timeout=HANG_SECONDS_MAX)


class _Handler(KubeHandler):
    @property
    def proxy(self):
        return self.server.owner

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.settimeout(HANG_SECONDS_MAX)

    def cut(self):
        """A reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        raise ConnectionResetError("by the seed")

    def hang(self):
        """Half-open: not a word more, until the client has had enough."""
        self.connection.settimeout(0.2)
        end = time.monotonic() + HANG_SECONDS_MAX
        while time.monotonic() < end and not self.proxy.stopping.is_set():
            try:
                if not self.connection.recv(65536):
                    break
            except TimeoutError:
                continue
        self.cut()

    def forward(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        watch = "watch=1" in urlsplit(self.path).query
        fault, rng = self.proxy.choose(self.command, urlsplit(self.path).path, watch)
        if fault == "status":
            self.say(rng.choice(STATUSES), rng)
            return
        if fault == "cut":
            self.cut()
        upstream = self.proxy.connect()
        try:
            headers = {name: self.headers[name] for name in ("Content-Type", "Accept")
                       if self.headers[name]}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            if watch and answer.status == 200:
                self.pass_stream(answer, fault, rng)
            else:
                self.pass_answer(answer, fault, rng)
        finally:
            upstream.close()

    do_GET = do_POST = do_PATCH = do_DELETE = forward

    def say(self, code, rng):
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                           "reason": REASONS[code], "message": "by the seed",
                           "details": {"name": "x"}}).encode()
        self.send_response(code)
        if code == 429:
            self.send_header("Retry-After", str(rng.choice((0, 1))))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_answer(self, answer, fault, rng):
        data = answer.read()
        if fault == "replaced":
            self.say(500, rng)
            return
        if fault == "lost":
            self.cut()
        if fault == "hang":
            self.hang()
        head = (f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
                f"Content-Type: {answer.headers['Content-Type'] or 'text/plain'}\r\n"
                f"Content-Length: {len(data)}\r\n\r\n").encode()
        if fault == "half":
            self.wfile.write(head + data[:len(data) // 2])
            self.wfile.flush()
            self.cut()
        elif fault == "slow":
            self.drip(head + data)
        else:
            self.wfile.write(head + data)

    def drip(self, data):
        piece = max(1, len(data) // 20)
        for start in range(0, len(data), piece):
            self.wfile.write(data[start:start + piece])
            self.wfile.flush()
            self.proxy.stopping.wait(0.005)

    def pass_stream(self, answer, fault, rng):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.wfile.flush()
        left = rng.randrange(6) if fault.endswith("-later") else None
        while True:
            line = answer.readline()
            if not line:
                self.wfile.write(b"0\r\n\r\n")
                return
            if left == 0:
                self.end_stream(fault, line)
                return
            left = left - 1 if left else left
            if fault == "slow":
                for start in range(0, len(line), 40):
                    self.chunk(line[start:start + 40])
                    self.proxy.stopping.wait(0.002)
            else:
                self.chunk(line)

    def end_stream(self, fault, line):
        if fault == "cut-later":
            self.chunk(line[:len(line) // 2])
            self.cut()
        if fault == "hang-later":
            self.chunk(line[:len(line) // 2])
            self.hang()
        if fault == "gone-later":
            self.chunk(b'{"type":"ERROR","object":{"kind":"Status","code":410,'
                       b'"reason":"Expired","message":"by the seed"}}\n')
        else:
            self.chunk(b'{"type":"ADDED","object":{"by":"the seed"}}\n')
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


def client_context(kubeconfig, folder):
    """The API server's url and an ssl context with the credentials of a kubeconfig (certificates
    inline); folder: where files may be written."""
    import base64

    import yaml

    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {}
    for name, data in (("ca", cluster["certificate-authority-data"]),
                       ("cert", user["client-certificate-data"]),
                       ("key", user["client-key-data"])):
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(base64.b64decode(data))
    context = ssl.create_default_context(cafile=str(files["ca"]))
    context.load_cert_chain(files["cert"], files["key"])
    return cluster["server"], context


class Relay:
    """Passes bytes on to host:port, and can freeze: what is connected then hears nothing more, and
    is not closed. For TLS and HTTP/2, which pass unread."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.accepted = 0
        self.frozen = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.close()

    def freeze(self):
        self.frozen.update(self.pairs)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                pair = (client, socket.create_connection(self.target))
            except OSError:
                return
            self.accepted += 1
            self.pairs.append(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(pair, source, sink),
                                 daemon=True).start()

    def _pump(self, pair, source, sink):
        try:
            while data := source.recv(65536):
                if pair not in self.frozen:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
