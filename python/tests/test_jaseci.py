"""Modules written for Jaseci run unchanged: with our stand-in, and with the real package."""

import http.client
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from workers import PYTHONPATH, Worker

# The four functions, seven names, of the original's own test of its remote actions.
ENCODER = '''
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["use"], allow_remote=True)
def setup(): pass

@jaseci_action(act_group=["use"], aliases=["enc_question"], allow_remote=True)
def question_encode(question): return ["q", question]

@jaseci_action(act_group=["use"], aliases=["enc_answer"], allow_remote=True)
def answer_encode(answer, context=None): return ["a", answer, context]

@jaseci_action(act_group=["use"], aliases=["qa_score"], allow_remote=True)
def dist_score(q_emb, a_emb): return q_emb + a_emb

@jaseci_action(act_group=["use"])
def only_local(): return 1
'''

SPEC = {"use.setup": [], "use.question_encode": ["question"], "use.enc_question": ["question"],
        "use.answer_encode": ["answer", "context"], "use.enc_answer": ["answer", "context"],
        "use.dist_score": ["q_emb", "a_emb"], "use.qa_score": ["q_emb", "a_emb"]}

STARS = '''
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["t"], allow_remote=True)
def both(a, b, c, *d, e=None, f="", **g):
    assert type(d) is tuple and type(g) is dict
    return {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f, "g": g}

@jaseci_action(act_group=["t"], allow_remote=True)
def list_only(a, b, c, *d, e=None, f=""):
    return {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f}

@jaseci_action(act_group=["t"], allow_remote=True)
def dict_only(a, b, c, e=None, f="", **g):
    return {"a": a, "b": b, "c": c, "e": e, "f": f, "g": g}
'''


def real_jaseci():
    """An interpreter that has the released original."""
    python = Path(os.environ.get("JSORC_VENV_ORIGINAL", ""), "bin", "python")
    assert python.is_absolute() and python.exists(), \
        "the released jaseci is not installed: run dev/setup test, then `. dev/env`"
    return str(python)


@pytest.fixture(params=["stand-in", "real"])
def python(request):
    return sys.executable if request.param == "stand-in" else real_jaseci()


def test_an_unchanged_module_is_served_under_all_its_names(start, python):
    worker = start(ENCODER, python, remote=True)
    assert worker.request("GET", "/jaseci_actions_spec/").json() == SPEC
    assert worker.call("question_encode", question="x") == ["q", "x"]
    assert worker.call("enc_answer", answer="x") == ["a", "x", None]
    assert worker.call("use.qa_score", q_emb=1, a_emb=2) == 3
    assert worker.call("setup") is None
    assert worker.post("/only_local/", {}).status == 404


def test_in_the_callers_process_all_decorated_functions_are_there(start):
    worker = start(ENCODER)
    assert set(worker.request("GET", "/jaseci_actions_spec/").json()) == {*SPEC, "use.only_local"}


def test_the_server_rebuilds_a_call(start, python):
    worker = start(STARS, python, remote=True)
    spec = worker.request("GET", "/jaseci_actions_spec/").json()
    assert spec == {"t.both": ["a", "b", "c", "*d", "e", "f", "**g"],
                    "t.list_only": ["a", "b", "c", "*d", "e", "f"],
                    "t.dict_only": ["a", "b", "c", "e", "f", "**g"]}
    plain = {"a": 1, "b": 2, "c": 3, "e": "1", "f": "2"}
    for path, extra, wanted in (
            ("both", {"*d": [4, 5, 6], "**g": {"g": "3"}}, {"d": [4, 5, 6], "g": {"g": "3"}}),
            ("both", {"*d": [4]}, {"d": [4], "g": {}}), ("both", {"**g": {"g": 3}},
                                                         {"d": [], "g": {"g": 3}}),
            ("both", {}, {"d": [], "g": {}}), ("list_only", {"*d": [4, 5, 6]}, {"d": [4, 5, 6]}),
            ("list_only", {}, {"d": []}), ("dict_only", {"**g": {"h": 1}}, {"g": {"h": 1}}),
            ("dict_only", {}, {"g": {}})):
        assert worker.call(path, **plain, **extra) == {**plain, **wanted}
    assert worker.call("both", a=1, b=2, c=3) == {"a": 1, "b": 2, "c": 3, "d": [], "e": None,
                                                  "f": "", "g": {}}


def test_setup_runs_once_at_the_start(start, python):
    worker = start("from jaseci.jsorc.live_actions import jaseci_action\nseen = []\n"
                   "@jaseci_action(act_group=['t'], allow_remote=True)\n"
                   "def setup(size=3): seen.append(size)\n"
                   "@jaseci_action(act_group=['t'], allow_remote=True)\n"
                   "def sizes(): return seen\n", python, remote=True)
    assert worker.call("sizes") == [3]


def test_without_a_group_the_modules_name_is_the_group(start):
    worker = start("from jaseci.jsorc.live_actions import jaseci_action\n"
                   "@jaseci_action(allow_remote=True)\ndef f(): pass\n", name="numpy_py")
    assert list(worker.request("GET", "/jaseci_actions_spec/").json()) == ["numpy_py.f"]


def test_a_module_without_remote_actions_cannot_be_served_remotely(start):
    worker = start("from jaseci.jsorc.live_actions import jaseci_action\n"
                   "@jaseci_action()\ndef f(): pass\n", remote=True, start=False)
    assert worker.process.wait(60) == 1
    assert worker.ready["stage"] == "actions"
    assert "may be remote" in worker.ready["error"]


def test_the_seeds_import_path(start):
    worker = start("from jaseci.actions.live_actions import jaseci_action\n"
                   "@jaseci_action(act_group=['t'])\ndef f(): return 1\n")
    assert worker.call("t.f") == 1


def test_an_exposed_function_answers_get(start):
    worker = start('''
from jaseci.jsorc.live_actions import jaseci_action, jaseci_expose

@jaseci_action(act_group=["t"], allow_remote=True)
def f(): pass

@jaseci_expose("/hello")
def hello(name: str = "you", times: int = 1):
    return {"hello": [name] * times}

class Response:
    status_code, headers, body = 202, {"content-type": "text/html", "x-a": "b"}, b"<p>"

@jaseci_expose("/page")
def page():
    return Response()
''', remote=True)
    assert worker.request("GET", "/hello").json() == {"hello": ["you"]}
    assert worker.request("GET", "/hello?name=a%20b&times=2&x=1").json() == {"hello": ["a b"] * 2}
    reply = worker.request("GET", "/hello?times=x")
    assert reply.status == 422 and reply.json()["detail"][0]["loc"] == ["query", "times"]
    reply = worker.request("GET", "/page")
    assert (reply.status, reply.headers["content-type"], reply.headers["x-a"], reply.body) == (
        202, "text/html", "b", b"<p>")
    assert list(worker.request("GET", "/jaseci_actions_spec/").json()) == ["t.f"]


def test_a_mounted_application_serves_what_is_below_its_path(start):
    worker = start('''
from jaseci.jsorc.live_actions import jaseci_action, jaseci_expose

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"x-mark", b"1")]})
    text = scope["path"] + "?" + scope["query_string"].decode()
    await send({"type": "http.response.body", "body": text.encode()})

@jaseci_expose("/hello", mount=("/static", app, "static"))
def hello(): return 1
''', remote=True)
    reply = worker.request("GET", "/static/a/b.txt?c=1")
    assert (reply.status, reply.headers["x-mark"]) == (200, "1")
    assert reply.body == b"/static/a/b.txt?c=1"
    assert worker.request("GET", "/hello").json() == 1


def test_a_script_that_launches_its_own_server(tmp_path):
    """python FILE with our package on the path: launch_server is our worker."""
    script = tmp_path / "script.py"
    script.write_text("import jsorc._shim; jsorc._shim.install()\n" + STARS +
                      "\nif __name__ == '__main__':\n"
                      "    from jaseci.jsorc.remote_actions import launch_server\n"
                      "    launch_server(port=0, host='127.0.0.1')\n")
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": PYTHONPATH})
    timer = threading.Timer(20, process.kill)
    timer.start()
    try:
        address = process.stderr.readline().strip().removeprefix("jsorc: serving at http://")
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("POST", "/list_only/", b'{"a": 1, "b": 2, "c": 3, "*d": [4]}')
        assert b'"d":[4]' in connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def test_launch_server_at_import_does_not_hold_up_the_load(start):
    worker = start("from jaseci.jsorc.live_actions import jaseci_action\n"
                   "from jaseci.jsorc.remote_actions import launch_server\n"
                   "@jaseci_action(allow_remote=True)\ndef f(): return 1\nlaunch_server(port=80)\n")
    assert worker.call("f") == 1
    assert "__main__" in worker.log_text()


def test_the_asgi_application_answers_as_the_worker_does(registry):
    import asyncio
    import json

    from jsorc import _asgi, _registry

    def both(a: int, *d, f="", **g):
        return [a, d, f, g]

    def fails():
        raise ValueError("no")

    def setup():
        seen.append(1)

    seen = []
    for function in (both, fails, setup):
        _registry.register(function, group="t", aliases=["other"] if function is both else ())
    app = _asgi.make_app()
    assert seen == [1]

    def ask(method, path, body=b""):
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path}
        asyncio.run(app(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"] or b"null")

    assert ask("GET", "/jaseci_actions_spec/")[1]["t.both"] == ["a", "*d", "f", "**g"]
    assert ask("POST", "/both/", b'{"a": "1", "*d": [2], "**g": {"h": 3}}') == (
        200, [1, [2], "", {"h": 3}])
    assert ask("POST", "/other/", b'{"a": 1}') == (200, [1, [], "", {}])
    assert ask("POST", "/both/", b"{}")[0] == 422
    assert ask("POST", "/both/", b"{")[0] == 422
    assert ask("POST", "/both")[0] == 307
    assert ask("POST", "/none/")[0] == 404
    assert ask("GET", "/both/")[0] == 405
    status, body = ask("POST", "/fails/")
    assert status == 500 and body["type"] == "ValueError"


def test_worker_with_the_real_package_keeps_its_own_library_out(start):
    python = real_jaseci()
    worker = start("import jaseci.extens.act_lib.std\n" + ENCODER, python)
    assert set(worker.request("GET", "/jaseci_actions_spec/").json()) == {*SPEC, "use.only_local"}
    assert isinstance(worker, Worker)
