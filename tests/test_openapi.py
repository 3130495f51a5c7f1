"""The description of the API and the page that shows it: valid, complete, and true to what the
daemon answers to generated requests."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import openapi_spec_validator
import pytest

MODULE = '''
import jsorc

@jsorc.action
def split(text: str, sep: str = " ", limit: int | None = None, *more: str, **options) -> list:
    """Splits a text."""
    return text.split(sep or None, -1 if limit is None else min(limit, 100))

@jsorc.walker
def intake(text: str, times: int = 1, _req_ctx=None):
    """Takes a text in."""
    return jsorc.call("text.split", text)
'''

# Generated requests must not end the run's own login, nor have modules loaded from anywhere, nor
# begin load tests, nor wait for what never comes; and what is below /prometheus/ and /grafana/ is
# theirs to describe.
NOT_TRIED = (r"^(jsorc_)?actions_(load|config|unload)|jsorc_loadtest$|walker_queue_wait|"
             r"logout_everyone|user_delete|^(put|patch) /user/manage|/(prometheus|grafana)/")
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,"
          "response_schema_conformance,allow_header_conformance")
EXAMPLES = 8  # an operation; seconds in all


@pytest.fixture
def daemon(serve):
    return serve()


@pytest.fixture
def loaded(serve, write):
    daemon = serve(write("text.py", MODULE))
    assert daemon.call("text.split", text="a b").json() == ["a", "b"]  # waits for the worker
    return daemon


def token_of_a_new_admin(daemon):
    login = {"email": "admin@example.org", "password": "correct horse"}
    assert daemon.post("/user/create/", login).status == 201
    return daemon.post("/user/token/", login).json()["token"]


@pytest.mark.sanitize
def test_the_document_is_valid(daemon):
    reply = daemon.get("/openapi.json")
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    document = reply.json()
    assert document["openapi"] == "3.1.0"
    openapi_spec_validator.validate(document)


@pytest.mark.sanitize
def test_the_document_is_true(daemon):
    """Each path in it exists, has that method, and asks for a login where it says so."""
    paths = daemon.get("/openapi.json").json()["paths"]
    assert {"/js_admin/config_set", "/js_public/health", "/user/token/", "/user/manage/",
            "/openapi.json", "/healthz"} <= paths.keys()
    for path, methods in paths.items():
        for method, operation in methods.items():
            reply = daemon.request(method.upper(), re.sub(r"\{\w+\}", "1", path))
            assert reply.status != 405, (method, path)
            assert reply.status != 404 or reply.json()["detail"] != "Not found.", (method, path)
            needs_token = operation["security"] == [{"token": []}]
            assert (reply.status == 401) == needs_token, (method, path)


def test_live_actions_and_walkers_are_described(loaded):
    document = loaded.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    split = document["paths"]["/actions/text.split"]["post"]
    assert split["description"] == "Splits a text."
    schema = split["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["text"]
    assert list(schema["properties"]) == ["text", "sep", "limit", "*more", "**options"]
    assert schema["properties"]["text"]["type"] == "string"
    assert schema["properties"]["sep"]["default"] == " "
    assert schema["properties"]["*more"]["type"] == "array"
    assert "/js/wapi/intake" in document["paths"] and "/walkers/intake" in document["paths"]
    for path in ("/walkers/intake", "/js/wapi/intake"):
        walker = document["paths"][path]["post"]
        assert walker["description"] == "Takes a text in."
        schema = walker["requestBody"]["content"]["application/json"]["schema"]
        assert schema["required"] == ["ctx"]
        assert schema["properties"]["ctx"]["required"] == ["text"]
        assert list(schema["properties"]["ctx"]["properties"]) == ["text", "times"]
        assert schema["properties"]["ctx"]["properties"]["times"]["default"] == 1
    loaded.op("actions_unload_module", name="text")
    assert "/actions/text.split" not in loaded.get("/openapi.json").json()["paths"]


def test_generated_requests_get_the_answers_that_the_document_promises(loaded, tmp_path):
    """schemathesis: valid and invalid values for all parameters, chosen by a fixed seed."""
    token = token_of_a_new_admin(loaded)
    loaded.expect_log("task is dead")  # it queues walkers that there are not
    run = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", f"{loaded.url}/openapi.json",
         "--header", f"Authorization: Token {token}", "--checks", CHECKS,
         "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1",
         "--exclude-operation-id-regex", NOT_TRIED, "--warnings", "off", "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested and int(tested[1]) > 20, run.stdout[-2000:]


# ---- the page


@pytest.mark.sanitize
def test_the_page_and_all_that_it_loads_come_from_the_daemon(daemon):
    page = daemon.get("/docs")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    for path in ("/docs/", "/redoc", "/redocs/"):
        assert daemon.get(path).body == page.body
    text = page.body.decode()
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(links) >= 4 and all(link.startswith("/") for link in links)
    for link in links:
        reply = daemon.get(link)
        assert reply.status == 200, link
        if reply.headers["Content-Encoding"] == "gzip":
            assert len(gzip.decompress(reply.body)) > len(reply.body)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert '"/openapi.json"' in daemon.get("/docs/start.js").body.decode()
    home = daemon.get("/")
    assert home.status == 307 and home.headers["Location"] == "/docs"


@pytest.mark.sanitize
def test_a_browser_keeps_the_pages_files(daemon):
    path = "/docs/swagger-ui-bundle.js"
    first = daemon.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = daemon.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304 and again.body == b""
    head = daemon.request("HEAD", path)
    assert head.status == 200 and head.body == b""
    assert int(head.headers["Content-Length"]) == len(first.body)
