"""Bad modules, bad requests and bad behaviour of actions: a clear error, and nothing else is lost.

Each test has a witness, a module that is not concerned: its calls must go on throughout."""

import concurrent.futures
import json
import os
import signal
import socket
import threading
import time

import pytest
from programs import wait_until

WITNESS = """
import os
import jsorc

@jsorc.action
def pid():
    return os.getpid()

@jsorc.walker
def walk():
    jsorc.report(jsorc.call("witness.pid"))
"""

BAD = """
import ctypes, math, os, sys, time
import jsorc

@jsorc.action
def pid():
    return os.getpid()

@jsorc.action
def echo(text: str, times: int = 1):
    return text * times

@jsorc.action
def add(a: int, b: float = 0.5, flag: bool = False, rest: list[int] = ()):
    return a + b

@jsorc.action
def anything(value=None):
    return value

@jsorc.action
def unencodable(kind: str):
    loop = []
    loop.append(loop)
    return {"object": object(), "cycle": loop, "nested": {"a": [1, {2, 3}, open]},
            "bytes": b"\\xff\\xfe", "function": pid}[kind]

@jsorc.action
def numbers():
    return [math.nan, math.inf, -math.inf, 1.5]

@jsorc.action
def raises(text: str = "because"):
    raise LookupError(text)

@jsorc.action
def hangs(seconds: float = 3600):
    time.sleep(seconds)
    return "awake"

@jsorc.action(timeout_s=0.5)
def hangs_briefly():
    time.sleep(3600)

@jsorc.action
def spins():
    while True:
        pass

@jsorc.action
def leaves(how: str):
    if how == "exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(3)
    if how == "abort":
        os.abort()
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), 9)

@jsorc.action
def eats():
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))

@jsorc.action
def scribbles(first: int, last: int):
    written = 0
    for fd in range(first, last):
        try:
            written += os.write(fd, b"garbage \\x00\\xff" * 20) > 0
        except OSError:
            pass
    return written

@jsorc.action
def closes(first: int, last: int):
    os.closerange(first, last)
    return "closed"
"""


@pytest.fixture
def witness(write):
    return write("witness.py", WITNESS)


@pytest.fixture
def bad(write):
    return write("bad.py", BAD)


@pytest.fixture(params=["module", "remote"])
def place(request):
    return request.param


@pytest.fixture
def pair(serve, witness, bad, place):
    """A daemon with `witness` in the runtime worker and `bad` at place, and short limits."""
    daemon = serve(witness, bad, options=("--probe-interval-s", "0.5", "--probe-timeout-s", "1",
                                          "--memory-max-mb", "400", "--drain-timeout-s", "3",
                                          "--stop-grace-s", "1"))
    answer = daemon.op("jsorc_actions_load", name="bad", mode=place, wait=True)
    assert answer["success"] is True, answer
    wait_until(lambda: daemon.call("witness.pid").status == 200, 20, "the witness")
    daemon.place = place
    return daemon


def module_status(daemon, name):
    return next(module for module in daemon.op("jsorc_status")["modules"]
                if module["name"] == name)


def recovers(daemon, calls=("bad.pid", "witness.pid")):
    """Calls go on: at once, or after a short wait while a worker is started anew."""
    for call in calls:
        reply = daemon.call(call)
        assert reply.status == 200, (call, reply.body)
    walked = daemon.post("/walkers/walk", {"ctx": {}}).json()
    assert walked.get("success") is True, walked


class Steady:
    """Calls the witness in the background; every answer must be good."""

    def __init__(self, daemon):
        self.daemon, self.stop, self.bad, self.good = daemon, threading.Event(), [], 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = self.daemon.connect()
        while not self.stop.is_set():
            try:
                reply = self.daemon.post("/actions/witness.pid", {}, connection=connection)
                if reply.status == 200:
                    self.good += 1
                else:
                    self.bad.append((reply.status, reply.body))
            except OSError as error:
                self.bad.append(error)
                connection.close()
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        self.thread.join()
        if exception[0] is None:
            assert not self.bad and self.good > 0, (self.bad[:3], self.good)


# ---- modules that cannot be loaded

UNLOADABLE = {
    "missing_package": ("import no_such_package_x\n",
                        ["ModuleNotFoundError", "no_such_package_x",
                         "pip install no_such_package_x"]),
    "syntax": ("import jsorc\ndef broken(:\n", ["SyntaxError", "line 2"]),
    "raises": ("raise RuntimeError('not today')\n", ["import failed", "RuntimeError: not today"]),
    "exits": ("import sys\nsys.exit(4)\n", ["SystemExit", "exit(4)"]),
    "dies": ("import os\nos._exit(5)\n", ["exited with status 5 while it was starting"]),
    "no_actions": ("def f():\n    return 1\n", ["it has no actions and no walkers",
                                                 "put @jsorc.action above a function"]),
    "setup_raises": ("import jsorc\n@jsorc.action\ndef setup():\n    raise OSError('no model')\n",
                     ["setup failed", "OSError: no model"]),
    "setup_arguments": ("import jsorc\n@jsorc.action\ndef setup(path):\n    pass\n",
                        ["setup failed", "setup takes (path)", "ctx"]),
    "bad_decoration": ("import jsorc\n@jsorc.action(timeout_s=-1)\ndef f():\n    pass\n",
                       ["timeout_s must be a positive number"]),
}


def test_a_module_that_cannot_be_loaded_says_why_and_how_to_fix_it(serve, witness, write, place):
    daemon = serve(witness)
    daemon.expect_log("module did not start")
    before = daemon.call("witness.pid").json()
    for name, (source, says) in UNLOADABLE.items():
        config = {"module": str(write(f"{name}.py", source))}
        assert daemon.op("jsorc_actions_config", name=name, config=config)["success"] is True
        with Steady(daemon):
            answer = daemon.op("jsorc_actions_load", name=name, mode=place, wait=True)
        assert answer["success"] is False, answer
        for text in says:
            assert text in answer["message"]
        assert answer["action_status"]["mode"] is None
        assert module_status(daemon, name)["error"] == answer["message"]
        assert says[-1] in daemon.cli("status").stdout
    assert daemon.call("witness.pid").json() == before, "the witness was not even restarted"
    assert daemon.op("actions_list") == ["witness.pid"]


def test_a_module_named_on_the_command_line_may_be_bad(serve, witness, write):
    bad = write("broken.py", "import jsorc\nraise ValueError('bad from the start')\n")
    daemon = serve(bad, witness, start=False)
    daemon.expect_log("module did not start")
    daemon.start()
    assert daemon.call("witness.pid").status == 200
    reply = daemon.call("broken.f")
    assert reply.status == 404
    wait_until(lambda: "bad from the start" in (module_status(daemon, "broken")["error"] or ""), 10,
               "the reason")
    bad.write_text("import jsorc\n@jsorc.action\ndef f():\n    return 1\n")
    assert daemon.op("jsorc_actions_load", name="broken", mode="module")["success"] is True
    assert daemon.call("broken.f").json() == 1


def test_a_setup_that_fails_may_be_allowed(serve, write):
    daemon = serve()
    path = write("m.py", UNLOADABLE["setup_raises"][0])
    assert daemon.op("actions_load_local", file=str(path),
                     ctx={"_ignore_setup_error": True}) == {"success": True}
    assert daemon.call("m.setup").status == 500


def test_a_start_without_end_is_given_up(serve, witness, write, place):
    path = write("slow.py", "import time, jsorc\ntime.sleep(60)\n@jsorc.action\ndef f(): pass\n")
    daemon = serve(witness, options=("--start-timeout-s", "4"))
    daemon.expect_log("module did not start")
    assert daemon.call("witness.pid").status == 200
    daemon.op("jsorc_actions_config", name="slow", config={"module": str(path)})
    answer = daemon.op("jsorc_actions_load", name="slow", mode=place, wait=True)
    assert answer["success"] is False
    assert "not ready in time (setting start_timeout_s)" in answer["message"]
    assert daemon.call("witness.pid").status == 200


C_MODULE = """
#include <jsorc/action.h>
static int run(struct jsorc_call *call) { jsorc_put_int(call, 1); return JSORC_OK; }
%s
JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "c", .actions = actions%s};
"""
C_ACTIONS = "static const struct jsorc_action actions[] = {%s {.name = NULL}};"
C_SETUP = """
static int setup(struct jsorc_setup *setup) { return jsorc_setup_fail(setup, "no model here"); }
"""


@pytest.mark.parametrize(("body", "says"), [
    (C_ACTIONS % '{.name = "f", .run = run}, {.name = "f", .run = run},', "two actions"),
    ("static int f(struct jsorc_call *c) { return run(c); }\n" + C_ACTIONS % "", "no actions"),
], ids=["duplicate", "empty"])
def test_a_c_module_that_cannot_be_loaded_says_why(serve, witness, compile_module, body, says):
    daemon = serve(witness)
    daemon.expect_log("module did not start")
    assert daemon.call("witness.pid").status == 200
    source = (C_MODULE % (body, "")).replace("static int run", "__attribute__((unused)) "
                                             "static int run").replace(
        "static int f(", "__attribute__((unused)) static int f(")
    answer = daemon.op("actions_load_local", file=str(compile_module("c", source)))
    assert answer["success"] is False
    assert says in answer["message"]
    assert daemon.call("witness.pid").status == 200


def test_a_file_that_is_no_library_says_so(serve, write):
    daemon = serve()
    daemon.expect_log("module did not start")
    answer = daemon.op("actions_load_local", file=str(write("x.so", "not an ELF file")))
    assert answer["success"] is False
    assert "x.so" in answer["message"]


# ---- names that exist twice


def test_an_action_defined_twice_in_a_module_is_warned_of_and_the_last_one_counts(serve, write):
    daemon = serve(write("twice.py", "import jsorc\n@jsorc.action\ndef f():\n    return 1\n"
                                     "@jsorc.action\ndef f():\n    return 2\n"))
    assert daemon.call("twice.f").json() == 2
    assert "'twice.f' is defined twice" in daemon.worker_log("runtime")


def test_two_files_of_one_name_on_the_command_line_are_refused(serve, write, tmp_path):
    first, second = write("a/text.py", WITNESS), write("b/text.py", WITNESS)
    daemon = serve(first, second, start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(10) == 1
    text = daemon.log_text()
    assert "two modules are named 'text'" in text
    assert str(first) in text and str(second) in text
    assert "jsorc.yaml" in text


def test_two_files_of_one_name_loaded_by_hand_both_serve(serve, write):
    source = "import jsorc\n@jsorc.action\ndef {0}():\n    return {0!r}\n" \
             "@jsorc.action\ndef who():\n    return {0!r}\n"
    daemon = serve()
    for name in ("a", "b"):
        path = write(f"{name}/text.py", source.format(name))
        assert daemon.op("actions_load_local", file=str(path)) == {"success": True}
    assert daemon.call("text.a").json() == "a"
    assert daemon.call("text.b").json() == "b"
    assert daemon.call("text.who").json() == "b", "the one that was loaded last"
    assert daemon.op("actions_unload_module", name="b.text") == {"success": True}
    assert daemon.call("text.who").json() == "a"


# ---- requests


REFUSED = [
    ("bad.nobody", {}, 404, "there is no action 'bad.nobody'"),
    ("nobody.at.all", {}, 404, "there is no action 'nobody.at.all'"),
    ("bad.echo", {}, 422, "field required"),
    ("bad.echo", {"text": "a", "txt": 1}, 422, "extra fields not permitted"),
    ("bad.echo", {"text": ["a"]}, 422, "str type expected"),
    ("bad.add", {"a": "one"}, 422, "value is not a valid integer"),
    ("bad.add", {"a": 1, "rest": [1, "x"]}, 422, "value is not a valid integer"),
    ("bad.add", {"a": 1, "flag": "perhaps"}, 422, "could not be parsed to a boolean"),
    ("bad.echo", b"{", 422, None),
    ("bad.echo", b"not json", 422, None),
    ("bad.echo", b"\xff\xfe\x00", 422, None),
    ("bad.echo", b"[1, 2]", 422, "dict"),
    ("bad.echo", b'"text"', 422, "dict"),
    ("bad.anything", b'{"value": ' + b"[" * 100000 + b"]" * 100000 + b"}", 422, "nested deeper"),
    ("bad.anything", b'{"value": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}", 422,
     "nested deeper"),
    ("", {}, 404, None),
    ("a b", {}, 404, None),
    ("x" * 3000, {}, 404, None),
]


def test_a_request_that_cannot_be_served_is_told_what_is_wrong(pair):
    for action, body, status, says in REFUSED:
        reply = pair.post("/actions/" + action.replace(" ", "%20"), body)
        assert reply.status == status, (action, reply.body)
        assert reply.headers["content-type"].startswith("application/json")
        assert "detail" in reply.json()
        assert not says or says in reply.body.decode(), reply.body
        recovers(pair)
    assert module_status(pair, "bad")["restarts"] == 0


def test_methods_other_than_post_are_refused(pair):
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE"):
        reply = pair.request(method, "/actions/bad.pid")
        assert reply.status == 405, (method, reply.body)
    recovers(pair)


@pytest.fixture
def served(serve, witness, bad):
    daemon = serve(witness, bad, options=("--body-bytes-max", "100000"))
    wait_until(lambda: daemon.call("bad.pid").status == 200, 20, "module bad")
    return daemon


def raw(daemon, data, then=b"", pause=0.0, timeout=30.0):
    """Sends bytes as they are, and reads until the daemon closes."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=timeout) as connection:
        connection.sendall(data)
        time.sleep(pause)
        if then:
            connection.sendall(then)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


HEAD = b"POST /actions/bad.echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(("data", "status"), [
    (HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200000, b"413"),
    (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", b"400"),
    (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
    (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", b"400"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 +
     b"\r\n4000\r\n" * 1 + (b"x" * 0x4000 + b"\r\n4000\r\n") * 8, b"413"),
    (HEAD + b"X-Long: " + b"a" * 100000 + b"\r\n\r\n", b"431"),
    (b"GARBAGE\x00\x01\x02\r\n\r\n", b"400"),
    (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
], ids=["too large", "length overflow", "negative length", "two lengths", "bad chunk",
        "chunks too large", "long header", "no HTTP", "TLS to a plain port"])
def test_bytes_that_are_no_request_we_take_are_refused(served, data, status):
    with Steady(served):
        answer = raw(served, data)
    assert answer.startswith(b"HTTP/1.1 " + status + b" "), answer[:200]
    assert b'{"detail":' in answer
    recovers(served)


def test_a_truncated_request_is_not_executed(served):
    calls = module_status(served, "bad")["actions"]["bad.echo"]["calls"]
    for cut in (HEAD + b"Content-Length: 20\r\n\r\n" + b'{"text": "a', HEAD + b"Content-Le",
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"te"):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(cut)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            assert connection.recv(65536) == b""
    recovers(served)
    assert module_status(served, "bad")["actions"]["bad.echo"]["calls"] == calls


@pytest.mark.slow
def test_slow_requests_time_out_and_hold_up_nobody(served):
    """15 s for a request, longer for the time that a large body may take."""
    with Steady(served), concurrent.futures.ThreadPoolExecutor(24) as pool:
        cuts = [HEAD[:50], HEAD + b"Content-Length: 20\r\n\r\n{", HEAD] * 8
        started = time.monotonic()
        answers = list(pool.map(lambda cut: raw(served, cut, timeout=40), cuts))
        took = time.monotonic() - started
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers), answers
    assert 10 < took < 35


def test_a_client_that_does_not_read_holds_up_nobody(served):
    connections = []
    body = json.dumps({"text": "x" * 1000, "times": 20000}).encode()  # 20 MB back
    for _ in range(4):
        connection = socket.create_connection(("127.0.0.1", served.port))
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        connections.append(connection)
    with Steady(served):
        time.sleep(1)
        recovers(served)
    for connection in connections:
        connection.close()


# ---- results and exceptions


def test_a_result_that_cannot_be_encoded_is_named(pair):
    for kind, says in [("object", "object"), ("cycle", "deeper"), ("function", "function"),
                       ("nested", "result['a'][2]")]:
        reply = pair.call("bad.unencodable", kind=kind)
        assert reply.status == 500, reply.body
        assert "the result cannot be encoded" in reply.json()["detail"]
        assert says in reply.json()["detail"]
        recovers(pair)
    assert module_status(pair, "bad")["restarts"] == 0


def test_numbers_that_json_has_not_become_null(pair):
    reply = pair.call("bad.numbers")
    assert (reply.status, reply.json()) == (200, [None, None, None, 1.5])


def test_an_action_that_raises_is_told_with_type_and_text(pair):
    with Steady(pair):
        for text in ("because", "", "ünï \u2713 \x00", "x" * 100000):
            reply = pair.call("bad.raises", text=text)
            assert reply.status == 500
            assert reply.json()["type"] == "LookupError"
            assert reply.json()["detail"].startswith(text[:100] or "LookupError")
            assert len(reply.body) < 10000
    log = pair.worker_log("runtime" if pair.place == "module" else "bad")
    assert "Traceback" in log and "raise LookupError(text)" in log
    assert module_status(pair, "bad")["restarts"] == 0


# ---- actions that take their worker with them


@pytest.mark.parametrize("how", ["os._exit", "abort", "segfault", "kill"])
def test_an_action_that_ends_its_worker_is_told_and_the_worker_comes_back(pair, how):
    pair.expect_log("worker ended")
    before = pair.call("bad.pid").json()
    witness = pair.call("witness.pid").json()
    for _ in range(2):
        reply = pair.call("bad.leaves", how=how)
        assert reply.status == 502, reply.body
        assert reply.json()["type"] == "WorkerLost"
        assert "ended during the call" in reply.json()["detail"]
        recovers(pair)
    assert pair.call("bad.pid").json() != before
    assert module_status(pair, "bad")["restarts"] == 2
    if pair.place == "remote":
        assert pair.call("witness.pid").json() == witness, "a pod's end is nobody else's"


def test_an_action_that_calls_exit_ends_only_its_call(pair):
    before = pair.call("bad.pid").json()
    reply = pair.call("bad.leaves", how="exit")
    assert (reply.status, reply.json()["detail"]) == (500, "the action called exit(3)")
    recovers(pair)
    assert pair.call("bad.pid").json() == before


def test_a_worker_that_crashes_again_and_again_is_started_ever_more_slowly(pair):
    """Calls are answered, by waiting or by an error that says why, and the daemon is unharmed."""
    pair.expect_log("worker ended")
    daemon_pid = pair.daemon_pid()
    statuses = []
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        statuses.append(pair.call("bad.leaves", how="os._exit").status)
    assert set(statuses) == {502}
    assert len(statuses) < 8, "each start waits longer than the one before"
    assert pair.daemon_pid() == daemon_pid
    wait_until(lambda: pair.call("bad.pid").status == 200, 30, "its return")
    recovers(pair)


SEGFAULT = """
#include <jsorc/action.h>
#include <stdlib.h>
static int run_crash(struct jsorc_call *call)
{
    volatile int *nowhere = NULL;
    (void)call;
    return *nowhere;
}
static int run_fine(struct jsorc_call *call) { jsorc_put_int(call, 7); return JSORC_OK; }
static int run_exit(struct jsorc_call *call) { (void)call; exit(9); }
static const struct jsorc_action actions[] = {
    {.name = "crash", .run = run_crash}, {.name = "fine", .run = run_fine},
    {.name = "leave", .run = run_exit}, {.name = NULL}};
JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "c", .actions = actions};
"""


def test_a_c_action_that_crashes_is_told_and_its_worker_comes_back(
        serve, witness, compile_module, place):
    daemon = serve(witness, compile_module("c", SEGFAULT))
    daemon.expect_log("worker ended")
    answer = daemon.op("jsorc_actions_load", name="c", mode=place, wait=True)
    assert answer["success"] is True, answer
    for name in ("crash", "leave"):
        reply = daemon.call(f"c.{name}")
        assert reply.status == 502, reply.body
        assert "ended during the call" in reply.json()["detail"]
        assert daemon.call("c.fine").json() == 7
        assert daemon.call("witness.pid").status == 200
    workers = daemon.op("jsorc_status")["workers"]
    assert len(workers) == (1 if place == "module" else 2)


# ---- actions that do not end


def test_a_call_over_its_limit_is_answered_504_and_its_worker_replaced(pair):
    pair.expect_log("a call ran over its limit")
    before = pair.call("bad.pid").json()
    with Steady(pair):
        started = time.monotonic()
        reply = pair.call("bad.hangs_briefly")
        assert reply.status == 504, reply.body
        assert time.monotonic() - started < 5, "0.5 s are declared"
        assert reply.json()["type"] == "TimedOut"
        wait_until(lambda: pair.call("bad.pid").json() != before, 20, "another worker")
        wait_until(lambda: before not in pair.pids(), 20, "the end of the one that hangs")
        recovers(pair)


def test_the_limit_of_calls_is_a_setting_and_calls_beside_a_hanging_one_go_on(
        serve, witness, bad, place):
    daemon = serve(witness, bad, options=("--timeout-s", "2", "--stop-grace-s", "1",
                                          "--drain-timeout-s", "1"))
    daemon.expect_log("a call ran over its limit")
    assert daemon.op("jsorc_actions_load", name="bad", mode=place, wait=True)["success"] is True
    with concurrent.futures.ThreadPoolExecutor(8) as pool, Steady(daemon):
        hanging = [pool.submit(lambda: daemon.call("bad.hangs")) for _ in range(8)]
        time.sleep(0.5)
        for _ in range(20):
            assert daemon.call("bad.pid").status == 200
        statuses = {run.result().status for run in hanging}
    assert statuses == {504}
    recovers(daemon)


def test_an_action_that_spins_holds_up_its_worker_only_for_a_while(pair):
    pair.expect_log("a call ran over its limit|worker does not answer")
    pair.op("jsorc_actions_config", name="bad", config={
        "module": module_status(pair, "bad")["source"], "timeout_s": 1})
    witness = pair.call("witness.pid").json()
    answer = pair.op("actions_load_local", file=module_status(pair, "bad")["source"])
    assert answer["success"] is True
    assert pair.op("jsorc_actions_load", name="bad", mode=pair.place, wait=True)["success"] is True
    reply = pair.call("bad.spins")
    assert reply.status == 504, reply.body
    wait_until(lambda: pair.call("bad.pid").status == 200, 30, "its return")
    recovers(pair)
    assert witness


def test_a_worker_that_is_stopped_is_found_out_and_replaced(pair):
    pair.expect_log("worker does not answer")
    before = pair.call("bad.pid").json()
    os.kill(before, signal.SIGSTOP)
    wait_until(lambda: before not in pair.pids(), 30, "the end of the one that is stopped")
    recovers(pair)
    assert pair.call("bad.pid").json() != before


# ---- memory


def test_an_action_that_allocates_without_end_meets_its_limit(pair):
    before = pair.call("bad.pid").json()
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.eats")
    assert reply.status == 500, reply.body
    assert reply.json()["type"] == "MemoryError"
    recovers(pair)
    assert pair.call("bad.pid").json() == before, "it gave the memory back and lives"
    assert pair.daemon_pid() == daemon_pid


EATER = """
#include <jsorc/action.h>
#include <stdlib.h>
#include <string.h>
static int run_eat(struct jsorc_call *call)
{
    for (int i = 0; i < 128; i++) { /* 2 GiB, should the limit not hold */
        char *block = malloc(16 << 20);
        memset(block, 1, 16 << 20); /* NULL in the end: as careless modules do */
    }
    return jsorc_fail(call, 500, "the limit did not hold");
}
static int run_fine(struct jsorc_call *call) { jsorc_put_int(call, 7); return JSORC_OK; }
static const struct jsorc_action actions[] = {
    {.name = "eat", .run = run_eat}, {.name = "fine", .run = run_fine}, {.name = NULL}};
JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "c", .actions = actions};
"""


def test_a_c_action_that_allocates_without_end_takes_only_its_worker(serve, compile_module, place):
    daemon = serve(compile_module("c", EATER), options=("--memory-max-mb", "200"))
    daemon.expect_log("worker ended")
    assert daemon.op("jsorc_actions_load", name="c", mode=place, wait=True)["success"] is True
    reply = daemon.call("c.eat")
    assert reply.status == 502, reply.body
    assert daemon.call("c.fine").json() == 7


# ---- descriptors


@pytest.mark.parametrize(("first", "last"), [(1, 3), (3, 100), (3, 4096)])
def test_garbage_written_to_descriptors_harms_nobody_else(pair, first, last):
    pair.expect_log("worker ended|worker does not answer|ran over")
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.scribbles", first=first, last=last)
    if last <= 100:
        assert reply.status == 200, reply.body
        assert module_status(pair, "bad")["restarts"] == 0
    else:
        assert reply.status in (200, 502), reply.body  # it wrote into its own connection
    recovers(pair)
    assert pair.daemon_pid() == daemon_pid


@pytest.mark.parametrize(("first", "last"), [(0, 3), (3, 100), (3, 4096)])
def test_closed_descriptors_harm_nobody_else(pair, first, last):
    pair.expect_log("worker ended|worker does not answer|ran over")
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.closes", first=first, last=last)
    if last <= 100:
        assert reply.status == 200, reply.body
    wait_until(lambda: pair.call("bad.pid").status == 200, 40, "its return")
    recovers(pair)
    assert pair.daemon_pid() == daemon_pid


# ---- killed from outside


def test_a_worker_killed_from_outside_comes_back_and_only_its_calls_are_lost(pair):
    pair.expect_log("worker ended")
    victim = pair.call("bad.pid").json()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(lambda: pair.call("bad.hangs", seconds=5)) for _ in range(4)]
        time.sleep(0.5)
        os.kill(victim, signal.SIGKILL)
        for run in runs:
            reply = run.result()
            assert (reply.status, reply.json()["type"]) == (502, "WorkerLost")
    recovers(pair)
    assert module_status(pair, "bad")["restarts"] == 1


# ---- walkers

FLOW = """
import os, time
import jsorc

@jsorc.walker
def passes_on(action, arguments):
    jsorc.report(jsorc.call(action, **arguments))

@jsorc.walker
def catches(action, arguments):
    try:
        jsorc.call(action, **arguments)
    except jsorc.ActionError as error:
        jsorc.report([error.action, type(error).__name__])

@jsorc.walker
def dies():
    os._exit(3)

@jsorc.walker
def hangs():
    time.sleep(3600)
"""


@pytest.fixture
def walking(serve, witness, bad, write):
    """`bad` in a pod, walkers beside the witness; calls end after 2 s."""
    daemon = serve(witness, bad, write("flow.py", FLOW),
                   options=("--timeout-s", "2", "--stop-grace-s", "1", "--drain-timeout-s", "1"))
    answer = daemon.op("jsorc_actions_load", name="bad", mode="remote", wait=True)
    assert answer["success"] is True, answer
    recovers(daemon)
    return daemon


def walk(daemon, walker, **ctx):
    return daemon.post(f"/walkers/{walker}", {"ctx": ctx})


@pytest.mark.parametrize(("action", "arguments", "says"), [
    ("bad.raises", {"text": "because"}, "because"),
    ("bad.leaves", {"how": "os._exit"}, "ended during the call"),
    ("bad.leaves", {"how": "segfault"}, "ended during the call"),
    ("bad.hangs", {}, "did not answer in time"),
    ("bad.echo", {}, "text"),
    ("no.body", {}, "no action 'no.body'"),
])
def test_what_goes_wrong_in_an_action_reaches_its_walker_and_goes_no_further(
        walking, action, arguments, says):
    walking.expect_log("worker ended|a call ran over its limit")
    runtime = walking.call("witness.pid").json()
    reply = walk(walking, "passes_on", action=action, arguments=arguments)
    if action != "bad.hangs":  # whose limit is the walker's own as well: the two race
        assert reply.status == 200, reply.body
        failed = reply.json()
        assert failed["success"] is False
        assert says in str(failed["errors"]), failed
        assert walk(walking, "catches", action=action, arguments=arguments).json()["report"] == [
            [action, "ActionError"]]
        assert walking.call("witness.pid").json() == runtime
    recovers(walking)


@pytest.mark.parametrize(("walker", "status", "kind"), [("dies", 502, "WorkerLost"),
                                                        ("hangs", 504, "TimedOut")])
def test_a_walker_that_takes_the_runtime_worker_with_it_is_told_and_it_comes_back(
        walking, walker, status, kind):
    walking.expect_log("worker ended|a call ran over its limit")
    pod = walking.call("bad.pid").json()
    runtime = walking.call("witness.pid").json()
    reply = walk(walking, walker)
    assert (reply.status, reply.json()["type"]) == (status, kind), reply.body
    wait_until(lambda: walking.call("witness.pid").json() != runtime, 20, "another generation")
    recovers(walking)
    assert walking.call("bad.pid").json() == pod, "pods are not concerned"
