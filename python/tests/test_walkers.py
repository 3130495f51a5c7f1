"""walker_run and wapi: the envelope, and calls from inside a walker."""

import pytest
from workers import complaints

MODULES = [("words", '''
import jsorc
@jsorc.action
def count(text: str) -> int:
    return len(text.split())
@jsorc.action
def fails():
    raise ValueError("no words")
@jsorc.action(aliases=["who"])
def wants_meta(a=0, meta=None):
    return [meta.get("m_id"), *sorted(meta)] if meta else None
@jsorc.action
async def later(text):
    return text
'''), ("walkers", '''
import jsorc, threading, contextvars

@jsorc.walker
def intake(text: str, more=None):
    jsorc.report(jsorc.call("words.count", text=text))
    jsorc.report(jsorc.actions.words.count(text))
    return more

@jsorc.walker(name="other", aliases=["another"])
def function_name():
    jsorc.report(jsorc.context().walker)

@jsorc.walker
def fails(kind):
    jsorc.report("before")
    if kind == "action":
        jsorc.call("words.fails")
    if kind == "missing":
        jsorc.call("nowhere.at_all", 1)
    if kind == "exit":
        raise SystemExit(2)
    if kind == "http":
        raise jsorc.HTTPError(409, "not now")
    if kind == "arguments":
        jsorc.call("words.count", nope=1)
    if kind == "result":
        jsorc.report(object())

@jsorc.walker
def custom(status=201, value=None):
    context = jsorc.context()
    context.status_code = status
    context.report_custom = value

@jsorc.walker
def meta():
    jsorc.report(jsorc.call("words.wants_meta"))
    jsorc.report(jsorc.call("words.who", 1))
    jsorc.report(jsorc.call("words.wants_meta", meta={"x": 1}))

@jsorc.walker
async def asynchronous(text):
    jsorc.report(await jsorc.call_async("words.later", text=text))
    jsorc.report(await jsorc.call_async("words.count", text=text))
    try:
        jsorc.call("words.later", text=text)
    except RuntimeError as error:
        jsorc.report("await" in str(error))

@jsorc.walker
def synchronous(text):
    jsorc.report(jsorc.call("words.later", text=text))

@jsorc.walker
def in_thread():
    context = contextvars.copy_context()
    def report():
        try:
            jsorc.report(1)
        except RuntimeError as error:
            jsorc.context
            seen.append(str(error))
    seen = []
    thread = threading.Thread(target=report)
    thread.start()
    thread.join()
    jsorc.report(seen)

@jsorc.walker
def headers():
    jsorc.report(jsorc.context().headers["x-mark"])
''')]


@pytest.fixture
def run(start):
    worker = start(MODULES, role="runtime")

    def run_walker(name, ctx=None, status=200, headers=None, **body):
        reply = worker.post("/walker_run/", {"name": name, "ctx": ctx or {}, **body},
                            headers=headers)
        assert reply.status == status, reply
        return reply.json()

    run_walker.worker = worker
    return run_walker


def test_reports_and_a_returned_value_make_the_report(run):
    assert run("intake", {"text": "a b c"}) == {
        "success": True, "report": [3, 3], "final_node": None, "yielded": False}
    assert run("intake", {"text": "a", "more": [1]}, nd="urn:uuid:1") == {
        "success": True, "report": [1, 1, [1]], "final_node": "urn:uuid:1", "yielded": False}
    assert run("intake", '{"text": "as text"}')["report"] == [2, 2]


def test_names_and_aliases(run):
    assert run("other")["report"] == ["other"]
    assert run("another")["report"] == ["another"]
    assert run("function_name") == {"report": [], "success": False,
                                    "errors": ["Walker function_name not found!"]}
    assert run(None)["errors"] == ["Walker None not found!"]
    assert run(["x"])["success"] is False


def test_wapi_takes_the_name_from_the_path(run):
    reply = run.worker.post("/wapi/intake/", {"ctx": {"text": "a b"}})
    assert reply.json()["report"] == [2, 2]
    assert run.worker.post("/wapi/none/").json()["errors"] == ["Walker none not found!"]
    assert run.worker.post("/wapi/other/").json()["report"] == ["other"]


def test_failures_keep_200_and_tell_where(run):
    answer = run("fails", {"kind": "action"})
    assert answer["success"] is False and answer["report"] == ["before"]
    assert answer["errors"] == ["walkers.py:fails - line 18, col 0 - rule fails - ActionError: "
                                "action 'words.fails' answered 500 (ValueError): no words"]
    assert "ActionError" in answer["stack_trace"][-1]
    assert "ValueError: no words\n" in answer["stack_trace"], "its cause"
    assert not any("_walkers.py" in line for line in answer["stack_trace"])
    assert "nowhere.at_all" in run("fails", {"kind": "missing"})["errors"][0]
    assert "exit(2)" in run("fails", {"kind": "exit"})["errors"][0]
    told = run("fails", {"kind": "arguments"})["errors"][0]
    assert "has no parameter 'nope' (it has: text)" in told
    assert run("other")["success"] is True


def test_arguments_that_do_not_fit(run):
    assert run("intake")["errors"] == ["intake: text: field required"]
    assert run("intake", {"text": "x", "z": 1})["errors"] == [
        "intake: z: extra fields not permitted"]
    assert run("intake", "[1]")["success"] is False
    assert run("intake", "{")["success"] is False
    assert run("intake", 3)["errors"] == ["intake: ctx must be an object, not a int"]


def test_a_report_that_cannot_be_encoded_is_a_500(run):
    reply = run.worker.post("/walker_run/", {"name": "fails", "ctx": {"kind": "result"}})
    assert reply.status == 500
    assert "result['report'][1] is a object" in reply.json()["detail"]


def test_status_and_custom_report(run):
    assert run("custom", status=201)["status_code"] == 201
    assert run("custom", {"value": {"mine": 1}, "status": 202}, status=202) == {"mine": 1}


def test_an_http_error_sets_the_status_and_logs_nothing(run):
    assert run("fails", {"kind": "http"}, status=409) == {
        "report": ["before"], "success": False, "errors": ["not now"], "status_code": 409}
    assert complaints(run.worker.log_text()) == []


def test_is_async_runs_now_while_there_is_no_queue(run):
    for value in (True, "true"):
        assert run("intake", {"text": "a"}, is_async=value) == {
            "is_queued": False, "result": {"success": True, "report": [1, 1], "final_node": None,
                                           "yielded": False}}
    assert run("intake", {"text": "a"}, is_async=None)["success"] is True


def test_profiling_adds_a_profile(run):
    profile = run("intake", {"text": "a"}, profiling=True)["profile"]
    assert set(profile) == {"jac", "perf", "graph"}
    assert profile["perf"].startswith("function,calls,self_s,total_s\n")
    assert "(count)" in profile["perf"]


def test_a_local_action_gets_the_callers_context_as_meta(run):
    assert run("meta", headers={"X-Jsorc-User": "7"})["report"] == [
        ["7", "h", "interp", "m_id", "scope"], ["7", "h", "interp", "m_id", "scope"], [None, "x"]]
    assert run.worker.call("wants_meta") is None  # a remote call never does


def test_async_walkers_and_actions(run):
    assert run("asynchronous", {"text": "a b"})["report"] == ["a b", 2, True]
    assert run("synchronous", {"text": "a"})["report"] == ["a"]


def test_a_thread_without_the_context_cannot_report(run):
    assert run("in_thread")["report"] == [
        ["report() works in a walker that a worker runs"]]


def test_the_context_has_the_requests_headers(run):
    assert run("headers", headers={"X-Mark": "7"})["report"] == ["7"]


def test_runs_and_local_calls_are_counted(run):
    run("intake", {"text": "a"})
    run("fails", {"kind": "action"})
    status = run.worker.request("GET", "/jsorc/status").json()
    assert status["walkers"]["intake"]["calls"] == 1
    assert status["walkers"]["fails"] == {**status["walkers"]["fails"], "calls": 1, "errors": 1}
    assert status["actions"]["words.count"]["calls"] == 2
    assert status["actions"]["words.fails"] == {**status["actions"]["words.fails"], "calls": 1,
                                                "errors": 1}


def test_a_local_call_is_no_request(start):
    worker = start("""
import jsorc, time
@jsorc.action
def noop(): pass
@jsorc.action
def echo(text): return text
@jsorc.action
def measure(count=20000):
    call, clock = jsorc.call, time.perf_counter
    best = [1.0, 1.0]
    for _ in range(20):
        begin = clock()
        for _ in range(count): call("m.noop")
        middle = clock()
        for _ in range(count): call("m.echo", text="x")
        end = clock()
        best = [min(best[0], middle - begin), min(best[1], end - middle)]
    return [seconds / count * 1e6 for seconds in best]
""")
    noop_us, echo_us = worker.call("measure")
    assert noop_us < 10 and echo_us < 10, "through a socket it takes more than 60"


def test_a_worker_without_walkers_has_no_walker_route(start):
    worker = start("import jsorc\n@jsorc.action\ndef f(): pass")
    assert worker.post("/walker_run/", {"name": "f"}).status == 404
