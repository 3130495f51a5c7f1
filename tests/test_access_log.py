"""The access log, and the id that follows a request from its client to a worker's messages."""

import json
import re
import signal
import socket

import pytest
from metrics import read_metrics
from placement import move
from programs import wait_until

FLOW = """
import jsorc

@jsorc.walker
def tidy():
    jsorc.report([jsorc.call("text.upper", "b"), jsorc.context().request_id])

@jsorc.action
def fail():
    raise ValueError("as it should")

@jsorc.walker
def stumble(custom=False):
    if custom:
        jsorc.context().report_custom = "fine"
    raise ValueError("as it should")

@jsorc.action
def whose():
    return jsorc.context().request_id

@jsorc.walker
async def later():
    jsorc.report(await jsorc.call_async("far.whose"))
"""


@pytest.fixture
def flow(serve, text, write, tmp_path):
    daemon = serve(text, write("flow.py", FLOW), options=["--access-log", "access.log"])
    daemon.access_log = tmp_path / "access.log"
    for folder in tmp_path.rglob("access.log"):
        daemon.access_log = folder
    return daemon


def lines(daemon, name="access.log"):
    path = daemon.access_log.with_name(name)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def line_of(daemon, request_id, name="access.log", **wanted):
    """The line with that id, once it is there."""
    def find():
        return [line for line in lines(daemon, name) if line.get("request_id") == request_id
                and wanted.items() <= line.items()]
    found, = wait_until(find, what=f"a line for {request_id}")
    return found


def test_a_call_is_a_line(flow):
    move(flow, "text", "remote")
    reply = flow.call("text.upper", text="abc")
    made = reply.headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", made)
    line = line_of(flow, made)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", line.pop("ts"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+", line.pop("remote"))
    duration, executed = line.pop("duration_ms"), line.pop("exec_ms")
    assert 0 <= executed < duration < 10000
    assert line == {"request_id": made, "method": "POST", "path": "/actions/text.upper",
                    "status": 200, "bytes_in": 15, "bytes_out": 5, "kind": "action",
                    "name": "text.upper", "place": "remote"}
    assert flow.call("text.upper", text="abc").headers["X-Request-Id"] != made


def test_a_clients_id_is_kept_and_goes_with_the_calls(flow):
    move(flow, "text", "remote")
    reply = flow.post("/walkers/tidy", {"ctx": {}}, headers={"X-Request-Id": "order-7.b"})
    assert reply.headers["X-Request-Id"] == "order-7.b"
    assert reply.json()["report"] == [["B", "order-7.b"]]
    line = line_of(flow, "order-7.b", kind="walker")
    assert (line["walker"], line["place"]) == ("tidy", "module")
    inner = line_of(flow, "order-7.b", kind="action")
    assert (inner["name"], inner["walker"]) == ("text.upper", "tidy")
    assert inner["remote"] == "unix"


def test_async_code_tells_the_id_on(flow, write):
    flow.op("actions_load_local", file=str(write("far.py", FLOW.split("@jsorc.walker")[0] + """
@jsorc.action
def whose():
    return jsorc.context().request_id
""")))
    move(flow, "far", "remote")
    reply = flow.post("/walkers/later", {"ctx": {}}, headers={"X-Request-Id": "late-1"})
    assert reply.json()["report"] == ["late-1"]
    assert line_of(flow, "late-1", kind="action")["walker"] == "later"


def test_an_id_that_could_do_harm_is_replaced(flow):
    for bad in ("a b", "x" * 65, 'a"b', "ä".encode().decode("latin-1")):
        reply = flow.post("/actions/text.upper", {"text": "a"}, headers={"X-Request-Id": bad})
        assert re.fullmatch("[0-9a-f]{16}", reply.headers["X-Request-Id"]), bad


def test_a_workers_message_names_the_request(flow):
    flow.expect_log("ValueError|raised")
    reply = flow.post("/actions/flow.fail", {}, headers={"X-Request-Id": "bad-day"})
    assert reply.status == 500
    wait_until(lambda: "flow.fail raised ValueError (request bad-day)"
               in flow.worker_log("runtime"))


def test_a_failure_is_marked_though_its_status_is_good(flow):
    flow.expect_log("ValueError")
    failed = flow.post("/walkers/stumble", {"ctx": {}}, headers={"X-Request-Id": "w-1"})
    assert (failed.status, failed.json()["success"]) == (200, False)
    line = line_of(flow, "w-1")
    assert (line["status"], line["success"], line["walker"]) == (200, False, "stumble")
    flow.post("/walkers/nobody", {"ctx": {}}, headers={"X-Request-Id": "w-2"})
    assert line_of(flow, "w-2")["success"] is False
    flow.post("/walkers/stumble", {"ctx": {"custom": True}}, headers={"X-Request-Id": "w-3"})
    assert line_of(flow, "w-3")["success"] is False, "whatever the walker made of its answer"
    flow.post("/actions/flow.fail", {}, headers={"X-Request-Id": "a-1"})
    assert line_of(flow, "a-1")["success"] is False
    connection = flow.connect_local()
    flow.post("/js_admin/config_get", {}, connection=connection, headers={"X-Request-Id": "o-1"})
    connection.close()
    assert line_of(flow, "o-1")["success"] is False
    well = flow.post("/walkers/tidy", {"ctx": {}}, headers={"X-Request-Id": "w-4"})
    assert well.json()["success"] is True
    assert "success" not in line_of(flow, "w-4", kind="walker")


def test_operations_and_refusals_are_lines_too(flow):
    account = {"email": "boss@example.org", "password": "correct horse battery"}
    assert flow.post("/user/create/", account).status in (200, 201)
    token = flow.post("/user/token/", account).json()["token"]
    done = flow.post("/js_admin/jsorc_status", {}, token=token)
    line = line_of(flow, done.headers["X-Request-Id"])
    assert (line["kind"], line["name"], line["status"]) == ("api", "jsorc_status", 200)
    assert line["user"] >= 1
    refused = flow.post("/js_admin/jsorc_status", {})
    assert line_of(flow, refused.headers["X-Request-Id"])["status"] == 401
    nothing = flow.call("text.nothing")
    assert line_of(flow, nothing.headers["X-Request-Id"])["status"] == 404
    asked = flow.get("/nowhere?secret=1")
    assert line_of(flow, asked.headers["X-Request-Id"])["path"] == "/nowhere"
    assert "secret" not in flow.access_log.read_text()


def test_what_is_no_request_is_a_line_that_tells_nothing_of_the_one_before(flow):
    with socket.create_connection(("127.0.0.1", flow.port), 10) as client:
        client.sendall(b"POST /actions/text.upper HTTP/1.1\r\nHost: localhost\r\n"
                       b"X-Request-Id: before\r\nContent-Length: 13\r\n\r\n{\"text\": \"a\"}")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"this is no request\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert line_of(flow, "before")["name"] == "text.upper"
    bad, = wait_until(lambda: [line for line in lines(flow) if line["status"] == 400])
    assert bad["duration_ms"] < 30e3
    assert set(bad) == {"ts", "status", "duration_ms", "bytes_in", "bytes_out", "kind", "remote"}
    assert read_metrics(flow)("jsorc_http_requests_total", kind="other", code="400") == 1


def test_a_rotated_file_is_begun_anew(flow):
    first = flow.call("text.upper", text="a").headers["X-Request-Id"]
    line_of(flow, first)
    flow.access_log.rename(flow.access_log.with_name("access.log.1"))
    second = flow.call("text.upper", text="a").headers["X-Request-Id"]
    line_of(flow, second)
    assert line_of(flow, first, "access.log.1")
    flow.access_log.unlink()
    flow.process.send_signal(signal.SIGHUP)  # of the supervisor, which passes it on
    third = flow.call("text.upper", text="a").headers["X-Request-Id"]
    line_of(flow, third)
    assert flow.process.poll() is None
    assert read_metrics(flow)("jsorc_access_log_lines_dropped_total") == 0


def test_what_was_answered_is_in_the_file_when_the_daemon_has_ended(flow):
    made = [flow.call("text.upper", text="a").headers["X-Request-Id"] for _ in range(50)]
    assert flow.stop() == 0
    assert set(made) <= {line["request_id"] for line in lines(flow)}


def test_a_file_that_cannot_be_opened_is_told(serve, text):
    daemon = serve(text, options=["--access-log", "/nowhere/access.log"], start=False)
    daemon.expect_log("access log")
    daemon.start(wait=False)
    assert daemon.process.wait(30) != 0
    assert "cannot open the access log '/nowhere/access.log'" in daemon.log_text()
