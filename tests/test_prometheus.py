"""Prometheus and the node exporter as services: what they scrape, their pages under the daemon's
own address, and tracking through them."""

import json
import os
import signal
import socket

import pytest
from placement import crash, move
from programs import wait_until
from test_services import IMPATIENT, QUICK, WAIT_S, info, keep_alive, wait_for

NODE = socket.gethostname()
SCRAPE_S = 0.2
PASSWORD = "correct horse"


@pytest.fixture(params=[QUICK])
def watched(request, serve, text):
    """A daemon with a module, and with Prometheus and the node exporter running."""
    daemon = serve(text, options=(*request.param, "--tracksys-interval-s", "0.5"))
    daemon.expect_log("service failed|daemon ended and is started")
    keep_alive(daemon, "prome", scrape_interval=f"{int(SCRAPE_S * 1000)}ms")
    wait_for(daemon, "node_exporter")
    return daemon


def query(daemon, text, **options):
    reply = daemon.get(f"/prometheus/api/v1/query?query={text}", **options)
    assert reply.status == 200, reply.body
    return {(row["metric"].get("job"), row["metric"].get("pod")): float(row["value"][1])
            for row in reply.json()["data"]["result"]}


ALL_UP = {("jsorc", "daemon"): 1, ("prometheus", "prometheus"): 1, ("node", "node_exporter"): 1}


def wait_all_up(daemon, **options):
    wait_until(lambda: query(daemon, "up", **options) == ALL_UP, WAIT_S, "all targets")


def test_what_runs_is_scraped_and_its_pages_are_ours(watched):
    wait_all_up(watched)
    reply = watched.get("/prometheus/")
    assert reply.status in (301, 302) and reply.headers["Location"].startswith("/prometheus/")
    page = watched.get(reply.headers["Location"])
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    posted = watched.request("POST", "/prometheus/api/v1/query", b"query=up%7Bjob%3D%22jsorc%22%7D",
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert len(posted.json()["data"]["result"]) == 1
    for path in ("../status", "a/../../status", "%2E%2e/status", "a%2f..%2Fstatus", "."):
        assert watched.get(f"/prometheus/{path}").status == 400, path
    wrong = watched.get("/prometheus/api/v1/query?query=up%7B")
    assert wrong.status == 400 and wrong.json()["errorType"] == "bad_data"

    def runtime_pods():
        pods = watched.op("prometheus_pod_list")
        return [name for name in pods.get(NODE, []) if name.startswith("runtime-")]

    wait_until(runtime_pods, WAIT_S, "the runtime worker among the pods")
    names = watched.op("prometheus_metrics_list")
    assert {"jsorc_worker_cpu_seconds_total", "node_cpu_seconds_total", "up"} <= set(names)


def test_its_port_asks_for_a_password_that_only_the_daemon_has(watched):
    port = int((watched.state / "services/prome/port").read_text())
    watched_port, watched.port = watched.port, port
    try:
        assert watched.get("/prometheus/metrics").status == 401
    finally:
        watched.port = watched_port
    secret = watched.state / "services/prome/password"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_its_pages_need_a_login_where_figures_do(serve):
    daemon = serve(options=(*QUICK, "--open-actions", "no"))
    keep_alive(daemon, "prome", scrape_interval="200ms", node_exporter=False)
    fields = {"email": "admin@example.org", "password": PASSWORD}
    assert daemon.post("/user/create/", fields).status == 201
    token = daemon.post("/user/token/", fields).json()["token"]
    assert daemon.get("/metrics").status == 401
    assert daemon.get("/prometheus/").status == 401
    up = {key: value for key, value in ALL_UP.items() if key[0] != "node"}
    wait_until(lambda: query(daemon, "up", token=token) == up, WAIT_S, "the scrapes, by a token")


def test_nothing_changed_means_nothing_restarted(watched):
    pids = {name: info(watched, name)["pid"] for name in ("prome", "node_exporter")}
    watched.op("jsorc_refresh")
    wait_all_up(watched)
    assert {name: info(watched, name)["pid"] for name in pids} == pids


def test_what_is_somebody_elses_is_shown_to_staff_only(serve):
    daemon = serve(options=QUICK)
    daemon.expect_log("service failed")
    url = "http://127.0.0.1:9/"  # discard: nobody listens there
    refused = daemon.op("service_config_set", name="prome", config={"url": "http://a:b@127.0.0.1"})
    assert "'user' and 'password'" in json.dumps(refused)
    daemon.op("service_config_set", name="prome", config={"url": url})
    reply = daemon.get("/prometheus/graph")
    assert reply.status == 403 and "staff" in reply.json()["detail"]
    local = daemon.connect_local()
    assert daemon.request("GET", "/prometheus/graph", connection=local).status == 503
    local.close()


def test_without_it_the_pages_say_so(serve):
    daemon = serve(options=QUICK)
    reply = daemon.get("/prometheus/graph")
    assert reply.status == 503 and reply.json()["detail"] == "prome does not run"


@pytest.mark.parametrize("watched", [IMPATIENT], indirect=True)
def test_what_is_killed_or_frozen_comes_back(watched):
    for name in ("prome", "node_exporter"):
        for number in (signal.SIGKILL, signal.SIGSTOP):
            pid = info(watched, name)["pid"]
            os.kill(pid, number)
            wait_until(lambda was=pid, of=name: info(watched, of)["pid"] not in (0, was), WAIT_S,
                       f"another {name}")
            wait_for(watched, name)


def test_a_crashed_daemon_finds_both(watched):
    pids = {name: info(watched, name)["pid"] for name in ("prome", "node_exporter")}
    crash(watched)
    for name, pid in pids.items():
        wait_for(watched, name, pid=pid)
    wait_all_up(watched)  # with the new daemon's token and address


def test_tracking_tells_what_prometheus_knows(watched):
    move(watched, "text", "remote")
    wait_all_up(watched)
    watched.op("jsorc_tracksys_start")

    def told():
        states = watched.op("jsorc_tracksys_report")["states"]
        found = [state for state in states if state["source"] == "prometheus" and
                 all(value is not None for value in state["nodes"].get(NODE, {0: None}).values())]
        return found[-1] if found and len(found[-1]["prometheus"]) >= 2 else None

    state = wait_until(told, WAIT_S, "a state by Prometheus")
    pod = next(worker["name"] for worker in watched.op("jsorc_status")["workers"]
               if worker["role"] == "pod")
    assert "prometheus" not in state["prometheus"]
    assert {pod, "daemon", "node_exporter"} <= set(state["prometheus"])
    for pod_figures in state["prometheus"].values():
        assert set(pod_figures) == {"cpu_utilization_cores", "mem_utilization_bytes",
                                    "network_recv_bytes", "network_tran_bytes"}
        assert pod_figures["mem_utilization_bytes"] > 1e6
        assert pod_figures["network_recv_bytes"] is None  # processes of one host share it
    # The original told 0 here: its window was shorter than its scrapes were apart.
    assert state["prometheus"]["node_exporter"]["cpu_utilization_cores"] > 0
    node = state["nodes"][NODE]
    assert 0 < node["mem_active_bytes"] < node["mem_total_bytes"]
    assert node["cpu_cores"] > 0
    nodes = watched.op("prometheus_node_info")
    assert set(nodes[NODE]) == set(node)
    assert nodes[NODE]["mem_total_bytes"] == node["mem_total_bytes"]
    pods = watched.op("prometheus_pod_info", exclude_prom=False)
    assert {"prometheus", "daemon", pod} <= set(pods)

    # Without it the same report goes on with what the daemon sees itself.
    watched.op("service_config_set", name="prome", config={"enabled": False})
    wait_until(lambda: watched.op("jsorc_tracksys_report")["states"][-1]["source"] == "local",
               WAIT_S, "a local state")
