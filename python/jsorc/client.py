"""A client of a jsorc daemon, or of an action server, for programs that are not workers. Needs only
the standard library.

    with jsorc.Client("http://127.0.0.1:8000") as client:
        client.call("text.split", text="a b")

A client has one connection and is for one thread at a time.
"""

import http.client
import json
import os
import socket
import urllib.parse

from ._wire import arrange
from .errors import ActionError

TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 2.0


class OpError(Exception):
    """An operation of the API failed.

    op        its name
    status    HTTP status (200 for a failure that the operation itself tells)
    detail    why
    response  the whole answer, parsed
    """

    def __init__(self, op, status, detail, response=None):
        super().__init__(op, status, detail)
        self.op = op
        self.status = status
        self.detail = detail
        self.response = response

    def __str__(self):
        return f"{self.op}: {self.detail}"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(CONNECT_TIMEOUT_S)
            self.sock.connect(self.path)
            self.sock.settimeout(self.timeout)
        except OSError:
            self.sock.close()
            raise


def default_url():
    """JSORC_URL, else the Unix socket of the daemon of this account's state folder."""
    if os.environ.get("JSORC_URL"):
        return os.environ["JSORC_URL"]
    state = os.environ.get("JSORC_STATE")
    if not state and os.geteuid() == 0:
        state = "/var/lib/jsorc"
    if not state:
        home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        state = os.path.join(home, "jsorc")
    return "unix:" + os.path.join(state, "run", "jsorc.sock")


class Client:
    """url: ``http://host:port``, ``https://...`` or ``unix:/path/of/jsorc.sock``; default: the
    daemon of this account. token: from :meth:`login` or ``jsorc login``; a Unix socket needs none.
    """

    def __init__(self, url=None, token=None, timeout_s=TIMEOUT_S):
        self.url = url or default_url()
        self.token = token or os.environ.get("JSORC_TOKEN")
        self.timeout_s = timeout_s
        self._connection = self._connect()
        self._specs = {}

    def _connect(self):
        if self.url.startswith("unix:"):
            path = self.url[len("unix:"):]
            self._base = ""
            return _UnixConnection(path[2:] if path.startswith("//") else path, self.timeout_s)
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not a daemon's URL: {self.url!r} (http://host:port or unix:/path)")
        self._base = parts.path.rstrip("/")
        kind = (http.client.HTTPSConnection if parts.scheme == "https"
                else http.client.HTTPConnection)
        return kind(parts.hostname, parts.port, timeout=self.timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    # ---- one request

    def request(self, method, path, body=None):
        """(status, headers, parsed answer). A request is sent again only where the server cannot
        have executed it: an idle connection that it had closed refuses the first byte."""
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        self._drop_closed()
        try:
            self._connection.request(method, self._base + path, data, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except BaseException:
            self._connection.close()
            raise
        return response.status, response.headers, _parse(answer)

    def _drop_closed(self):
        """A server closes idle connections: see that before a request is written to one."""
        sock = self._connection.sock
        if sock is None:
            return
        timeout = sock.gettimeout()
        try:
            sock.setblocking(False)
            self._connection.close() if sock.recv(1, socket.MSG_PEEK) == b"" else None
        except BlockingIOError:
            sock.settimeout(timeout)  # open and silent, as it should be
        except OSError:
            self._connection.close()

    # ---- actions and walkers

    def call(self, name, /, *args, **kwargs):
        """Calls an action and returns its result; ActionError tells why that failed."""
        body = {key: value for key, value in kwargs.items() if value is not None}
        if args or name in self._specs:
            body = arrange(name, self._names(name), args, kwargs)
        status, _, answer = self.request("POST", "/actions/" + urllib.parse.quote(name), body)
        if status == 422 and kwargs and name not in self._specs:
            better = arrange(name, self._names(name), args, kwargs)  # they may be for **options
            if better != body:
                status, _, answer = self.request("POST", "/actions/" + urllib.parse.quote(name),
                                                 better)
        if 200 <= status <= 299:
            return answer
        self._specs.pop(name, None)
        detail = answer.get("detail", answer) if isinstance(answer, dict) else answer
        kind = answer.get("type") if isinstance(answer, dict) else None
        raise ActionError(name, status, detail, kind)

    def _names(self, name):
        if name not in self._specs:
            self._specs.update(self.spec())
        if name not in self._specs:
            raise ActionError(name, 404, "not found")
        return self._specs[name]

    def spec(self):
        """Action name -> names of its parameters, stars included."""
        status, _, answer = self.request("GET", "/jaseci_actions_spec/")
        if status != 200 or not isinstance(answer, dict):
            raise OSError(f"{self.url} has no list of actions: it answered {status}")
        return answer

    def walker_run(self, name, ctx=None, **options):
        """Runs a walker and returns the whole answer: ``success``, ``report``, ``errors`` ..."""
        body = {"name": name, "ctx": ctx or {}, **options}
        return self._checked("walker_run", "/js/walker_run", body)

    # ---- operations of the API

    def op(self, name, /, **params):
        """Runs an admin operation by its name: ``client.op("jsorc_actions_load", name="text",
        mode="remote")``. OpError tells why it failed."""
        return self._checked(name, "/js_admin/" + name, params)

    def login(self, email, password):
        """Gets a token and uses it from here on; returns it."""
        answer = self._checked("login", "/user/token/", {"email": email, "password": password})
        self.token = answer["token"]
        return self.token

    def _checked(self, op, path, body):
        status, headers, answer = self.request("POST", path, body)
        failed = headers.get("X-Jsorc-Error") is not None
        if 200 <= status <= 299 and not failed:
            return answer
        detail = answer
        if isinstance(answer, dict):
            detail = answer.get("detail") or answer.get("response") or answer
        raise OpError(op, status, detail, answer)


def _parse(data):
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data[:512].decode(errors="replace")
