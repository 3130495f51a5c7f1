"""The HTTP server that kube_api (an API server for tests) and kube_proxy (one before it) are."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients end as they like, and some connections are cut in the middle on purpose."""


class KubeServer:
    """with KubeServer(handler) as server: server.url. A handler has it as self.server.owner."""

    def __init__(self, handler):
        self.server = _Threads(("127.0.0.1", 0), handler)
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class KubeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass
