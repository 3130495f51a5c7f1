"""What a walker knows of its request, and files as its answer."""

import base64
import json

import pytest

FLOW = """
import jsorc

@jsorc.walker
def whole(_req_ctx, text="none"):
    jsorc.report(_req_ctx)
    jsorc.report(text)

@jsorc.walker
def headers():
    jsorc.report(jsorc.context().headers)

@jsorc.walker
def download(file, status=None, fails=False):
    context = jsorc.context()
    context.report_file = file.encode() if isinstance(file, str) and file.startswith("bytes") \\
        else file
    if status:
        context.status_code = status
    if fails:
        raise jsorc.HTTPError(409, "no file today")
"""


@pytest.fixture
def flow(serve, write):
    return serve(write("flow.py", FLOW))


def test_a_walker_is_given_its_request(flow):
    sent = {"ctx": {"text": "hi", "_req_ctx": "forged"}, "more": [1]}
    reply = flow.post("/walkers/whole?page=2&empty=&page_name=%C3%A4", sent, headers={
        "X-Shop": "north", "Authorization": "Basic c2VjcmV0", "Cookie": "session=secret",
        "X-Jsorc-User": "7"})
    request, text = reply.json()["report"]
    assert text == "hi"
    assert request["method"] == "POST"
    assert request["query"] == {"page": "2", "empty": "", "page_name": "ä"}
    assert request["body"]["ctx"]["text"] == "hi" and request["body"]["more"] == [1]
    assert json.loads(request["raw"]) == request["body"]
    assert request["headers"]["x-shop"] == "north"
    assert "secret" not in json.dumps(request), "nothing that lets somebody in"
    assert not any(name.startswith("x-jsorc") for name in request["headers"])


def test_the_original_s_path_gives_it_too_and_a_form_is_read(flow):
    connection = flow.connect_local()
    reply = flow.post("/js/walker_run", b"name=whole&ctx=%7B%22text%22%3A%22a%22%7D",
                      connection=connection,
                      headers={"Content-Type": "application/x-www-form-urlencoded"})
    connection.close()
    request, text = reply.json()["report"]
    assert (text, request["query"]) == ("a", {})
    assert request["body"]["name"] == "whole"


def test_long_and_many_headers_do_no_harm(flow):
    many = {f"X-Number-{n}": "v" * 400 for n in range(30)}
    seen = flow.post("/walkers/headers", {"ctx": {}}, headers=many).json()["report"][0]
    there = [name for name in many if name.lower() in seen]
    assert 5 < len(there) < 30, "as many as fit"
    seen = flow.post("/walkers/headers", {"ctx": {}}, headers={"X-Long": "v" * 5000}).json()
    assert "x-long" not in seen["report"][0]


def ask(flow, **ctx):
    return flow.post("/walkers/download", {"ctx": ctx})


def test_a_file_is_a_walker_s_answer(flow, tmp_path):
    path = tmp_path / "größe 1.csv"
    path.write_bytes(b"a,b\n1,2\n")
    reply = ask(flow, file=str(path))
    assert (reply.status, reply.body) == (200, b"a,b\n1,2\n")
    assert reply.headers["Content-Type"] == "text/csv"
    assert reply.headers["Content-Disposition"] == \
        "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.csv"
    reply = ask(flow, file="bytes alone", status=202)
    assert (reply.status, reply.body) == (202, b"bytes alone")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    picture = {"name": "dot.png", "base64": base64.b64encode(b"\x89PNG").decode(),
               "content-type": "image/png"}
    reply = ask(flow, file=picture)
    assert (reply.body, reply.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert "dot.png" in reply.headers["Content-Disposition"]


def test_a_file_that_is_none_is_an_error(flow, tmp_path):
    reply = ask(flow, file=str(tmp_path / "none.txt"))
    assert (reply.status, reply.json()["type"]) == (500, "FileNotFoundError")
    reply = ask(flow, file=7)
    assert reply.status == 500 and "report_file is a path, bytes" in reply.json()["detail"]
    reply = ask(flow, file="bytes", fails=True)
    assert (reply.status, reply.json()["errors"]) == (409, ["no file today"])
