"""Bad modules and bad requests: a clear error, and nothing else is lost."""

import concurrent.futures
import json
import socket
import time

import pytest
from faults import WITNESS, Steady, recovers
from placement import module_status
from programs import wait_until

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
    assert reply.status == 503 and "bad from the start" in reply.json()["detail"]
    wait_until(lambda: "bad from the start" in (module_status(daemon, "broken")["error"] or ""), 10,
               "the reason")
    bad.write_text("import jsorc\n@jsorc.action\ndef f():\n    return 1\n")
    assert daemon.op("jsorc_actions_load", name="broken", mode="module")["success"] is True
    assert daemon.call("broken.f").json() == 1


def test_what_was_never_loaded_leaves_no_trace(serve, witness, write):
    daemon = serve(witness)
    daemon.expect_log("module did not start")
    bad = write("bad.py", UNLOADABLE["raises"][0])
    assert not daemon.op("actions_load_local", file=str(bad))["success"]
    assert not daemon.op("actions_load_module", mod="no.such")["success"]
    assert [module["name"] for module in daemon.op("jsorc_status")["modules"]] == ["witness"]
    assert daemon.stored("name", "modules") == ["witness"]
    assert daemon.call("bad.f").status == 404
    bad.write_text("import jsorc\n@jsorc.action\ndef f():\n    return 1\n")
    assert daemon.op("actions_load_local", file=str(bad)) == {"success": True}
    assert daemon.call("bad.f").json() == 1


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
