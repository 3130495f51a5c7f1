"""`jsorc host` with C modules: what an action, its author or its user can do wrong."""

import http.client
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from native import SOURCE, in_threads, run
from programs import ROOT, wait_until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def server(host, native_library):
    return host(native_library)


# ---- faults


def test_a_slow_call_holds_up_nobody(server):
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(server.post, "/wait_ms/", {"ms": 4000}) for _ in range(3)]
        for number in range(50):
            assert server.post("/echo/", {"text": number}).json() == number
        assert server.get("/healthz").status == 200
        status = server.get("/jsorc/status").json()
        assert status["in_flight"] == 3, "short calls waited for slow ones"
        assert all(call.result().json() is False for call in slow)


def test_slow_calls_run_side_by_side(server):
    start = time.monotonic()
    replies = in_threads(20, lambda _: server.post("/wait_ms/", {"ms": 500}).status)
    assert replies == [200] * 20
    assert time.monotonic() - start < 8, "20 calls of half a second ran one after the other"


def test_status_answers_while_all_threads_hang(host, native_library):
    server = host(native_library, "--threads", "2")
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
    connections = []
    for number in range(3):  # also those that were opened after the first time
        connections.append(server.connect())
        assert server.post("/vandalize/", {}).json() is True
        for connection in connections:
            reply = server.post("/echo/", {"text": number}, connection=connection)
            assert reply.json() == number
    for connection in connections:
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
                    f"-I{ROOT}/include", str(source), "-o", str(target)],
                   check=True)
    server = host(target)
    assert in_threads(8, lambda _: server.post("/busy/", {}).json()) == [1] * 8


def test_the_same_module_without_the_flag_has_several(server):
    assert max(in_threads(8, lambda _: server.post("/busy/", {}).json())) > 1


def test_log_lines(server):
    server.post("/say/", {"text": "two\nlines"})
    wait_until(lambda: 'msg="module says" module=native text="the text is two lines"'
               in server.log_text(), 5, "the log line")


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


def test_port_taken(server, native_library):
    ended = run("host", native_library, "--listen", f"127.0.0.1:{server.port}")
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
def test_wrong_use(native_library, words, status, text):
    ended = run(*[native_library if word == "LIBRARY" else word for word in words])
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
