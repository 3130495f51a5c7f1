"""Interoperation with the released original (jaseci on PyPI): its client with our server gets what
it gets from its own, and our daemon calls its server."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from programs import Program

FOLDER = Path(__file__).resolve().parent / "original"
KIT = FOLDER / "kit.py"
PYTHON = Path(os.environ.get("JSORC_VENV_ORIGINAL", "/nonexistent")) / "bin" / "python"

CALLS = [
    ["kit.echo", ["hällo ✓"], {}],
    ["kit.echo", [], {"text": "by name"}],
    ["kit.same", ["alias"], {}],
    ["kit.again", ["another alias"], {}],
    ["kit.anything", [], {}],
    ["kit.anything", [None], {"other": "given"}],
    ["kit.anything", [{"deep": [1, 2.5, None, True, {"x": "y"}]}], {}],
    ["kit.anything", [2**53, ""], {}],
    ["kit.typed", [1], {}],
    ["kit.typed", ["41", "0.25", "true"], {"words": ["a", 1]}],
    ["kit.typed", [], {"count": 7, "flag": True}],
    ["kit.stars", [1, 2, 3, 4, 5, 6], {"e": "1", "f": "2", "g": "3", "h": "4"}],
    ["kit.stars", [1, 2, 3], {"e": "1", "f": "2"}],
    ["kit.stars", [1], {"b": 2, "c": 3, "e": 4, "f": 5, "z": 6}],
    ["kit.join_all", ["-", "a", "b", 3], {"upper": True, "trim": 1}],
    ["kit.join_all", ["-"], {}],
    ["kit.nothing", [], {}],
    ["kit.typed", ["no number"], {}],
    ["kit.echo", [], {}],
]

# path, body, what is compared: "body", or for refused arguments "where" (status and parameters)
BODIES = [
    ("/echo/", {"text": "x"}, "body"),
    ("/again/", {"text": "x"}, "body"),
    ("/anything/", None, "body"),
    ("/anything/", {}, "body"),
    ("/anything/", {"value": None}, "body"),
    ("/join_all/", {"sep": "-", "*parts": ["a", "b"], "upper": True, "**options": {"trim": 1}},
     "body"),
    ("/join_all/", {"sep": "-"}, "body"),
    ("/stars/", {"a": 1, "b": 2, "c": 3, "*d": [4], "e": 5, "f": 6, "**g": {"h": 7}}, "body"),
    ("/typed/", {"count": "5", "factor": "1", "flag": "yes"}, "body"),
    ("/typed/", {"count": 5.0, "words": ["a"]}, "body"),
    ("/set_up/", None, "body"),
    ("/nothing/", None, "body"),
    ("/echo/", {}, "where"),
    ("/typed/", {"count": "x", "factor": []}, "where"),
    ("/typed/", {"factor": 1}, "where"),
    ("/join_all/", {"sep": "-", "*parts": "ab"}, "where"),
    ("/raises/", {"text": "x"}, "status"),
    ("/no_such/", {}, "status"),
    ("/not_remote/", {}, "status"),
]


class OriginalServer(Program):
    ready_path = "/jaseci_actions_spec/"

    def argv(self):
        return [PYTHON, FOLDER / "server.py", self.port]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    assert PYTHON.exists(), "the environment 'original' is missing: dev/setup test"
    server = OriginalServer(tmp_path_factory.mktemp("original")).start()
    yield server
    server.kill()


def client_of_the_original(folder, port, calls):
    run = subprocess.run(
        [PYTHON, FOLDER / "client.py", f"http://127.0.0.1:{port}/"], input=json.dumps(calls),
        capture_output=True, text=True, timeout=120, cwd=folder)  # it keeps logs where it runs
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_specs_are_equal(host, original):
    ours, theirs = host(KIT), original
    spec = ours.get("/jaseci_actions_spec/").json()
    assert spec == theirs.get("/jaseci_actions_spec/").json()
    assert spec["kit.stars"] == ["a", "b", "c", "*d", "e", "f", "**g"]
    assert "kit.not_remote" not in spec


def test_the_original_client_gets_equal_results(host, original, tmp_path):
    ours = host(KIT)
    from_ours = client_of_the_original(tmp_path, ours.port, CALLS)
    from_theirs = client_of_the_original(tmp_path, original.port, CALLS)

    assert from_ours["loaded"] and from_ours["left"] == []
    assert from_ours["names"] == from_theirs["names"] != []
    for call, mine, other in zip(CALLS, from_ours["outcomes"], from_theirs["outcomes"],
                                 strict=True):
        # Refused arguments become the client's "result"; their wording is not compared.
        if isinstance(other.get("result"), dict) and "detail" in other["result"]:
            assert locations(mine["result"]) == locations(other["result"]), call
        else:
            assert mine == other, call


def locations(refused):
    return sorted(tuple(entry["loc"]) for entry in refused["detail"])


@pytest.mark.parametrize("path,body,compared", BODIES, ids=lambda value: json.dumps(value))
def test_equal_bodies_get_equal_answers(host, original, path, body, compared):
    ours = host(KIT)
    ours.expect_log(r"kit.raises raised ValueError|^Traceback ")
    mine, other = ours.post(path, body), original.post(path, body)
    assert mine.status == other.status, mine.body
    if compared == "body":
        assert mine.status == 200
        assert mine.json() == other.json()
    elif compared == "where":
        assert mine.status == 422
        assert locations(mine.json()) == locations(other.json())


def test_a_path_without_its_slash_is_redirected_with_method_and_body(host, original):
    ours = host(KIT)
    for server in (ours, original):
        reply = server.post("/echo", {"text": "x"})
        assert reply.status == 307
        assert reply.headers["location"].endswith("/echo/")


def test_the_daemon_registers_and_calls_the_original_server(serve, original):
    daemon = serve()
    url = f"http://127.0.0.1:{original.port}/"
    assert daemon.op("actions_load_remote", url=url)["success"] is True
    names = daemon.op("actions_list", name="kit.")
    assert sorted(names) == sorted(original.get("/jaseci_actions_spec/").json())

    stars = {"sep": "-", "*parts": ["a", "b"], "upper": True, "**options": {"trim": 1}}
    reply = daemon.call("kit.join_all", **stars)
    assert reply.status == 200
    assert reply.json() == {"text": "A-B", "options": {"trim": 1}}
    assert reply.json() == original.post("/join_all/", stars).json()
    assert daemon.call("kit.echo", text="hällo ✓").json() == "hällo ✓"
    assert daemon.op("actions_call", name="kit.echo", ctx={"text": "x"}) == {
        "success": True, "result": "x"}

    # What the original answers with 422 or with the text of a 500 is an error, never a result.
    assert daemon.call("kit.typed", count="x").status == 422
    failed = daemon.call("kit.raises", text="x")
    assert failed.status == 502
    assert "status 500: Internal Server Error" in failed.json()["detail"]

    assert daemon.op("actions_unload_actionset", name="kit")["success"] is True
    assert daemon.op("actions_list", name="kit.") == []
    assert daemon.call("kit.echo", text="x").status == 404


def test_walkers_reach_actions_of_the_original_server(serve, write, original):
    flow = write("flow.py", """import jsorc

@jsorc.walker
def shout(word):
    jsorc.report(jsorc.call("kit.join_all", "-", word, "b", upper=True, trim=1))
""")
    daemon = serve(flow)
    assert daemon.op("actions_load_remote", url=f"http://127.0.0.1:{original.port}")["success"]
    reply = daemon.post("/walkers/shout", {"ctx": {"word": "a"}})
    assert reply.status == 200
    assert reply.json()["report"] == [{"text": "A-B", "options": {"trim": 1}}]
