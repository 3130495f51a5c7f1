"""A worker over HTTP, on each interpreter: binding, answers, errors, life."""

import os
import signal
import threading
import time

import pytest
from workers import complaints

MODULE = '''
import jsorc
from typing import List, Optional

@jsorc.action(aliases=["spell"])
def typed(text: str, times: int = 2, scale: float = 1, flag: bool = False,
          tags: List[str] = None, other: Optional[int] = None) -> list:
    """Says what it got.

    With its types.
    """
    return [[type(value).__name__, value] for value in (text, times, scale, flag, tags, other)]

@jsorc.action
def stars(a, b=2, *parts, up=False, **options):
    return {"a": a, "b": b, "parts": list(parts), "kind": type(parts).__name__, "up": up,
            "options": options}

@jsorc.action
def typed_stars(*parts: int, **options: float):
    return [parts, options]

@jsorc.action
def keyword_only(a, *, must, may=5):
    return [a, must, may]

@jsorc.action
def nulls(needed, given=3, empty=None):
    return [needed, given, empty]

@jsorc.action
def anything(value=None):
    return value

@jsorc.action
async def later(text):
    import asyncio
    await asyncio.sleep(0.001)
    return text

@jsorc.action
def fails(kind="value"):
    if kind == "http":
        raise jsorc.HTTPError(418, {"why": "tea"}, {"X-Why": "tea"})
    if kind == "exit":
        raise SystemExit(3)
    if kind == "silent":
        raise KeyError
    raise ValueError("the value is " + kind)

@jsorc.action
def fails_as_framework(status):
    class HTTPException(Exception):
        def __init__(self, status_code, detail):
            self.status_code, self.detail = status_code, detail
    raise HTTPException(status, "no tea")

@jsorc.action
def odd(which):
    class Opaque:
        pass
    return {"nan": [float("nan"), float("inf")], "keys": {1: 2, None: 3}, "big": 2 ** 70,
            "set": {1}, "bytes": b"ab", "opaque": [1, {"x": Opaque()}], "lone": "\\ud800",
            "tuple": (1, 2), "generator": (n for n in range(2))}[which]
'''


@pytest.fixture
def worker(start, interpreter):
    return start(MODULE, interpreter)


def test_arguments_results_and_errors(worker):
    """One start a version: each helper below checks one part."""
    for check in (typed_values, star_arguments, null_values, refused, exceptions, odd_results,
                  bodies, specs, asynchronous):
        check(worker)
    assert worker.stop() == 0


def typed_values(worker):
    assert worker.call("typed", text=5, times="3", scale="2", flag="yes", tags=["a", 1]) == [
        ["str", "5"], ["int", 3], ["float", 2.0], ["bool", True], ["list", ["a", "1"]],
        ["NoneType", None]]
    assert worker.call("typed", text="x", tags=["a"], other="7")[4:] == [
        ["list", ["a"]], ["int", 7]]
    # A default is not converted, as it is not in Python either.
    assert worker.call("typed", text="x")[2] == ["int", 1]
    assert worker.call("spell", text="x") == worker.call("m.typed", text="x")


def star_arguments(worker):
    assert worker.call("stars", a=1) == {"a": 1, "b": 2, "parts": [], "kind": "tuple", "up": False,
                                         "options": {}}
    wanted = {"a": 1, "b": 0, "parts": [3, 4], "kind": "tuple", "up": True, "options": {"q": 1}}
    starred = {"a": 1, "b": 0, "*parts": [3, 4], "up": True, "**options": {"q": 1}}
    bare = {"a": 1, "b": 0, "parts": [3, 4], "up": True, "options": {"q": 1}}
    assert worker.call("stars", **starred) == wanted
    assert worker.call("stars", **bare) == wanted
    assert worker.call("stars", **{"a": 1, "*parts": [3]})["b"] == 2
    assert worker.call("stars", **{"a": 1, "*parts": None, "**options": None})["parts"] == []
    assert worker.call("typed_stars", **{"*parts": ["1", 2], "**options": {"x": "1.5"}}) == [
        [1, 2], {"x": 1.5}]
    assert worker.call("keyword_only", a=1, must=2) == [1, 2, 5]
    assert worker.call("keyword_only", a=1, must=2, may=3) == [1, 2, 3]


def null_values(worker):
    assert worker.call("nulls", needed=None, given=None, empty=None) == [None, 3, None]
    assert worker.call("typed", text="x", times=None, other=None)[1] == ["int", 2]


def refused(worker):
    def entries(path, body):
        reply = worker.post(f"/{path}/", body)
        assert reply.status == 422, reply
        return [(entry["loc"], entry["type"]) for entry in reply.json()["detail"]]

    assert entries("typed", {}) == [(["body", "text"], "value_error.missing")]
    assert worker.post("/typed/", {}).json() == {"detail": [
        {"loc": ["body", "text"], "msg": "field required", "type": "value_error.missing"}]}
    assert entries("typed", None) == [(["body", "text"], "value_error.missing")]
    assert entries("typed", {"text": "x", "times": "three", "zz": 1}) == [
        (["body", "times"], "type_error.integer"), (["body", "zz"], "value_error.extra")]
    assert entries("typed", {"text": "x", "tags": ["a", []]}) == [
        (["body", "tags", 1], "type_error.str")]
    assert entries("typed", {"text": None}) == [
        (["body", "text"], "type_error.none.not_allowed")]
    assert entries("stars", {"a": 1, "*parts": 3}) == [(["body", "*parts"], "type_error.tuple")]
    assert entries("stars", {"a": 1, "**options": []}) == [
        (["body", "**options"], "type_error.dict")]
    assert entries("stars", {"a": 1, "**options": {"a": 2}}) == [
        (["body", "**options", "a"], "value_error.extra")]
    assert entries("stars", {"a": 1, "*parts": [], "parts": []}) == [
        (["body", "parts"], "value_error.extra")]
    assert entries("keyword_only", {"a": 1}) == [(["body", "must"], "value_error.missing")]
    assert entries("typed_stars", {"*parts": [1, "x"]}) == [
        (["body", "*parts", 1], "type_error.integer")]


def exceptions(worker):
    reply = worker.post("/fails/", {})
    assert (reply.status, reply.json()) == (500, {"detail": "the value is value",
                                                  "type": "ValueError"})
    assert "ValueError: the value is value" in worker.log_text()
    assert "in fails" in worker.log_text()
    assert worker.post("/fails/", {"kind": "silent"}).json() == {"detail": "KeyError",
                                                                 "type": "KeyError"}
    reply = worker.post("/fails/", {"kind": "exit"})
    assert (reply.status, reply.json()["type"]) == (500, "SystemExit")
    assert "exit(3)" in reply.json()["detail"]
    reply = worker.post("/fails/", {"kind": "http"})
    assert (reply.status, reply.json()) == (418, {"detail": {"why": "tea"}})
    assert reply.headers["X-Why"] == "tea"
    reply = worker.post("/fails_as_framework/", {"status": 404})
    assert (reply.status, reply.json()) == (404, {"detail": "no tea"})


def odd_results(worker):
    assert worker.call("odd", which="nan") == [None, None]
    assert worker.call("odd", which="keys") == {"1": 2, "null": 3}
    assert worker.call("odd", which="big") == 2**70
    assert worker.call("odd", which="set") == [1]
    assert worker.call("odd", which="bytes") == "ab"
    assert worker.call("odd", which="lone") == "\ud800"
    assert worker.call("odd", which="tuple") == [1, 2]
    assert worker.call("odd", which="generator") == [0, 1]
    reply = worker.post("/odd/", {"which": "opaque"})
    assert reply.status == 500
    assert "result[1]['x'] is a " in reply.json()["detail"]
    assert "Opaque" in reply.json()["detail"]


def bodies(worker):
    assert worker.post("/anything/").json() is None
    assert worker.post("/anything/", b"").body == b"null"
    for text in ("ä", "\U0001f600", "a" * 100_000, "", "\x00"):
        assert worker.call("anything", value=text) == text
    big = {"rows": [{"n": n, "t": "x" * 20} for n in range(5000)]}
    assert worker.call("anything", value=big) == big
    reply = worker.post("/anything/", b"{")
    assert reply.status == 422
    assert reply.json()["detail"][0]["type"] == "value_error.jsondecode"
    assert reply.json()["detail"][0]["loc"][0] == "body"
    for broken in (b"\xff\xfe", b'{"value": NaN}', b'{"value": 1} x', b'{"value": "\xff"}'):
        assert worker.post("/anything/", broken).status == 422, broken
    for other in (b"[]", b"3", b'"x"', b"null"):
        assert worker.post("/anything/", other).json()["detail"][0] == {
            "loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}
    deep = b'{"value":' + b"[" * 63 + b"]" * 63 + b"}"
    assert worker.post("/anything/", deep).status == 200
    deeper = b'{"value":' + b"[" * 64 + b"]" * 64 + b"}"
    assert worker.post("/anything/", deeper).status == 422
    assert "deeper" in worker.post("/anything/", b"[" * 100_000).json()["detail"][0]["msg"]
    quoted = '{"value":"' + "[" * 100 + '\\"' + "[" * 100 + '"}'
    assert worker.post("/anything/", quoted.encode()).status == 200


def specs(worker):
    assert worker.request("GET", "/jaseci_actions_spec/").json()["m.stars"] == [
        "a", "b", "*parts", "up", "**options"]
    assert worker.request("GET", "/jaseci_actions_spec/").json()["m.spell"] == [
        "text", "times", "scale", "flag", "tags", "other"]
    full = worker.request("GET", "/jaseci_actions_spec/?full=1").json()["m.typed"]
    assert full["doc"] == "Says what it got.\n\nWith its types."
    assert full["returns"] == "list"
    assert full["params"][1] == {"name": "times", "kind": "plain", "type": "int", "required": False,
                                 "default": 2, "schema": {"type": "integer"}}
    openapi = worker.request("GET", "/openapi.json")
    assert openapi.status == 200 and "/typed/" in openapi.json()["paths"]


def asynchronous(worker):
    assert worker.call("later", text="x") == "x"


def test_answers_carry_the_execution_time(start):
    worker = start("import jsorc, time\n@jsorc.action\ndef nap(s): time.sleep(s)\n")
    timing = worker.post("/nap/", {"s": 0.05}).headers["Server-Timing"]
    assert 50 <= float(timing.partition("dur=")[2]) < 10e3
    status = worker.request("GET", "/jsorc/status").json()
    assert status["actions"]["m.nap"]["calls"] == 1
    assert 0.05 <= status["actions"]["m.nap"]["exec_s"] < 10


def test_calls_that_release_the_interpreter_run_in_parallel(start):
    worker = start("import jsorc, time\n@jsorc.action\ndef nap(s): time.sleep(s)\n")
    threads = [threading.Thread(target=worker.post, args=("/nap/", {"s": 0.8})) for _ in range(10)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin < 6  # one after the other: 8 s


def test_async_calls_share_one_event_loop_and_run_in_parallel(start):
    worker = start("""
import asyncio, jsorc
state = {}
@jsorc.action
async def meet():
    state.setdefault("loop", asyncio.get_running_loop())
    assert state["loop"] is asyncio.get_running_loop()
    state["n"] = state.get("n", 0) + 1
    while state["n"] < 3:
        await asyncio.sleep(0.005)
    return jsorc.context().action
""")
    results = []
    threads = [threading.Thread(target=lambda: results.append(worker.call("meet")))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == ["m.meet"] * 3


def test_what_user_code_prints_is_in_the_log_line_by_line(start):
    worker = start("import jsorc, sys\n@jsorc.action\ndef f():\n"
                   "    print('out line', '\\ud800')\n    print('err line', file=sys.stderr)\n")
    worker.call("f")
    assert "out line \\ud800\n" in worker.log_text() and "err line\n" in worker.log_text()


def test_a_log_that_cannot_be_written_does_not_fail_the_call(start):
    worker = start("""
import jsorc, os, sys
@jsorc.action
def f():
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.dup2(full, 2)
    print("x" * 100000, flush=True)
    print("y", file=sys.stderr)
    sys.stdout.flush()
    return 1
@jsorc.action
def g():
    raise ValueError("told to the caller all the same")
""")
    assert worker.call("f") == 1
    assert worker.post("/g/").json()["type"] == "ValueError"


def test_it_ends_when_the_lifeline_closes(start):
    worker = start("import jsorc\n@jsorc.action\ndef f(): pass")
    os.close(worker.lifeline)
    worker.lifeline = None
    assert worker.process.wait(20) == 0


def test_sigterm_lets_running_calls_finish(start):
    worker = start("import jsorc, time\n@jsorc.action\ndef nap(s):\n    time.sleep(s)\n"
                   "    return s\n")
    results = []
    thread = threading.Thread(target=lambda: results.append(worker.call("nap", s=0.5)))
    thread.start()
    time.sleep(0.2)
    assert worker.stop(signal.SIGTERM) == 0
    thread.join()
    assert results == [0.5]


def test_threads_that_the_module_started_do_not_hold_up_the_end(start):
    worker = start("import jsorc, threading, time\n"
                   "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                   "@jsorc.action\ndef f(): return 1\n")
    assert worker.call("f") == 1
    assert worker.stop() == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_actions_may_use_pools_of_processes(start, interpreter, method):
    """A pool ends its forked children by SIGTERM, which must not drain the worker."""
    worker = start(f"""
import jsorc, multiprocessing
@jsorc.action
def total(numbers):
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        return sum(pool.map(abs, numbers))
""", interpreter)
    for _ in range(3):
        assert worker.call("total", numbers=[-1, 2, -3]) == 6
    assert worker.request("GET", "/jsorc/status").json()["draining"] is False
    assert worker.stop() == 0


def test_a_trivial_worker_complains_of_nothing(start):
    worker = start("import jsorc\n@jsorc.action\ndef f(): return 1\n")
    worker.call("f")
    assert worker.stop() == 0
    assert complaints(worker.log_text()) == []


def test_without_orjson_the_json_module_serves(start):
    worker = start("import sys\nsys.modules['orjson'] = None\n" + MODULE)
    odd_results(worker)
    bodies(worker)
    typed_values(worker)
    assert complaints(worker.log_text())[0].startswith("jsorc: warning: JSON is read and written")
    assert sum("slow json module" in line for line in worker.log_text().splitlines()) == 1


def test_numpy_results_and_arguments(start):
    pytest.importorskip("numpy")
    worker = start("""
import jsorc, numpy
@jsorc.action
def total(values: numpy.ndarray):
    return {"sum": values.sum(), "type": type(values).__name__, "array": values * 2,
            "column": values[:, 0], "scalars": [numpy.float32(1.5), numpy.int8(3)],
            "flag": numpy.bool_(True), numpy.int64(7): 1, "nan": numpy.float64("nan")}
""")
    assert worker.call("total", values=[[1, 2], [3, 4]]) == {
        "sum": 10, "type": "ndarray", "array": [[2, 4], [6, 8]], "column": [1, 3],
        "scalars": [1.5, 3], "flag": True, "7": 1, "nan": None}
