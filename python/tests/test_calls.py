"""Calls of actions that are not Python functions of the caller's process: native ones, and those
that the daemon passes on. The daemon is a stand-in here; tests/ has the real one."""

import json
import subprocess
import sys
import threading

import pytest
from workers import ROOT, Worker

CALLER = '''
import jsorc

@jsorc.action
def go(name, args=(), kwargs={}, catch=True):
    try:
        return jsorc.call(name, *args, **kwargs)
    except jsorc.ActionError as error:
        return ["ActionError", error.action, error.status, error.detail, error.type, str(error)]
    except TypeError as error:
        return ["TypeError", str(error)]

@jsorc.action
def lets_it_out(name):
    return jsorc.call(name)

@jsorc.action
async def go_async(name, text):
    return await jsorc.call_async(name, text=text)

@jsorc.walker
def walk(name, text):
    jsorc.report(jsorc.call(name, text=text))
'''

NATIVE = '''
#include <jsorc/action.h>

static int run_twice(struct jsorc_call *call)
{
    size_t size;
    const char *text = jsorc_arg_text(call, "text", &size);
    if (size == 0) {
        return jsorc_fail(call, 409, "nothing to repeat");
    }
    jsorc_begin_array(call);
    jsorc_put_text(call, text, size);
    jsorc_put_int(call, jsorc_arg_int(call, "times"));
    jsorc_end(call);
    return JSORC_OK;
}

static const struct jsorc_action actions[] = {
    {.name = "twice", .run = run_twice,
     .params = {{"text", "str", NULL, NULL}, {"times", "int", "2", NULL}}},
    {.name = NULL},
};

JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "nat", .actions = actions};
'''


@pytest.fixture
def go(start, daemon):
    worker = start(CALLER, daemon=daemon.path)

    def call(name, *args, **kwargs):
        return worker.call("go", name=name, args=args, kwargs=kwargs)

    call.worker = worker
    return call


def echo(body):
    return 200, json.dumps(body).encode()


EXTRA = json.dumps({"detail": [{"loc": ["body", "q"], "msg": "extra fields not permitted",
                                "type": "value_error.extra"}]}).encode()


def test_keywords_go_to_the_daemon_as_they_are_without_nulls(go, daemon):
    daemon.answers["far.f"] = echo
    assert go("far.f", text="a", n=None) == {"text": "a"}
    assert go("far.f") == {}
    assert daemon.spec_reads == 1 and daemon.connections <= 4


def test_a_thread_keeps_its_connection(go, daemon):
    daemon.answers["far.f"] = echo
    for number in range(20):
        go("far.f", n=number)
    assert daemon.connections < 10


def test_positional_arguments_are_arranged_by_the_spec_which_is_read_once(go, daemon):
    daemon.answers["far.f"] = echo
    daemon.spec = {"far.f": ["a", "b: int", "*c", "d", "**e"]}
    for _ in range(3):
        assert go("far.f", 1, 2, 3, 4, d=5, x=6) == {"a": 1, "b": 2, "*c": [3, 4], "d": 5,
                                                     "**e": {"x": 6}}
    assert daemon.spec_reads == 1
    assert go("far.f", 1, a=2) == ["TypeError", "far.f() got 'a' twice: by position and by name"]


def test_keywords_that_are_no_parameters_are_tried_as_the_double_star_ones(go, daemon):
    daemon.answers["far.f"] = lambda body: (422, EXTRA) if "q" in body else echo(body)
    assert go("far.f", a=1) == {"a": 1}, "in no list: sent as it is"
    daemon.spec = {"far.f": ["a", "**e"], "far.g": ["a"]}
    assert go("far.f", a=1, q=2) == {"a": 1, "**e": {"q": 2}}
    assert go("far.f", a=1, q=3) == {"a": 1, "**e": {"q": 3}}
    assert [body for _, body in daemon.seen] == [
        {"a": 1}, {"a": 1, "q": 2}, {"a": 1, "**e": {"q": 2}}, {"a": 1, "**e": {"q": 3}}]


def test_arguments_that_do_not_fit_are_not_sent(go, daemon):
    daemon.spec = {"far.f": ["a"], "far.g": ["a", "**e"]}
    daemon.answers["far.g"] = echo
    assert go("far.f", a=1, q=2) == ["TypeError", "far.f() has no parameter 'q' (it has: a)"]
    assert daemon.seen == []
    assert go("far.g", a=1, q=2) == {"a": 1, "**e": {"q": 2}}
    assert len(daemon.seen) == 1


def test_failures_become_action_errors(go, daemon):
    daemon.answers["far.f"] = lambda _: (500, b'{"detail": "bad day", "type": "ValueError"}')
    daemon.answers["far.t"] = lambda _: (502, b"<html>")
    daemon.answers["far.u"] = lambda _: (422, EXTRA)
    daemon.spec = {"far.u": ["a"]}
    assert go("far.f") == ["ActionError", "far.f", 500, "bad day", "ValueError",
                           "action 'far.f' answered 500 (ValueError): bad day"]
    assert go("far.t")[:5] == ["ActionError", "far.t", 502, "<html>", None]
    assert go("far.none")[:4] == ["ActionError", "far.none", 404, "no such action"]
    assert go("far.u", a=1)[:3] == ["ActionError", "far.u", 422]
    assert go("far.unlisted", 1)[:3] == ["ActionError", "far.unlisted", 404]


def test_an_action_error_that_is_not_caught_is_told(go, daemon):
    daemon.answers["far.f"] = lambda _: (500, b'{"detail": "bad day", "type": "ValueError"}')
    reply = go.worker.post("/lets_it_out/", {"name": "far.f"})
    assert reply.status == 500
    assert reply.json() == {"detail": "action 'far.f' answered 500 (ValueError): bad day",
                            "type": "ActionError", "action": "far.f"}


def test_without_a_daemon_the_error_says_so(start):
    worker = start(CALLER)
    answer = worker.call("go", name="far.f", kwargs={"a": 1})
    assert answer[:3] == ["ActionError", "far.f", 0] and "daemon" in answer[3]
    assert worker.call("go", name="far.f", args=[1])[:3] == ["ActionError", "far.f", 0]


def test_a_daemon_that_is_gone_is_an_error_and_may_come_back(go, daemon, tmp_path):
    daemon.answers["far.f"] = echo
    assert go("far.f", a=1) == {"a": 1}
    daemon.path.rename(tmp_path / "away")
    gone = start_and_call(go)
    assert gone == {"a": 2} or gone[:3] == ["ActionError", "far.f", 0]
    (tmp_path / "away").rename(daemon.path)
    assert go("far.f", a=3) == {"a": 3}


def start_and_call(go):
    return go("far.f", a=2)


def test_calls_run_in_parallel_while_others_wait(go, daemon):
    barrier = threading.Barrier(8)

    def meet(body):
        barrier.wait(20)
        return echo(body)

    daemon.answers["far.f"] = meet
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(go("far.f", n=n)))
               for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(result["n"] for result in results) == list(range(8))


def test_async_and_walkers_call_the_daemon_too(go, daemon):
    daemon.answers["far.f"] = echo
    assert go.worker.call("go_async", name="far.f", text="a") == {"text": "a"}
    reply = go.worker.post("/walker_run/", {"name": "walk", "ctx": {"name": "far.f", "text": "b"}})
    assert reply.json()["report"] == [{"text": "b"}]


def test_arguments_that_json_cannot_hold(go, daemon, start):
    worker = start("import jsorc\n@jsorc.action\ndef f():\n"
                   "    try: jsorc.call('far.f', a=object())\n"
                   "    except TypeError as error: return str(error)\n", daemon=daemon.path)
    assert "object" in worker.call("f")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    (folder / "nat.c").write_text(NATIVE)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I", ROOT / "include",
                    folder / "nat.c", "-o", folder / "nat.so"], check=True)
    return folder / "nat.so"


@pytest.fixture
def with_native(tmp_path, library):
    caller = tmp_path / "caller.py"
    caller.write_text(CALLER)
    worker = Worker(sys.executable, tmp_path, [
        {"name": "caller", "kind": "python-file", "source": str(caller)},
        {"name": "nat", "kind": "native", "source": str(library)}])
    yield worker
    worker.stop()


def test_a_native_action_of_the_same_worker_is_called_directly(with_native):
    def go(*args, **kwargs):
        return with_native.call("go", name="nat.twice", args=args, kwargs=kwargs)

    assert go("a") == ["a", 2] == go(text="a")
    assert go("a", 3) == ["a", 3] == go("a", times="3")
    assert go("")[:4] == ["ActionError", "nat.twice", 409, "nothing to repeat"]
    assert go("a", times="x")[:3] == ["ActionError", "nat.twice", 422]
    assert go("a", 1, 2)[0] == "TypeError" and go(nope=1)[0] == "TypeError"
    assert with_native.call("twice", text="b") == ["b", 2]
    assert with_native.request("GET", "/jsorc/status").json()["actions"]["nat.twice"]["calls"] == 7


def test_a_native_module_that_cannot_be_loaded_says_why(tmp_path):
    (tmp_path / "bad.so").write_text("no library")
    for source in (tmp_path / "none.so", tmp_path / "bad.so"):
        worker = Worker(sys.executable, tmp_path, [{"name": "bad", "kind": "native",
                                                    "source": str(source)}], start=False)
        assert worker.process.wait(20) == 1
        assert worker.ready["stage"] == "import" and source.name in worker.ready["error"]
        assert not worker.ready["error"].startswith("import: ")
        worker.kill()
