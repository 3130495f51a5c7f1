"""What every operation of the API has in common (section 1 of the contract): paths, methods,
bodies, logins, answers, errors and the record of calls. Those of configs serve as the example."""

import json
import os
import socket

import pytest
from programs import wait_until

pytestmark = pytest.mark.sanitize

NO_LOGIN = {"detail": "Authentication credentials were not provided."}
BAD_TOKEN = {"detail": "Invalid token."}
NO_STAFF = {"detail": "You do not have permission to perform this action."}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def daemon(serve):
    return serve()


@pytest.fixture
def tokens(daemon):
    """(of the superuser, of a plain account)"""
    found = []
    for email in ("admin@example.org", "plain@example.org"):
        login = {"email": email, "password": "correct horse"}
        assert daemon.post("/user/create/", login).status == 201
        found.append(daemon.post("/user/token/", login).json()["token"])
    return found


def local(daemon, method, path, body=None, **options):
    """A request over the daemon's own socket: staff without a token."""
    connection = daemon.connect_local()
    try:
        return daemon.request(method, path, body, connection=connection, **options)
    finally:
        connection.close()


def multipart(*parts):
    """(body, headers); a part is (name, content) or (name, content, file name, content type)."""
    lines = b""
    for name, content, *file in parts:
        lines += b'--cut\r\nContent-Disposition: form-data; name="%s"' % name.encode()
        if file and file[0] is not None:
            lines += b'; filename="%s"' % file[0].encode()
        if len(file) > 1:
            lines += b"\r\nContent-Type: %s" % file[1].encode()
        lines += b"\r\n\r\n%s\r\n" % content
    return lines + b"--cut--\r\n", {"Content-Type": "multipart/form-data; boundary=cut"}


def set_config(daemon, body, **options):
    """config_set as the local administrator; returns the Reply."""
    return local(daemon, "POST", "/js_admin/config_set", body, **options)


def is_envelope(reply, text):
    assert reply.headers["X-Jsorc-Error"] == "1"
    assert reply.json() == {"response": text, "success": False, "errors": [text],
                            "stack_trace": []}
    return True


# ---- 1.1 paths


def test_an_admin_operation_has_four_paths_with_one_meaning(daemon, tokens):
    admin, plain = tokens
    for path in ("/js_admin/config_index", "/js_admin/config_index/", "/config_index",
                 "/config_index/"):
        names = daemon.post(path, token=admin)
        assert names.status == 200 and "REDIS_CONFIG" in names.json()
        assert daemon.post(path, token=plain).status == 403
        assert daemon.post(path).status == 401


def test_an_operation_is_under_one_prefix_only(daemon, tokens):
    for path in ("/js/config_get", "/js_public/config_get", "/js_admin/health", "/js/health",
                 "/health", "/js_admin/nothing", "/js_admin/config_get/x", "/js_admin//config_get",
                 "/nothing", "/js_admin/", "/js_admin/config_get%00", "/%2e%2e/config_get"):
        reply = daemon.post(path, {"name": "REDIS_CONFIG"}, token=tokens[0])
        assert (reply.status, reply.json()["detail"]) == (404, "Not found."), path


def test_not_found_says_where_the_operation_is(daemon):
    assert daemon.post("/js/config_get").json()["hint"] == "config_get is at /js_admin/config_get"
    assert "/openapi.json" in daemon.post("/js/nothing").json()["hint"]


def test_a_slash_is_accepted_under_every_prefix(daemon, tokens):
    assert daemon.get("/js_public/health/").json() is True
    assert daemon.post("/js/user_deleteself/", token=tokens[1]).json() == {"success": True}


# ---- 1.2 methods


def test_operations_take_post_only(daemon, tokens):
    for method in ("GET", "PUT", "PATCH", "DELETE", "TRACE"):
        reply = daemon.request(method, "/js_admin/config_get", token=tokens[0])
        assert reply.status == 405 and reply.headers["Allow"] == "POST"
        assert reply.json() == {"detail": f'Method "{method}" not allowed.'}


def test_health_takes_get_only(daemon):
    assert daemon.get("/js_public/health").json() is True
    head = daemon.request("HEAD", "/js_public/health")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == "4"
    reply = daemon.post("/js_public/health")
    assert reply.status == 405 and reply.headers["Allow"] == "GET"


def test_actions_and_walkers_take_post_only(daemon):
    for path in ("/actions/text.split", "/js/walker_run", "/js/wapi/intake", "/walkers/intake"):
        reply = daemon.get(path)
        assert reply.status == 405 and reply.headers["Allow"] == "POST"
        assert reply.json() == {"detail": 'Method "GET" not allowed.'}


# ---- 1.3 request body


VALUES = {"name": "CONFIG_EXAMPLE", "value": "text"}
STORED = ["Config of 'CONFIG_EXAMPLE' to 'text' set!"]


def test_a_body_is_json_or_a_form(daemon):
    for body, headers in (
        (VALUES, {}),
        (json.dumps(VALUES).encode(), {"Content-Type": "application/json; charset=utf-8"}),
        (b"name=CONFIG_EXAMPLE&value=text", {"Content-Type": FORM}),
        (b"name=CONFIG%5fEXAMPLE&value=te%78t", {"Content-Type": FORM + "; charset=utf-8"}),
        multipart(("name", b"CONFIG_EXAMPLE"), ("value", b"text")),
        (json.dumps(VALUES).encode(), {"Content-Type": FORM}),  # as "curl -d" sends it
    ):
        assert set_config(daemon, body, headers=headers).json() == STORED
        assert daemon.op("config_get", name="CONFIG_EXAMPLE") == "text"


def test_keys_that_are_no_parameters_are_ignored(daemon):
    assert set_config(daemon, {**VALUES, "op": "config_set", "x": [1]}).json() == STORED


def test_the_query_goes_over_the_body(daemon):
    reply = local(daemon, "POST", "/js_admin/config_set?value=text&x=1",
                  {"name": "CONFIG_EXAMPLE", "value": "other"})
    assert reply.json() == STORED
    reply = local(daemon, "POST", "/js_admin/config_set?name=CONFIG_EXAMPLE&value=%C3%A9+%2B")
    assert reply.json() == ["Config of 'CONFIG_EXAMPLE' to 'é +' set!"]


def test_booleans_may_be_text(daemon):
    for yes in (True, "true", "True", "TRUE"):
        refusal = daemon.op("config_get", name="X", do_check=yes)
        assert refusal[0].startswith("Config X not recognized")
    for no in (False, "false", "False"):
        assert daemon.op("config_get", name="X", do_check=no) is None


def test_another_type_is_refused_by_the_parameters_name(daemon):
    for parameters, text in (
        ({"do_check": "yes"}, "parameter 'do_check' must be true or false, not this text"),
        ({"do_check": 1}, "parameter 'do_check' must be true or false, not int"),
        ({"name": 5}, "parameter 'name' must be text, not int"),
        ({"name": ["A"]}, "parameter 'name' must be text, not array"),
        ({"name": "a\0b"}, "parameter 'name' must not contain a zero character"),
    ):
        reply = local(daemon, "POST", "/js_admin/config_get", {"name": "X", **parameters})
        assert reply.status == 400 and is_envelope(reply, text)


def test_numbers_may_be_text(daemon, tokens):
    def count(**parameters):
        return len(daemon.op("master_allusers", **parameters)["data"])

    assert count() == count(limit=0) == 2
    assert count(limit=1) == count(limit="1") == count(limit=1.0) == 1
    for wrong in ("one", "", "1.5", 1.5, 2**64, "9" * 30, [1], {}):
        reply = local(daemon, "POST", "/master_allusers", {"limit": wrong})
        assert reply.status == 400 and "parameter 'limit' must be a whole number" in \
            reply.json()["response"]


def test_objects_may_be_json_text(daemon):
    def create(fields):
        return local(daemon, "POST", "/js_public/user_create",
                     {"name": "a@example.org", "password": "correct horse",
                      "other_fields": fields})

    for wrong in ("{", "[]", "null", "5", [], 5):
        reply = create(wrong)
        assert reply.status == 400
        assert reply.json()["response"].startswith("parameter 'other_fields' must be an object")
    assert create("").json()["success"] is True  # "" stands for {}


def test_malformed_bodies_are_refused(daemon):
    def detail(body, **headers):
        reply = set_config(daemon, body, headers=headers)
        return reply.status, reply.json()["detail"]

    json_type = {"Content-Type": "application/json"}
    for body in (b"{", b'{"a": 1', b"{} x", b"[1]", b"5", b"null", b'"text"', b"[1",
                 b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\xff"}', b"\0", b"{\"a\" 1}"):
        status, text = detail(body, **json_type)
        assert status == 400 and text.startswith("JSON parse error - "), (body, text)
    assert detail(b"x", **{"Content-Type": "text/plain; x=y"}) == \
        (415, 'Unsupported media type "text/plain; x=y" in request.')
    assert detail(b"a=%ff", **{"Content-Type": FORM})[0] == 400
    body, headers = multipart(("name", b"X"))
    assert detail(body[:-8], **headers) == \
        (400, "multipart body: it is cut: the closing boundary is missing")
    assert detail(body, **{"Content-Type": "multipart/form-data"})[0] == 400
    assert daemon.get("/js_public/health").json() is True


def test_nesting_is_bounded(daemon):
    for depth, status in ((50, 200), (64, 400), (100_000, 400)):
        body = b'{"name": "X", "x": ' + b"[" * depth + b"]" * depth + b"}"
        assert set_config(daemon, body).status == status


def test_a_body_over_the_limit_is_refused(serve):
    daemon = serve(options=["--body-bytes-max", "10000"])
    assert set_config(daemon, {**VALUES, "x": "y" * 9000}).json() == STORED
    assert set_config(daemon, {**VALUES, "x": "y" * 10000}).status == 413
    assert daemon.get("/js_public/health").json() is True


def test_a_client_that_hangs_up_leaves_nothing_behind(daemon):
    for data in (b"POST /js_admin/config_set HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
                 b"POST /js_admin/config_ind", b"\x16\x03\x01\x02\x00",
                 b"POST /user/token/ HTTP/1.1\r\nHost: x\r\nContent-Length: 52\r\n\r\n"
                 b'{"email": "a@example.org", "password": "long enough"}'):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as peer:
            peer.sendall(data)
    assert daemon.get("/js_public/health").json() is True


# ---- 1.4 logins


def test_a_token_is_accepted_whatever_the_case_of_the_word(daemon, tokens):
    for word in ("Token", "token", "TOKEN"):
        headers = {"Authorization": f"{word} {tokens[0]}"}
        assert daemon.post("/config_index", headers=headers).status == 200


def test_who_may_not_is_told_why(daemon, tokens):
    def ask(authorization, path="/js_admin/config_index"):
        headers = {"Authorization": authorization} if authorization else {}
        reply = daemon.post(path, headers=headers)
        return reply.status, reply.json(), reply.headers["WWW-Authenticate"]

    assert ask(None) == (401, NO_LOGIN, "Token")
    assert ask(None, "/js/walker_run") == (401, NO_LOGIN, "Token")
    assert ask(f"Bearer {tokens[0]}") == (401, NO_LOGIN, "Token")
    assert ask("Basic YTpi") == (401, NO_LOGIN, "Token")
    assert ask("Token " + "0" * 64) == (401, BAD_TOKEN, "Token")
    assert ask(f"Token {tokens[0]}x") == (401, BAD_TOKEN, "Token")
    assert ask(f"Token {tokens[1]}") == (403, NO_STAFF, None)


def test_an_old_token_does_not_close_what_is_open(daemon):
    assert daemon.get("/js_public/health", token="0" * 64).json() is True


def test_the_daemons_own_socket_needs_no_login(daemon, tokens):
    assert local(daemon, "POST", "/config_index").status == 200
    assert local(daemon, "POST", "/config_index", token=tokens[1]).status == 403
    assert local(daemon, "POST", "/config_index", token="0" * 64).status == 401


def test_every_origin_may_read_answers(daemon):
    for path in ("/js_public/health", "/js_admin/config_index", "/nothing", "/openapi.json"):
        reply = daemon.get(path, headers={"Origin": "https://example.org"})
        assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_a_preflight_is_answered(daemon):
    for path in ("/js_admin/config_get", "/js/walker_run", "/actions/a.b", "/user/token/"):
        reply = daemon.request("OPTIONS", path, headers={
            "Origin": "https://example.org", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization"})
        assert reply.status == 200 and reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        assert "authorization" in reply.headers["Access-Control-Allow-Headers"]


def test_any_host_header_will_do(daemon):
    assert daemon.get("/js_public/health", headers={"Host": "jsorc.example.org"}).json() is True


# ---- 1.5 answers


def test_what_an_operation_returns_is_the_body(daemon):
    def answer(operation, **parameters):
        reply = local(daemon, "POST", f"/js_admin/{operation}", parameters)
        assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
        assert "X-Jsorc-Error" not in reply.headers
        return reply.body

    assert answer("config_exists", name="CONFIG_EXAMPLE") == b"false"
    assert answer("config_get", name="CONFIG_EXAMPLE") == b"null"
    set_config(daemon, {"name": "CONFIG_EXAMPLE", "value": {"a": [1, 2]}})
    text = json.loads(answer("config_get", name="CONFIG_EXAMPLE"))
    assert json.loads(text) == {"a": [1, 2]}  # a JSON string: clients decode twice
    set_config(daemon, {"name": "CONFIG_EXAMPLE", "value": "é€"})
    assert answer("config_get", name="CONFIG_EXAMPLE") == '"é€"'.encode()
    assert answer("config_list") == b'["CONFIG_EXAMPLE"]'


def test_a_result_may_choose_the_status(daemon):
    reply = daemon.post("/js_public/user_create", {"name": "none", "password": "short"})
    assert reply.status == 400 and reply.json()["status_code"] == 400


def test_a_browser_gets_json_too(daemon):
    reply = daemon.get("/js_public/health", headers={"Accept": "text/html,*/*;q=0.8"})
    assert reply.body == b"true" and reply.headers["Content-Type"] == "application/json"


# ---- 1.6 errors


def test_a_missing_parameter_is_an_envelope_that_echoes_nothing(daemon, tokens):
    reply = daemon.post("/js_admin/config_get", {"x": "secret"}, token=tokens[0])
    assert reply.status == 200 and is_envelope(reply, "missing parameter: name")
    assert tokens[0] not in reply.body.decode()
    reply = local(daemon, "POST", "/js_admin/config_get", {"name": None})
    assert is_envelope(reply, "missing parameter: name")
    # null instead of a default that is something is an error in the original, too
    reply = local(daemon, "POST", "/js_admin/config_get", {"name": "X", "do_check": None})
    assert is_envelope(reply, "missing parameter: do_check")


def test_an_operation_that_fails_answers_200_with_an_envelope(daemon):
    reply = local(daemon, "POST", "/js_admin/config_delete", {"name": "CONFIG_EXAMPLE"})
    assert reply.status == 200 and reply.headers["X-Jsorc-Error"] == "1"
    body = reply.json()
    assert body["success"] is False and body["errors"] == [body["response"]]
    assert body["stack_trace"] == []


# ---- 1.7 the record of calls


def test_each_call_leaves_two_lines_without_secrets(daemon, tokens):
    def lines(name):
        records = [json.loads(line) for line in daemon.worker_log("api").splitlines()]
        return [record for record in records if record["api_name"] == name]

    secrets = {"name": "MAIL_CONFIG", "value": json.dumps({"host": "h", "pass": "hunter2"})}
    daemon.post("/js_admin/config_set", secrets, token=tokens[0],
                headers={"User-Agent": "probe/1"})
    begin, end = wait_until(lambda: lines("config_set") if len(lines("config_set")) == 2 else None)
    assert begin["message"].startswith("Incoming call from admin@example.org:urn:uuid:")
    assert begin["message"].endswith(" via probe/1") and " to config_set with {" in begin["message"]
    assert begin["caller_name"] == "admin@example.org" and begin["request_user_agent"] == "probe/1"
    assert json.loads(begin["request_payload"])["name"] == "MAIL_CONFIG"
    assert end["message"].startswith("API call from admin@example.org:")
    assert 0 < end["request_latency"] < 10 and end["success"] is True
    text = daemon.worker_log("api")
    assert "hunter2" not in text and "correct horse" not in text
    assert not any(token in text for token in tokens)


def test_a_name_made_to_point_here_opens_no_actions(daemon):
    """DNS rebinding: whoever owns example.org can let such names resolve to 127.0.0.1."""
    for host in (f"127.0.0.1:{daemon.port}", "localhost"):
        assert daemon.post("/actions/no.such", {}, headers={"Host": host}).status == 404
    for host in ("example.org", "localhost.example.org", f"127.example.org:{daemon.port}"):
        assert daemon.post("/actions/no.such", {}, headers={"Host": host}).status == 401


def test_the_daemons_own_logs_are_bounded_while_it_runs(daemon):
    logs = [daemon.state / "logs" / name for name in ("api.log", "daemon.log")]
    for log in logs:
        os.truncate(log, 20 * 1024 * 1024)
    wait_until(lambda: all(log.stat().st_size < 1024 * 1024 for log in logs), 15, "short logs")
    daemon.op("config_index")
    assert "config_index" in logs[0].read_text()
