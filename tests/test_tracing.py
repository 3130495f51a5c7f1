"""Traces, decoded as a collector does: by OpenTelemetry's own protocol buffers."""

import base64
import http.server
import json
import re
import threading

import pytest
from google.protobuf import json_format
from metrics import read_metrics
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from placement import move
from programs import wait_until

FLOW = """
import jsorc

@jsorc.walker
def tidy():
    jsorc.report([jsorc.call("text.upper", "b"), jsorc.context().headers.get("tracestate")])

@jsorc.walker
def stumble():
    raise ValueError("as it should")

@jsorc.action
def header(name: str):
    return jsorc.context().headers.get(name)
"""
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, CLIENT, INTERNAL = 2, 3, 1
ERROR = 2


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True
    status = 200

    def __init__(self):
        self.requests = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        """Of all that arrived: (span, resource's attributes)."""
        return [span for request in self.requests for resource in request.resource_spans
                for scope in resource.scope_spans for span in scope.spans]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/json"
            self.server.requests.append(decoded(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def decoded(body):
    """OTLP's JSON is that of protocol buffers, but for ids in hexadecimal instead of base64."""
    def to_base64(value):
        if isinstance(value, list):
            return [to_base64(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: base64.b64encode(bytes.fromhex(item)).decode()
                if key in ("traceId", "spanId", "parentSpanId") else to_base64(item)
                for key, item in value.items()}
    return json_format.ParseDict(to_base64(json.loads(body)), ExportTraceServiceRequest())


def attributes(span):
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


@pytest.fixture
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def flow(collector, serve, text, write):
    daemon = serve(text, write("flow.py", FLOW), options=["--otlp-url", collector.url])
    move(daemon, "text", "remote")
    return daemon


def spans_of(collector, trace_id, count):
    def find():
        found = [span for span in collector.spans() if span.trace_id.hex() == trace_id]
        return found if len(found) >= count else None
    found = wait_until(find, what=f"{count} spans of {trace_id}")
    assert len(found) == count
    return found


def named(spans, name):
    found, = (span for span in spans if span.name == name)
    return found


def test_a_walkers_trace_leads_from_its_client_to_the_nested_action(flow, collector):
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1",
               "X-Request-Id": "order-8"}
    reply = flow.post("/walkers/tidy", {"ctx": {}}, headers=headers)
    assert reply.json()["report"] == [["B", "vendor=1"]]
    spans = spans_of(collector, TRACE, 6)
    chain = [("walker tidy", SERVER), ("call tidy", CLIENT), ("run tidy", INTERNAL),
             ("action text.upper", SERVER), ("call text.upper", CLIENT),
             ("run text.upper", INTERNAL)]
    parent, outer = PARENT, None
    for name, kind in chain:
        span = named(spans, name)
        assert span.kind == kind
        assert span.parent_span_id.hex() == parent
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        if outer and kind != SERVER:  # of one request: one clock, each within the other
            assert outer.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= outer.end_time_unix_nano
        parent, outer = span.span_id.hex(), span
    walker = attributes(named(spans, "walker tidy"))
    assert walker["http.request.method"] == "POST"
    assert walker["http.response.status_code"] == 200
    assert walker["jsorc.request_id"] == "order-8"
    assert attributes(named(spans, "call text.upper"))["jsorc.place"] == "remote"
    assert attributes(named(spans, "call tidy"))["jsorc.place"] == "module"
    resource = attributes(collector.requests[0].resource_spans[0].resource)
    assert resource["service.name"] == "jsorc"


def test_a_trace_begins_here_when_the_client_has_none(flow, collector):
    told = flow.call("flow.header", name="traceparent").json()
    version, trace_id, span_id, flags = told.split("-")
    assert (version, flags) == ("00", "01")
    spans = spans_of(collector, trace_id, 3)
    assert named(spans, "action flow.header").parent_span_id == b""
    assert named(spans, "run flow.header").span_id.hex() == span_id


def test_what_the_client_does_not_sample_is_passed_on_alone(flow, collector):
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    told = flow.post("/actions/flow.header", {"name": "traceparent"}, headers=headers).json()
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-00", told)
    bad = {"traceparent": f"00-{TRACE}-{PARENT}"}
    other = flow.post("/actions/flow.header", {"name": "traceparent"}, headers=bad).json()
    assert TRACE not in other
    spans_of(collector, other.split("-")[1], 3)
    assert TRACE not in {span.trace_id.hex() for span in collector.spans()}


def test_a_failed_call_is_an_error_in_its_trace(flow, collector):
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert flow.post("/actions/text.nothing", {}, headers=headers).status == 404
    assert flow.post("/js_admin/jsorc_status", {}, headers=headers).status == 401
    spans = spans_of(collector, TRACE, 2)
    assert attributes(named(spans, "action text.nothing"))["http.response.status_code"] == 404
    assert named(spans, "api jsorc_status").status.code == 0, "a client's error is not ours"


def test_a_failed_walker_is_an_error_in_its_trace_though_it_answers_200(flow, collector):
    flow.expect_log("ValueError")
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    reply = flow.post("/walkers/stumble", {"ctx": {}}, headers=headers)
    assert (reply.status, reply.json()["success"]) == (200, False)
    spans = spans_of(collector, TRACE, 3)
    assert {span.status.code for span in spans} == {ERROR}
    assert attributes(named(spans, "walker stumble"))["http.response.status_code"] == 200


def test_what_the_collector_refuses_is_dropped_and_counted(flow, collector):
    flow.expect_log("traces are not taken")
    wait_until(lambda: read_metrics(flow)("jsorc_spans_exported_total") == len(collector.spans())
               and collector.spans())
    collector.status = 503
    before = read_metrics(flow)("jsorc_spans_dropped_total")
    for _ in range(5):
        assert flow.call("text.upper", text="a").status == 200
    wait_until(lambda: read_metrics(flow)("jsorc_spans_dropped_total") == before + 15)
    assert flow.log_text().count("traces are not taken") == 1, "told once"


def test_without_a_collector_the_header_goes_through_as_it_is(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    reply = daemon.post("/actions/flow.header", {"name": "traceparent"}, headers=headers)
    assert reply.json() == headers["traceparent"]
    assert daemon.call("flow.header", name="traceparent").json() is None


def test_a_ratio_of_0_keeps_only_what_clients_trace(collector, serve, text, write):
    daemon = serve(text, write("flow.py", FLOW),
                   options=["--otlp-url", collector.url + "/v1/traces", "--trace-ratio", "0"])
    told = daemon.call("flow.header", name="traceparent").json()
    assert told.endswith("-00")
    daemon.post("/actions/text.upper", {"text": "a"},
                headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    spans_of(collector, TRACE, 3)
    assert {span.trace_id.hex() for span in collector.spans()} == {TRACE}


def test_a_url_that_is_none_is_told(serve, text):
    daemon = serve(text, options=["--otlp-url", "collector"], start=False)
    daemon.expect_log("no collector's URL")
    daemon.start(wait=False)
    assert daemon.process.wait(30) != 0
    assert "'collector' is no collector's URL" in daemon.log_text()


@pytest.mark.sanitize
def test_native_actions_are_measured_logged_and_traced(collector, serve, native_library,
                                                       tmp_path):
    log = tmp_path / "access.log"
    daemon = serve(native_library, options=["--otlp-url", collector.url, "--access-log", log])
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "native-1"}
    body = {"action": "native.echo", "text": "x"}
    for mode in ("module", "remote"):
        move(daemon, "native", mode)
        for _ in range(20):
            assert daemon.post("/actions/native.ask", body, headers=headers).json() == ["x"]
        daemon.get("/metrics")
    daemon.post("/actions/native.say", {"text": "hello"}, headers=headers)
    wait_until(lambda: 'text="the text is hello" request_id=native-1' in
               daemon.worker_log("native"))
    asked = read_metrics(daemon)
    calls = "jsorc_action_calls_total"
    for place in ("module", "remote"):
        assert asked(calls, action="native.ask", place=place) == 20
        assert asked(calls, action="native.echo", place=place) == 20, "within the worker"
    spans_of(collector, TRACE, 3 * 41)
    wait_until(lambda: log.read_text().count('"request_id": "native-1"') == 41)
