"""The dashboard for Grafana: each of its queries on a real Prometheus while the daemon is at work;
and Grafana's pages below the daemon's address, with a server in its place that says what it was
asked."""

import base64
import http.server
import json
import math
import re
import threading
import urllib.parse

import pytest
from placement import move
from programs import ROOT, wait_until
from test_prometheus import wait_all_up
from test_services import QUICK, WAIT_S, configure, info, keep_alive, wait_for

DASHBOARD = json.loads((ROOT / "manifests/grafana/dashboards/jsorc.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
# What Grafana puts in where everything is shown.
VARIABLES = {"$job": ".+", "$instance": ".+", "$__rate_interval": "5s"}

FLOW = """
import jsorc

@jsorc.walker
def shout(text: str):
    jsorc.report(jsorc.call("text.upper", text))
"""


@pytest.fixture
def busy(serve, text, write):
    """A daemon that is scraped, under load, with a policy, after a move and an error."""
    daemon = serve(text, write("flow.py", FLOW), options=(*QUICK, "--policy-phase-s", "0.5"))
    daemon.expect_log("service failed|policy")
    keep_alive(daemon, "prome", scrape_interval="500ms")
    wait_for(daemon, "node_exporter")
    wait_all_up(daemon)
    over = threading.Event()
    thread = threading.Thread(target=_load, args=(daemon, over))
    thread.start()
    move(daemon, "text", "remote")
    answer = daemon.op("jsorc_actionpolicy_set", policy_name="adaptive")
    assert answer["success"] is True, answer
    yield daemon
    over.set()
    thread.join()


def _load(daemon, over):
    while not over.wait(0.02):
        assert daemon.post("/walkers/shout", {"ctx": {"text": "x"}}).status == 200
        assert daemon.post("/actions/text.upper", {"text": "x"}).status == 200
        assert daemon.post("/actions/text.upper", {"times": 1}).status >= 400


def rows(daemon, query):
    """The values of a query; fails where Prometheus does not understand it."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    reply = daemon.get("/prometheus/api/v1/query?" + urllib.parse.urlencode({"query": query}))
    assert reply.status == 200, (query, reply.body)
    return [float(row["value"][1]) for row in reply.json()["data"]["result"]]


def test_no_panel_is_empty_under_load(busy):
    assert len(QUERIES) >= len(PANELS) > 20
    left = dict.fromkeys(QUERIES)

    def all_told():
        for query in list(left):
            left[query] = rows(busy, query[1])
            if left[query] and all(map(math.isfinite, left[query])):
                del left[query]
        return not left

    try:
        wait_until(all_told, WAIT_S, "figures for all panels", poll=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}; without figures: {left}") from None


def test_the_dashboard_is_well_formed():
    """The rules of Grafana's dashboard linter that it can have a view on: data source, job and
    instance are variables that each query heeds, rates are over the interval of the scrapes,
    counters are read as rates or since the daemon's start, and each panel says what it is."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert all(variables[name]["datasource"]["uid"] == "${datasource}" and
               variables[name]["multi"] and variables[name]["allValue"] == ".+"
               for name in ("job", "instance"))
    assert DASHBOARD["editable"] is False and DASHBOARD["uid"] == "jsorc"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        assert panel["title"] and panel["description"], panel
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24, panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for title, query in QUERIES:
        selectors = re.findall(r"\b((?:jsorc|node|process)_\w+)(\{[^}]*\})?", query)
        assert selectors, title
        for metric, matchers in selectors:
            assert 'job=~"$job"' in matchers and 'instance=~"$instance"' in matchers, metric
        assert set(re.findall(r"\[([^]]*)\]", query)) <= {"$__rate_interval"}, title


# ---- its pages

class Grafana(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; knows one user."""

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        health = self.path == "/grafana/api/health"
        known = self.headers.get("Authorization") == \
            "Basic " + base64.b64encode(b"viewer:secret").decode()
        self.send_response(200 if health else 302 if self.path == "/grafana/" else
                           200 if known else 401)
        if self.path == "/grafana/":
            self.send_header("Location", "/grafana/d/jsorc")
        text = json.dumps({"method": self.command, "path": self.path, "body": body.decode(),
                           "type": self.headers.get("Content-Type")}).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def grafana():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Grafana)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/grafana/"
    server.shutdown()
    thread.join()
    server.server_close()


def staff(daemon):
    """The token of the first account, which is a superuser's."""
    account = {"email": "ann@example.org", "password": "correct horse"}
    assert daemon.post("/user/create/", account).status == 201
    return daemon.post("/user/token/", account).json()["token"]


def test_its_pages_are_ours_and_only_staff_changes_something(serve, grafana):
    daemon = serve(options=QUICK)
    assert daemon.get("/grafana/").status == 503
    refused = configure(daemon, "grafana", provider="process")
    assert "jsorc starts no grafana on this host" in refused["response"], refused
    answer = configure(daemon, "grafana", url=grafana, user="viewer", password="secret",
                       automated=True)
    assert answer["state"] == "RUNNING" and answer["provider"] == "address", answer
    assert info(daemon, "grafana")["config"]["password"] == "***"
    # Somebody else's server is asked with our password: for staff alone.
    assert daemon.get("/grafana/api/org").status == 403
    token = staff(daemon)
    page = daemon.get("/grafana/api/org?x=1", token=token)
    assert page.status == 200 and page.json()["path"] == "/grafana/api/org?x=1"
    home = daemon.get("/grafana/", token=token)
    assert home.status == 302 and home.headers["Location"] == "/grafana/d/jsorc"
    asked = daemon.request("POST", "/grafana/api/ds/query", b'{"queries": []}', token=token)
    assert asked.json() == {"method": "POST", "path": "/grafana/api/ds/query",
                            "body": '{"queries": []}', "type": "application/json"}
    assert daemon.get("/grafana/../status", token=token).status == 400
