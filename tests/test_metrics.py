"""GET /metrics, judged by Prometheus' own tools."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
from metrics import read_metrics
from placement import move
from programs import ROOT, free_port, wait_until

FLOW = """
import jsorc

@jsorc.walker
def tidy(count=1):
    for _ in range(count):
        jsorc.call("text.upper", "b")

@jsorc.walker
def fail():
    raise ValueError("as it should")
"""


@pytest.fixture
def flow(serve, text, write):
    return serve(text, write("flow.py", FLOW))


def walk(daemon, walker, **ctx):
    assert daemon.post(f"/walkers/{walker}", {"ctx": ctx}).status == 200


def test_promtool_finds_nothing_to_complain_of(flow):
    flow.call("text.upper", text="a")
    walk(flow, "tidy")
    move(flow, "text", "remote")
    reply = flow.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run(["promtool", "check", "metrics"], input=reply.body,
                             capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_every_documented_metric_is_there(flow):
    table = re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert len(table) > 40
    assert read_metrics(flow).families() == set(table)


def test_calls_count_by_action_place_and_walker(flow):
    move(flow, "text", "module")
    assert flow.call("text.upper", text="abc").json() == "ABC"
    walk(flow, "tidy", count=5)
    move(flow, "text", "remote")
    walk(flow, "tidy", count=3)
    flow.expect_log("ValueError")
    walk(flow, "fail")
    assert flow.call("text.nothing").status == 404
    metrics = read_metrics(flow)
    calls, upper = "jsorc_action_calls_total", {"action": "text.upper"}
    assert metrics(calls, place="module", walker="", **upper) == 1
    assert metrics(calls, place="module", walker="tidy", **upper) == 5
    assert metrics(calls, place="remote", walker="tidy", **upper) == 3
    assert metrics(calls, **upper) == 9
    name = "jsorc_action_duration_seconds"
    assert metrics(name + "_count", **upper) == 9
    assert metrics(name + "_bucket", le="+Inf", **upper) == 9
    seen = metrics(name + "_sum", place="remote", **upper)
    executed = metrics("jsorc_action_execution_seconds_total", place="remote", **upper)
    assert 0 < executed < seen, "what is left is the hop"
    assert metrics("jsorc_action_executions_total", **upper) == 9
    body = len(json.dumps({"text": "abc"}))
    assert metrics("jsorc_action_request_bytes_total", place="module", **upper) == body
    assert metrics("jsorc_action_response_bytes_total", place="module", **upper) == len('"ABC"')
    assert metrics("jsorc_action_calls_in_flight") == 0
    assert metrics("jsorc_walker_runs_total", walker="tidy") == 2
    assert metrics("jsorc_walker_errors_total", walker="tidy") == 0
    assert metrics("jsorc_walker_errors_total", walker="fail") == 1
    assert metrics("jsorc_call_failures_total", type="UnknownAction") == 1
    assert metrics("jsorc_http_requests_total", kind="action", code="404") == 1
    assert metrics("jsorc_http_requests_total", kind="action", code="200") == 1 + 3
    assert metrics("jsorc_http_requests_total", kind="walker") == 3
    assert metrics("jsorc_http_request_duration_seconds_count", kind="walker") == 3


def test_what_was_refused_counts_as_failed(flow):
    assert flow.call("text.upper", text="abc").status == 200
    assert flow.call("text.upper").status == 422
    metrics, upper = read_metrics(flow), {"action": "text.upper"}
    assert metrics("jsorc_action_calls_total", **upper) == 2
    assert metrics("jsorc_action_errors_total", **upper) == 1
    assert metrics("jsorc_action_duration_seconds_count", **upper) == 1


def test_places_moves_and_memory_are_told(flow):
    move(flow, "text", "module")
    first = read_metrics(flow)
    assert first("jsorc_action_place", action="text.upper", module="text", place="module") == 1
    assert first("jsorc_module_ready", module="text", place="module") == 1
    move(flow, "text", "remote")
    metrics = read_metrics(flow)
    assert metrics("jsorc_action_place", action="text.upper", place="module") is None
    assert metrics("jsorc_action_place", action="text.upper", place="remote") == 1
    moved = metrics("jsorc_moves_total") - first("jsorc_moves_total")
    assert moved == 1
    assert metrics("jsorc_moves_total", **{"from": "module", "to": "remote"}) >= 1
    assert metrics("jsorc_move_duration_seconds_count") == metrics("jsorc_moves_total")
    assert metrics("jsorc_worker_starts_total", role="pod") >= 1
    assert metrics("jsorc_worker_start_failures_total") == 0
    assert metrics("jsorc_module_start_seconds", module="text", place="remote") > 0
    wait_until(lambda: read_metrics(flow)("jsorc_worker_memory_bytes", role="pod") > 1e6)
    assert metrics("jsorc_control_turn_duration_seconds_count") > 0
    assert 0 <= metrics("jsorc_control_turn_age_seconds") < 2
    assert metrics("process_open_fds") > 5
    assert 1e6 < metrics("process_resident_memory_bytes") < 1e9


def test_what_the_policy_does_is_told(flow):
    assert read_metrics(flow)("jsorc_policy_step") is None
    assert flow.op("jsorc_actionpolicy_set", policy_name="adaptive")["success"] is True
    metrics = read_metrics(flow)
    assert metrics("jsorc_policy_step", policy="adaptive") == 1
    assert metrics("jsorc_policy_phases_total") == 0
    assert metrics("jsorc_policy_step_age_seconds") < 60


def test_only_a_worker_is_believed_which_walker_calls(flow):
    move(flow, "text", "remote")
    flow.post("/actions/text.upper", {"text": "a"}, headers={"X-Jsorc-Walker": "tidy"})
    assert read_metrics(flow)("jsorc_action_calls_total", walker="tidy") is None


def test_they_come_in_time_however_often_they_are_asked_for(flow):
    """Who asks does not put off the answer to those who asked before: of a worker, too, that
    does not answer."""
    move(flow, "text", "remote")
    pod = next(row["pid"] for row in flow.op("jsorc_status")["workers"] if row["role"] == "pod")
    took = []

    def ask():
        began = time.monotonic()
        assert flow.get("/metrics").status == 200
        took.append(time.monotonic() - began)

    askers = [threading.Thread(target=ask) for _ in range(16)]
    os.kill(pod, signal.SIGSTOP)
    for asker in askers:
        asker.start()
        time.sleep(0.3)
    os.kill(pod, signal.SIGCONT)
    for asker in askers:
        asker.join()
    assert len(took) == len(askers)
    assert 0.9 < max(took) < 3.5, "the worker is asked, for a second at most"


def test_who_may_read_them(serve, text):
    daemon = serve(text, options=["--open-actions", "no"])
    assert daemon.get("/metrics").status == 401
    account = {"email": "boss@example.org", "password": "correct horse battery"}
    connection = daemon.connect_local()
    assert daemon.get("/metrics", connection=connection).status == 200
    connection.close()
    assert daemon.post("/user/create/", account).status in (200, 201)
    token = daemon.post("/user/token/", account).json()["token"]
    assert daemon.get("/metrics", token=token).status == 200
    account["email"] = "guest@example.org"
    assert daemon.post("/user/create/", account).status in (200, 201)
    token = daemon.post("/user/token/", account).json()["token"]
    assert daemon.get("/metrics", token=token).status == 403


def test_a_page_of_elsewhere_may_not_read_them(flow):
    assert flow.get("/metrics").status == 200
    assert flow.get("/metrics", headers={"Origin": "https://elsewhere.example"}).status == 401
    assert flow.get("/metrics", headers={"Host": "elsewhere.example"}).status == 401


# ---- a real Prometheus

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: jsorc
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture
def prometheus(flow, tmp_path):
    """ask(query) -> the result's samples, of a Prometheus that scrapes the daemon."""
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(port=flow.port))
    with (tmp_path / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def ask(query):
        url = f"http://127.0.0.1:{port}/api/v1/query?query=" + urllib.parse.quote(query)
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return json.load(reply)["data"]["result"]
        except OSError:
            return []

    yield ask
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0


def test_prometheus_scrapes_them(flow, prometheus):
    for _ in range(7):
        flow.call("text.upper", text="a")
    query = 'sum(jsorc_action_calls_total{action="text.upper"})'
    sample, = wait_until(lambda: [found for found in prometheus(query)
                                  if found["value"][1] == "7"], 20)
    assert sample["metric"] == {}
    up, = prometheus("up")
    assert up["value"][1] == "1"
    quantile = 'histogram_quantile(0.5, jsorc_action_duration_seconds_bucket)'
    middle, = prometheus(quantile)
    assert 0 < float(middle["value"][1]) < 1


def test_measuring_can_be_turned_off(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW), options=["--measure=false"])
    daemon.call("text.upper", text="a")
    walk(daemon, "tidy")
    metrics = read_metrics(daemon)
    assert metrics("jsorc_action_calls_total") is None
    assert metrics("jsorc_walker_runs_total") is None
    assert metrics("jsorc_http_requests_total") is None
