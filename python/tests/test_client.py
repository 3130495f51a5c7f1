"""jsorc.Client against a stand-in for the daemon."""

import json

import jsorc
import pytest
from jsorc.client import OpError, default_url


@pytest.fixture
def client(daemon):
    with jsorc.Client(f"unix:{daemon.path}") as made:
        yield made


def echo(body):
    return 200, json.dumps(body).encode()


def test_calls_by_name_and_by_position(client, daemon):
    daemon.answers["t.f"] = echo
    daemon.spec = {"t.f": ["a", "*b", "**c"]}
    assert client.call("t.f", a=1, n=None) == {"a": 1}
    assert daemon.spec_reads == 0
    assert client.call("t.f", 1, 2, 3, x=4) == {"a": 1, "*b": [2, 3], "**c": {"x": 4}}
    assert client.call("t.f", 1) == {"a": 1}
    assert daemon.spec_reads == 1 and daemon.connections == 1


def test_failures_are_action_errors(client, daemon):
    daemon.answers["t.f"] = lambda _: (500, b'{"detail": "bad day", "type": "ValueError"}')
    daemon.answers["t.g"] = lambda _: (502, b"<html>")
    with pytest.raises(jsorc.ActionError) as error:
        client.call("t.f", a=1)
    assert (error.value.status, error.value.detail, error.value.type) == (500, "bad day",
                                                                          "ValueError")
    with pytest.raises(jsorc.ActionError) as error:
        client.call("t.g", a=1)
    assert (error.value.status, error.value.detail) == (502, "<html>")
    with pytest.raises(TypeError):
        daemon.spec = {"t.f": ["a"]}
        client.call("t.f", 1, a=2)


def test_walkers_and_operations(client, daemon):
    daemon.answers["/js/walker_run"] = echo
    daemon.answers["/js_admin/config_get"] = echo
    daemon.answers["/js_admin/config_set"] = lambda _: (403, b'{"detail": "no"}')
    assert client.walker_run("w", {"a": 1}, nd="n") == {"name": "w", "ctx": {"a": 1}, "nd": "n"}
    assert client.op("config_get", name="X") == {"name": "X"}
    with pytest.raises(OpError) as error:
        client.op("config_set", name="X")
    assert (error.value.status, error.value.detail) == (403, "no")


def test_an_operation_that_fails_with_200_is_an_error(client, daemon):
    daemon.headers["X-Jsorc-Error"] = "1"
    daemon.answers["/js_admin/x"] = lambda _: (200, b'{"response": "why", "success": false}')
    with pytest.raises(OpError) as error:
        client.op("x")
    assert str(error.value) == "x: why"


def test_a_token_is_sent_once_there_is_one(client, daemon):
    daemon.answers["/user/token/"] = lambda _: (200, b'{"token": "abc"}')
    daemon.answers["t.f"] = echo
    client.call("t.f")
    assert client.login("a@b", "secret") == "abc"
    client.call("t.f")
    assert daemon.tokens == [None, None, "Token abc"]


def test_a_connection_that_the_server_closed_is_replaced(client, daemon):
    daemon.answers["t.f"] = echo
    daemon.headers["Connection"] = "close"
    assert client.call("t.f", a=1) == {"a": 1} and client.call("t.f", a=2) == {"a": 2}
    assert daemon.connections == 2


@pytest.mark.parametrize("env, url", [
    ({"JSORC_URL": "http://h:1"}, "http://h:1"), ({"JSORC_STATE": "/s"}, "unix:/s/run/jsorc.sock"),
    ({"XDG_STATE_HOME": "/x"}, "unix:/x/jsorc/run/jsorc.sock"),
])
def test_where_the_daemon_is_by_default(monkeypatch, env, url):
    for name in ("JSORC_URL", "JSORC_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert default_url() == url


def test_a_url_that_is_none_is_refused():
    with pytest.raises(ValueError):
        jsorc.Client("ftp://h")
