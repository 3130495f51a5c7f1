"""`jsorc host` with a C module: the wire format to the letter, results, who may call."""

import base64
import re
import subprocess

import pytest
from programs import ROOT, wait_until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def server(host, native_library):
    return host(native_library)


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


# ---- examples


def test_the_example_of_the_header(host, write):
    """What somebody gets who has read only include/jsorc/action.h."""
    text = (ROOT / "include/jsorc/action.h").read_text()
    lines = re.findall(r"^ \*     (.*)$|^ \*$", text[:text.index(" * Build:")], re.MULTILINE)
    source = write("demo.c", "\n".join(lines) + "\n")
    build = re.search(r"^ \* Build:  (.*)$", text, re.MULTILINE)[1].split()
    subprocess.run([*build, f"-I{ROOT}/include"], cwd=source.parent, check=True)
    server = host(source.with_suffix(".so"))
    assert server.post("/repeat/", {"text": "hi"}).json() == ["hi", "hi"]
    reply = server.post("/repeat/", {"text": "hi", "times": 1001})
    assert (reply.status, reply.json()["detail"]) == (400, "times must be 0 to 1000, not 1001")


def test_the_example_in_its_folder(host, tmp_path):
    source = ROOT / "examples/hello-c/hello.c"
    target = tmp_path / "hello.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror",
                    f"-I{ROOT}/include", "-o", str(target), str(source), "-lm"], check=True)
    server = host(target)
    assert server.post("/greet/", {}).json() == {"text": "Hello, world!", "number": 1}
    assert server.post("/cosine/", {"a": [1, 0], "b": ["1", 1]}).json() == pytest.approx(0.5**0.5)
    assert server.post("/cosine/", {"a": [1], "b": []}).status == 400
    assert server.post("/cosine/", {"a": [0], "b": [0]}).json() is None


# ---- who may call


def test_token(host, native_library, write):
    token = write("token", "s3cret\n")
    server = host(native_library, "--token-file", token)
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


def test_a_request_id_that_could_forge_log_fields_is_not_logged(server):
    server.post("/say/", {"text": "x"}, headers={"X-Request-Id": "a level=error"})
    server.post("/say/", {"text": "y"}, headers={"X-Request-Id": "good-1"})
    wait_until(lambda: 'text="the text is y" request_id=good-1\n' in server.log_text())
    assert 'text="the text is x"\n' in server.log_text()
