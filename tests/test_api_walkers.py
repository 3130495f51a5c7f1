"""Walkers run the way the original's clients do it: by forms, with uploads, from the path and the
query (sections 1.1 and 1.3 of the contract)."""

import base64

import pytest
from test_api import FORM, local, multipart

WALKER = """
import jsorc

@jsorc.walker
def show(k: int = 0, f: list | None = None):
    return [k, f]
"""


@pytest.fixture
def walkers(serve, write):
    return serve(write("flow.py", WALKER))


def test_walkers_take_forms_and_uploads(walkers):
    file = {"name": "a.txt", "base64": base64.b64encode(b"\0hello\xff").decode(),
            "content-type": "text/plain"}
    wanted = [[7, [file]]]
    body, headers = multipart(("f", b"\0hello\xff", "a.txt", "text/plain"), ("name", b"show"),
                              ("ctx", b'{"k": 7}', None, "application/json"))
    for path in ("/js/walker_run", "/js/wapi/show", "/walkers/show"):
        assert local(walkers, "POST", path, body, headers=headers).json()["report"] == wanted
    plain = {"name": "show", "ctx": {"k": 7, "f": [file]}}
    assert local(walkers, "POST", "/js/walker_run", plain).json()["report"] == wanted
    form = {"Content-Type": FORM}
    reply = local(walkers, "POST", "/js/walker_run", b"name=show&ctx=%7B%22k%22%3A7%7D",
                  headers=form)
    assert reply.json()["report"] == [[7, None]]


def test_the_path_goes_over_the_query_and_that_over_the_body(walkers):
    reply = local(walkers, "POST", '/js/wapi/show?name=nobody&ctx={"k":8}',
                  {"name": "nothing", "ctx": {"k": 7}})
    assert reply.json()["report"] == [[8, None]]
    reply = local(walkers, "POST", "/js/walker_run?name=show", {"name": "nothing"})
    assert reply.json()["report"] == [[0, None]]


def test_bad_forms_for_walkers_are_refused(walkers):
    body, headers = multipart(("name", b"show"))
    assert local(walkers, "POST", "/js/walker_run", body[:-8], headers=headers).status == 400
    assert local(walkers, "POST", "/js/walker_run", b"x",
                 headers={"Content-Type": "text/plain"}).status == 415
