"""`jsorc host` and `jsorc worker` with C modules: the wire format to the letter, and faults."""

import base64
import http.client
import json
import os
import socket
import socketserver
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from programs import JSORC, Host, UnixConnection, wait_until

pytestmark = pytest.mark.sanitize
SOURCE = Path(__file__).with_name("native_module.c").read_text()


@pytest.fixture
def library(compile_module):
    return compile_module("native", SOURCE)


@pytest.fixture
def server(host, library):
    return host(library)


def in_threads(count, function):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))


# ---- the wire format


def test_spec(server):
    spec = server.get("/jaseci_actions_spec/").json()
    assert spec["native.echo"] == spec["native.same"] == spec["native.again"] == ["text"]
    assert spec["native.show"] == ["i", "f", "l", "*parts", "**more"]
    full = server.get("/jaseci_actions_spec/?full=1").json()
    assert full["native.echo"] == {
        "params": [{"name": "text", "kind": "plain", "type": "any", "required": True,
                    "doc": "anything"}],
        "doc": "As it came.", "returns": "str", "idempotent": True, "timeout_ms": 1500,
        "module": "native"}
    assert full["native.same"]["alias_of"] == "native.echo"
    assert full["native.show"]["params"][1]["default"] == 0.5


@pytest.mark.parametrize("path", ["/echo/", "/native.echo/", "/same/", "/native.again/",
                                  "/ech%6F/", "/echo/?x=1"])
def test_all_names_of_an_action(server, path):
    reply = server.post(path, {"text": "a"})
    assert (reply.status, reply.body) == (200, b'"a"')
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Server-Timing"].startswith("exec;dur=")


@pytest.mark.parametrize("method, path, location", [
    ("POST", "/echo", "/echo/"),
    ("POST", "/native.echo?a=b", "/native.echo/?a=b"),
    ("GET", "/jaseci_actions_spec", "/jaseci_actions_spec/"),
    ("GET", "/healthz/", "/healthz"),
    ("GET", "/", "/docs"),
])
def test_redirects_keep_the_method(server, method, path, location):
    reply = server.request(method, path, {"text": 1} if method == "POST" else None)
    assert (reply.status, reply.headers["Location"]) == (307, location)


@pytest.mark.parametrize("method, path, status", [
    ("POST", "/none/", 404), ("POST", "/none", 404), ("GET", "/none", 404),
    ("POST", "/echo//", 404), ("POST", "/%zz/", 404), ("POST", "/", 405),
    ("POST", "/wapi/x/", 404), ("POST", "/walker_run/", 404),
    ("GET", "/echo/", 405), ("PUT", "/echo/", 405), ("DELETE", "/healthz", 405),
    ("POST", "/openapi.json", 405),
])
def test_what_is_not_there(server, method, path, status):
    reply = server.request(method, path, {} if method in ("POST", "PUT") else None)
    assert reply.status == status
    assert reply.json().keys() == {"detail", "type"}
    assert (status == 405) == ("Allow" in reply.headers)


def test_documents(server):
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.request("HEAD", "/healthz").status == 200
    assert b"<html" in server.get("/docs").body
    paths = server.get("/openapi.json").json()["paths"]
    assert "post" in paths["/echo/"] and "post" in paths["/again/"]


@pytest.mark.parametrize("body, wanted", [
    (b"", {"i": ["int", 1], "f": ["double", 0.5], "l": ["array", []], "*parts": ["array", []],
           "**more": ["object", {}]}),
    ({"i": "7", "f": 2, "l": [1, "b"], "*parts": ["3"], "**more": {"x": None}},
     {"i": ["int", 7], "f": ["double", 2.0], "l": ["array", ["1", "b"]], "*parts": ["array", [3]],
      "**more": ["object", {"x": None}]}),
    ({"i": None, "parts": [1], "more": {}},
     {"i": ["int", 1], "f": ["double", 0.5], "l": ["array", []], "*parts": ["array", [1]],
      "**more": ["object", {}]}),
])
def test_arguments(server, body, wanted):
    reply = server.post("/show/", body)
    assert (reply.status, reply.json()) == (200, wanted)


@pytest.mark.parametrize("path, body, loc, kind", [
    ("/echo/", {}, ["body", "text"], "value_error.missing"),
    ("/echo/", b"", ["body", "text"], "value_error.missing"),
    ("/echo/", {"text": 1, "x": 2}, ["body", "x"], "value_error.extra"),
    ("/echo/", [1], ["body"], "type_error.dict"),
    ("/echo/", b'{"text": ', ["body"], "value_error.jsondecode"),
    ("/echo/", b'{"text": NaN}', ["body"], "value_error.jsondecode"),
    ("/echo/", b'{"text": "\xff"}', ["body"], "value_error.jsondecode"),
    ("/echo/", b'{"text": ' + b"[" * 100000, ["body"], "value_error.jsondecode"),
    ("/show/", {"i": "x"}, ["body", "i"], "type_error.integer"),
    ("/show/", {"l": ["a", []]}, ["body", "l", 1], "type_error.str"),
])
def test_arguments_that_do_not_fit(server, path, body, loc, kind):
    reply = server.post(path, body)
    assert reply.status == 422
    detail, = reply.json()["detail"]
    assert (detail["loc"], detail["type"]) == (loc, kind)


# ---- results


def test_values_come_back_as_they_were(server):
    for value in ["", "\0 \" \\ \n ü ✓ 🙂", 0, -1, 2**63 - 1, -2**63, 1.5, 1e300, True, None, [],
                  {}, {"a": [1, {"b": None}]}]:
        assert server.post("/echo/", {"text": value}).json() == value


def test_bytes(server):
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    assert server.post("/decode/", {"data": text}).json() == [256, text]
    reply = server.post("/decode/", {"data": "!"})
    assert (reply.status, reply.json()["detail"]) == (400, "data is no base64")


def test_raw_answer(server):
    reply = server.post("/image/", {})
    assert (reply.headers["Content-Type"], reply.body) == ("image/png", b"\x89PNG\r\n\x1a\n\0")


def test_large_result(server):
    reply = server.post("/large/", {"thousands": 30000})
    assert reply.status == 200
    assert len(reply.body) == 30000 * 1003 + 1


@pytest.mark.parametrize("how, status, text", [
    ("twice", 500, "second value"), ("open", 500, "did not end"), ("bytes", 500, "no UTF-8"),
    ("silent", 500, "action 'native.wrong' returned 7 without a message"),
    ("status", 418, 'a "teapot" of 1\n?'),
])
def test_mistakes_are_told_and_harm_nobody(server, how, status, text):
    connection = server.connect()
    reply = server.post("/wrong/", {"how": how}, connection=connection)
    assert reply.status == status
    assert text in reply.json()["detail"]
    assert server.post("/echo/", {"text": 1}, connection=connection).json() == 1
    connection.close()
    counts = server.get("/jsorc/status").json()["actions"]["native.wrong"]
    assert (counts["calls"], counts["errors"]) == (1, 1)


# ---- calls of other actions


def test_an_action_calls_another_one(server):
    assert server.post("/ask/", {"action": "native.echo", "text": "hi"}).json() == ["hi"]
    reply = server.post("/ask/", {"action": "native.show", "text": 1})
    assert reply.status == 500
    assert "'native.show' failed with status 422" in reply.json()["detail"]
    reply = server.post("/ask/", {"action": "native.none"})
    assert "has no daemon to ask" in reply.json()["detail"]
    reply = server.post("/ask/", {"action": "native.image"})
    assert reply.status == 500
    assert "without end" in server.post("/endless/", {}).json()["detail"]


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


# ---- faults


def test_a_slow_call_holds_up_nobody(server):
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(server.post, "/wait_ms/", {"ms": 1500}) for _ in range(3)]
        start = time.monotonic()
        for number in range(50):
            assert server.post("/echo/", {"text": number}).json() == number
        assert server.get("/healthz").status == 200
        assert time.monotonic() - start < 1.4, "short calls waited for slow ones"
        assert server.get("/jsorc/status").json()["in_flight"] == 3
        assert all(call.result().json() is False for call in slow)


def test_slow_calls_run_side_by_side(server):
    start = time.monotonic()
    replies = in_threads(20, lambda _: server.post("/wait_ms/", {"ms": 500}).status)
    assert replies == [200] * 20
    assert time.monotonic() - start < 3, "20 calls of half a second ran one after the other"


def test_status_answers_while_all_threads_hang(host, library):
    server = host(library, "--threads", "2")
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(server.post, "/wait_ms/", {"ms": 1000}) for _ in range(4)]
        wait_until(lambda: server.get("/jsorc/status").json()["waiting"] >= 2, 5, "the queue")
        assert server.get("/jsorc/status").json()["in_flight"] == 4
        connection = server.connect(timeout=0.2)
        with pytest.raises(TimeoutError):  # it passes through a call thread: none is free
            server.get("/healthz", connection=connection)
        connection.close()
        assert [call.result().status for call in calls] == [200] * 4
    assert server.get("/healthz").status == 200


def test_more_requests_than_the_queue_holds(server):
    replies = in_threads(200, lambda number: server.post(
        "/echo/", {"text": f"{number}" * 50}).json())
    assert replies == [f"{number}" * 50 for number in range(200)]


def test_answers_are_not_mixed_up(server):
    def work(thread):
        connection = server.connect()
        for number in range(100):
            nonce = f"{thread}-{number}"
            path = "/echo/" if number % 10 else "/ask/"
            wanted = nonce if number % 10 else [nonce]
            body = {"text": nonce} if number % 10 else {"action": "echo", "text": nonce}
            assert server.post(path, body, connection=connection).json() == wanted
        connection.close()
        return True

    assert all(in_threads(16, work))


def test_pipelined_requests_are_answered_in_order(server):
    body = b'{"text": %d}'
    requests = b"".join(
        b"POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body % number), body % number) for number in range(10, 90))
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(requests)
        got = b""
        while got.count(b"HTTP/1.1 200") < 80 or not got.endswith(b"89"):
            data = sock.recv(65536)
            assert data, got
            got += data
    assert [int(part[:2]) for part in got.split(b"\r\n\r\n")[1:]] == \
        list(range(10, 90))


def test_descriptors_that_an_action_writes_to_and_closes(server):
    connection = server.connect()
    assert server.post("/echo/", {"text": 1}, connection=connection).json() == 1
    assert server.post("/vandalize/", {}).json() is True
    assert server.post("/echo/", {"text": 2}, connection=connection).json() == 2
    assert server.post("/echo/", {"text": 3}).json() == 3
    connection.close()


@pytest.mark.parametrize("how, status", [("exit", 3), ("crash", -11)])
def test_a_call_that_ends_the_process(server, how, status):
    server.killed = True
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        server.post("/wrong/", {"how": how})
    assert server.process.wait(10) == status


def test_a_serial_module_has_one_call_at_a_time(host, write):
    source = write("serial.c", SOURCE)
    target = source.with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-DFLAGS=JSORC_SERIAL",
                    f"-I{Path(__file__).parents[1]}/include", str(source), "-o", str(target)],
                   check=True)
    server = host(target)
    assert in_threads(8, lambda _: server.post("/busy/", {}).json()) == [1] * 8


def test_the_same_module_without_the_flag_has_several(server):
    assert max(in_threads(8, lambda _: server.post("/busy/", {}).json())) > 1


def test_log_lines(server):
    server.post("/say/", {"text": "two\nlines"})
    wait_until(lambda: 'msg="module says" module=native text="the text is two lines"'
               in server.log_text(), 5, "the log line")


# ---- who may call


def test_token(host, library, write):
    token = write("token", "s3cret\n")
    server = host(library, "--token-file", token)
    assert server.get("/healthz").status == 200
    for wrong in ({}, {"Authorization": "Token nope"}, {"Authorization": "Token s3cretx"},
                  {"Authorization": "Bearer s3cret"}, {"Authorization": "Token "}):
        reply = server.post("/echo/", {"text": 1}, headers=wrong)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Token")
    assert server.post("/echo/", {"text": 1}, token="s3cret").json() == 1


def test_pages_of_other_sites_are_refused(server):
    def status(origin, host_name=None):
        headers = {"Origin": origin}
        if host_name:
            headers["Host"] = host_name
        return server.post("/echo/", {"text": 1}, headers=headers).status

    here = f"127.0.0.1:{server.port}"
    assert status(f"http://{here}") == 200
    assert status(f"http://localhost:{server.port}", f"localhost:{server.port}") == 200
    assert status("http://evil.example") == 403
    assert status("null") == 403
    assert status(f"http://evil.example:{server.port}", f"evil.example:{server.port}") == 403


# ---- life


def test_requests_in_flight_are_answered_before_the_end(server):
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(server.post, "/wait_ms/", {"ms": 700})
        wait_until(lambda: server.get("/jsorc/status").json()["in_flight"], 5, "the call")
        server.process.terminate()
        assert call.result().json() is False
    assert server.process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        server.get("/healthz")


def run(*words, **options):
    return subprocess.run([str(JSORC), *map(str, words)], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, **options)


def test_port_taken(server, library):
    ended = run("host", library, "--listen", f"127.0.0.1:{server.port}")
    assert ended.returncode == 1
    assert "another program has that port" in ended.stderr
    assert "--listen HOST:PORT" in ended.stderr


@pytest.mark.parametrize("words, status, text", [
    (["host"], 2, "nothing to serve"),
    (["host", "missing.so"], 1, "cannot read 'missing.so': No such file or directory"),
    (["host", "missing.py"], 1, "cannot read 'missing.py': No such file or directory"),
    (["host", "LIBRARY", "--listen", "here"], 1, "is no address to listen on: give HOST:PORT"),
    (["host", "LIBRARY", "--bad"], 2, "unknown option '--bad'"),
    (["host", "LIBRARY", "--token-file", "/dev/null"], 2, "token file '/dev/null' is empty"),
    (["host", "pkg.module", "--python", "/nonexistent/python"], 1,
     "cannot start Python as '/nonexistent/python'"),
    (["worker", "pkg.module", "--listen", "127.0.0.1:0"], 1, "is no C module"),
])
def test_wrong_use(library, words, status, text):
    ended = run(*[library if word == "LIBRARY" else word for word in words])
    assert ended.returncode == status, ended
    assert ended.stderr.startswith("jsorc: error: ")
    assert text in ended.stderr


HEAD = """
#include <jsorc/action.h>
static int f(struct jsorc_call *call) { jsorc_put_int(call, 1); return JSORC_OK; }
"""

BAD_MODULES = {
    "has no symbol": ("int x;", "exports no symbol 'jsorc_module'"),
    "calls what is not there": (
        HEAD + "int nowhere(void); int g(void); int g(void) { return nowhere(); }\n"
        'static const struct jsorc_action a[] = {{.name = "f", .run = f}, {0}};'
        "JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};", "undefined symbol: nowhere"),
    "has another ABI": (
        HEAD + "JSORC_MODULE = {.abi = 77, .abi_minor = 3, .size = sizeof(struct jsorc_module), "
        ".setup = f};",
        "is built for version 77.3 of the C interface, this jsorc has 1.0"),
    "is newer": (
        HEAD + "JSORC_MODULE = {.abi = 1, .abi_minor = 9, .size = sizeof(struct jsorc_module), "
        ".setup = f};",
        "is built for version 1.9"),
    "has no head": (HEAD + "JSORC_MODULE = {.abi = 1, .setup = f};",
                    "begin it with JSORC_MODULE_HEAD"),
    "has no actions": (HEAD + "JSORC_MODULE = {JSORC_MODULE_HEAD, .setup = f};",
                       "it has no actions"),
    "has an action twice": (
        HEAD + 'static const struct jsorc_action a[] = {{.name = "f", .run = f}, {.name = "f", '
        ".run = f}, {0}}; JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};",
        "has two actions named 'bad.f'"),
    "has no function": (
        HEAD + 'static const struct jsorc_action a[] = {{.name = "f", .run = f}, {.name = "g"}, '
        "{0}}; JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};", "action 'g' has no function"),
    "has a wrong type": (
        HEAD + 'static const struct jsorc_action a[] = {{.name = "f", .run = f, '
        '.params = {{"x", "integer", 0, 0}}}, {0}};'
        "JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};", "unknown type 'integer'"),
    "has a wrong default": (
        HEAD + 'static const struct jsorc_action a[] = {{.name = "f", .run = f, '
        '.params = {{"x", "str", "hello", 0}}}, {0}};'
        "JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};",
        "action 'f': default of parameter 'x' ('hello')"),
    "fails in setup": (
        HEAD + "static int s(struct jsorc_call *call) { return jsorc_fail(call, 500, "
        '"no model in %s", "/models"); } '
        'static const struct jsorc_action a[] = {{.name = "f", .run = f}, {0}};'
        "JSORC_MODULE = {JSORC_MODULE_HEAD, .setup = s, .actions = a};",
        "setup: no model in /models"),
    "fails in its action setup": (
        HEAD + "static int s(struct jsorc_call *call) { (void)call; return 1; } "
        'static const struct jsorc_action a[] = {{.name = "f", .run = f}, {.name = "setup", '
        ".run = s}, {0}}; JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = a};",
        "setup: it failed without a message"),
}


@pytest.mark.parametrize("name", BAD_MODULES)
def test_a_module_that(compile_module, name):
    source, text = BAD_MODULES[name]
    ended = run("host", compile_module("bad", source), "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("jsorc: error: cannot load module 'bad': ")
    assert text in ended.stderr


def test_a_file_that_is_no_library(write):
    ended = run("host", write("text.so", "hello"), "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    assert "cannot be loaded" in ended.stderr


# ---- jsorc worker, as the daemon starts it


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


@pytest.fixture
def worker(tmp_path, library):
    started = []

    def start(*options, ctx=None, **spec):
        spec = {"name": "pod-native-3", "generation": 3, "role": "pod", "modules": [
            {"name": "native", "kind": "native", "source": str(library), "ctx": ctx or {}}], **spec}
        started.append(Worker(tmp_path / f"worker-{len(started)}", spec, *options).start())
        return started[-1]

    yield start
    for program in started:
        program.kill()
        os.close(program.life)


def test_ready_line_and_status(worker, library):
    one = worker()
    assert one.ready["ready"] is True and one.ready["pid"] == one.process.pid
    module = one.ready["modules"]["native"]
    assert module["kind"] == "native" and module["source"] == str(library)
    assert module["load_ms"] > 0 and module["walkers"] == []
    assert module["actions"]["native.echo"]["params"][0]["name"] == "text"
    for _ in range(3):
        one.post("/native.echo/", {"text": 1})
    one.post("/native.echo/", {})
    status = one.get("/jsorc/status").json()
    assert (status["role"], status["name"], status["generation"]) == ("pod", "pod-native-3", 3)
    assert status["modules"] == one.ready["modules"]
    counts = status["actions"]["native.echo"]
    assert (counts["calls"], counts["errors"]) == (4, 1)
    assert 0 < counts["exec_s"] < 1
    assert 0 < status["pss_kb"] <= status["pss_peak_kb"] * 2
    assert status["in_flight"] == 0


def test_failure_line(worker):
    one = worker(ctx={"fail": True})
    assert one.ready == {"ready": False, "module": "native", "stage": "setup",
                         "error": "setup was told to fail by ctx"}
    assert one.process.wait(10) == 1


def test_a_setup_failure_may_be_ignored(worker):
    assert worker(ctx={"fail": True, "_ignore_setup_error": True}).ready["ready"] is True


def test_missing_library_is_told_in_the_failure_line(worker):
    one = worker(modules=[{"name": "x", "kind": "native", "source": "/nonexistent/x.so"}])
    assert (one.ready["ready"], one.ready["stage"]) == (False, "import")
    assert "there is no file '/nonexistent/x.so'" in one.ready["error"]
    assert one.process.wait(10) == 1


def test_socket_path_in_use_is_told_in_the_failure_line(worker):
    one = worker()
    two = Worker(one.folder.parent / "second", one.spec, "--listen", "127.0.0.1:0")
    two.socket = one.socket
    two.start()
    os.close(two.life)
    assert (two.ready["ready"], two.ready["stage"]) == (False, "listen")
    assert "another process listens" in two.ready["error"]
    assert two.process.wait(10) == 1
    assert one.post("/echo/", {"text": 1}).json() == 1


def test_the_end_of_the_life_line_ends_the_worker(worker, tmp_path):
    one = worker(ctx={"note": str(tmp_path / "note")})
    call = ThreadPoolExecutor(1).submit(one.post, "/wait_ms/", {"ms": 500})
    wait_until(lambda: one.get("/jsorc/status").json()["in_flight"], 5, "the call")
    os.close(one.life)
    one.life = os.open("/dev/null", os.O_RDONLY)
    assert call.result().json() is False  # what was begun is ended
    assert one.process.wait(10) == 0
    assert not one.socket.exists()
    assert (tmp_path / "note").read_text() == "torn down\n"


def test_a_left_over_socket_file_is_replaced(worker):
    one = worker()
    one.process.kill()
    one.process.wait()
    assert one.socket.exists()
    os.close(one.life)
    one.start()
    assert one.ready["ready"] is True
    assert one.post("/echo/", {"text": 1}).json() == 1


def test_calls_through_the_daemon(worker, tmp_path):
    daemon = FakeDaemon(tmp_path / "daemon.sock")
    thread = threading.Thread(target=daemon.serve_forever, daemon=True)
    thread.start()
    try:
        one = worker("--daemon", tmp_path / "daemon.sock")
        for _ in range(2):
            reply = one.post("/ask/", {"action": "far.away", "text": "ü"})
            assert reply.json() == [{"text": "ü"}]
        assert [request[:2] for request in daemon.requests] == [
            ("/actions/far.away", '{"text":"ü"}'.encode())] * 2
        reply = one.post("/ask/", {"action": "far.busy"})
        assert "'far.busy' failed with status 503: no worker" in reply.json()["detail"]
        one.post("/ask/", {"action": "a/b?c", "text": 1})
        assert daemon.requests[-1][0] == "/actions/a%2Fb%3Fc"
    finally:
        daemon.shutdown()
        daemon.server_close()
    one.post("/ask/", {"action": "far.away"})


def test_all_addresses(host, library):
    ended = subprocess.Popen([str(JSORC), "host", str(library), "--listen", "0.0.0.0:0"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = ended.stdout.readline()
        port = int(line.split("http://0.0.0.0:")[1].split()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/echo/", b'{"text": 1}')
        assert connection.getresponse().read() == b"1"
        connection.close()
    finally:
        ended.terminate()
        assert ended.wait(10) == 0
