"""Pods of a cluster: what the daemon asks an API server for, and what it does with what that
tells. The replicas of pods are `jsorc host` programs of this host; the test is the cluster's
controllers. The same on a real cluster: tests/cluster."""

import base64
import contextlib
import json
import sqlite3
import threading

import pytest
from kube_api import KubeApi
from metrics import read_metrics
from placement import status, workers
from programs import wait_until

PATIENCE_S = 60
NS = "lab"
TEXT = """
import os
import time
import jsorc

HELD = b"x" * (8 << 20)

@jsorc.action
def upper(text: str):
    return text.upper()

@jsorc.action
def pid():
    return os.getpid()

@jsorc.action
def wait(seconds: float):
    time.sleep(seconds)
    return os.getpid()
"""


class Lab:
    """A cluster that a test plays: replicas answer once they are shown in a slice."""

    def __init__(self, api, host, source):
        self.api, self.host, self.source = api, host, source
        self.replicas = {}
        self.address = "127.0.0.1"  # of all pods, as the cluster sees it

    def replica(self, name):
        """A program that serves the module; nobody knows of it yet."""
        program = self.host(self.source)
        self.replicas[name] = program
        return program

    def show(self, name, ready=True):
        """What the EndpointSlice controller writes of one pod behind the Service."""
        labels = self.api.get("services", NS, "text")["metadata"]["labels"]
        self.api.put("discovery.k8s.io/v1", "endpointslices", NS, {
            "metadata": {"name": f"text-{name}",
                         "labels": {**labels, "kubernetes.io/service-name": "text"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": self.replicas[name].port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": ready},
                           "targetRef": {"kind": "Pod", "name": name}}]})

    def start(self, name):
        wait_until(lambda: self.api.get("services", NS, "text"), PATIENCE_S, "the Service")
        program = self.replica(name)
        self.show(name)
        return program

    def pod(self, name, state):
        labels = self.api.get("deployments", NS, "text")["metadata"]["labels"]
        self.api.put("v1", "pods", NS, {
            "metadata": {"name": name, "labels": labels},
            "status": {"phase": "Pending",
                       "containerStatuses": [{"name": "text", "state": state}]}})


@pytest.fixture
def api():
    with KubeApi() as server:
        yield server


@pytest.fixture
def lab(api, host, write):
    return Lab(api, host, write("text.py", TEXT))


@pytest.fixture
def kubeconfig(api, write):
    return write("kubeconfig", api.kubeconfig(NS))


@pytest.fixture
def daemon(kubeconfig, serve, lab):
    """With the module `text` loaded in the runtime worker, and an action config for a pod of it."""
    daemon = serve(options=("--provider", "kubernetes", "--kubeconfig", kubeconfig))
    assert daemon.op("jsorc_actions_config", name="text", config={
        "module": str(lab.source), "remote": {"image": "localhost/text:1"}})["success"]
    assert daemon.op("jsorc_actions_load", name="text", mode="module")["success"]
    return daemon


def go_remote(daemon):
    answer = daemon.op("jsorc_actions_load", name="text", mode="remote")
    assert answer["success"], answer


def is_remote(daemon):
    return status(daemon, "text")["mode"] == "remote"


def asked_mb(api):
    """The memory that the Deployment asks for."""
    pod = api.get("deployments", NS, "text")["spec"]["template"]["spec"]
    return int(pod["containers"][0]["resources"]["requests"]["memory"].removesuffix("Mi"))


def upper(daemon):
    reply = daemon.call("text.upper", text="x")
    return reply.status == 200 and reply.json() == "X"


class Load:
    """Calls one after the other in some threads; what did not come back right."""

    def __init__(self, daemon, threads=4):
        self.daemon, self.wrong, self.count = daemon, [], 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        connection = self.daemon.connect()
        while not self.ends.is_set():
            reply = self.daemon.post("/actions/text.upper", {"text": "x"}, connection=connection)
            self.count += 1
            if reply.status != 200 or reply.json() != "X":
                self.wrong.append((reply.status, reply.body))
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(50)
        return self

    def more(self, count):
        """Until so many calls more have been answered."""
        end = self.count + count
        wait_until(lambda: self.count >= end, PATIENCE_S, f"{count} calls")

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()


def test_a_module_moves_to_a_pod_of_the_cluster_and_back_under_load(api, lab, daemon):
    with Load(daemon) as load:
        go_remote(daemon)
        replica = lab.start("a")
        wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
        load.more(50)
        found = status(daemon, "text")
        assert found["remote"] == {"url": "http://text.lab.svc:80/", "status": "READY"}
        assert daemon.call("text.pid").json() in replica.pids()
        assert api.names("deployments") == ["text"] and api.names("configmaps") == ["text-up"]
        assert daemon.op("jsorc_actions_load", name="text", mode="module")["success"]
        wait_until(lambda: not (api.names("deployments") or api.names("services")
                                or api.names("configmaps")), PATIENCE_S, "the end of the objects")
        load.more(50)
    assert load.wrong == []


def test_calls_go_to_all_replicas_and_from_a_dead_one_to_the_others(api, lab, daemon):
    go_remote(daemon)
    first, second = lab.start("a"), lab.start("b")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
    pids = set(first.pids() + second.pids())
    seen = set()

    def both_serve():
        seen.add(daemon.call("text.pid").json())
        return len(seen) == 2

    wait_until(both_serve, PATIENCE_S, "calls in both replicas")
    assert seen <= pids
    first.killed = True
    first.kill()  # and nobody tells the daemon
    assert all(upper(daemon) for _ in range(50))
    assert daemon.call("text.pid").json() in second.pids()
    lab.show("a", ready=False)
    wait_until(lambda: workers(daemon, "pod")[0]["replicas"] == 1, PATIENCE_S, "one replica")
    lab.show("b", ready=False)  # now none is left: calls wait for one
    wait_until(lambda: workers(daemon, "pod")[0]["health"] == "away", PATIENCE_S, "no replica")
    late = threading.Timer(0.3, lab.show, ("b",))
    late.start()
    assert upper(daemon)
    late.join()


@pytest.fixture
def away(lab):
    """Pods have addresses that nothing here reaches."""
    lab.address = "127.66.66.66"
    return lab


def access(daemon):
    return workers(daemon, "pod")[0].get("access")


def test_a_daemon_outside_moves_a_module_to_pods_and_back_under_load(api, away, daemon):
    # A connection each watch and some that the client keeps, 16 in all, and the thread's own. What
    # leads to the pods has 27 while it is in use.
    daemon.fd_growth_max = 28
    with Load(daemon) as load:
        go_remote(daemon)
        replicas = [away.start("a"), away.start("b")]
        wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
        assert access(daemon) == "forward"
        load.more(200)
        assert daemon.call("text.pid").json() in [pid for one in replicas for pid in one.pids()]
        text = "a\u00e9\n" * 500_000
        assert daemon.call("text.upper", text=text).json() == text.upper()
        assert daemon.op("jsorc_actions_load", name="text", mode="module")["success"]
        wait_until(lambda: not api.names("deployments"), PATIENCE_S, "the end of the objects")
        load.more(50)
    assert load.wrong == []
    assert len(api.forwards) < 40, "connections are kept for calls that follow"


def test_calls_from_outside_leave_a_dead_pod_and_outlive_cut_connections(api, away, daemon):
    go_remote(daemon)
    first, second = away.start("a"), away.start("b")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pods")
    wait_until(lambda: workers(daemon, "pod")[0]["replicas"] == 2, PATIENCE_S, "both")
    assert "access forward" in daemon.cli("status", "-o", "table").stdout
    with Load(daemon) as load:
        load.more(50)
        first.killed = True
        first.kill()  # and nobody tells the daemon
        load.more(50)
    lost = [body for _, body in load.wrong]
    assert all(b"may have been executed" in body for body in lost), lost
    assert len(lost) <= len(load.threads), "only calls under way"
    assert all(upper(daemon) for _ in range(20))
    away.show("a", ready=False)
    wait_until(lambda: workers(daemon, "pod")[0]["replicas"] == 1, PATIENCE_S, "one replica")
    before = len(api.forwards)
    api.cut()
    assert all(upper(daemon) for _ in range(20))
    assert daemon.call("text.pid").json() in second.pids()
    assert len(api.forwards) > before
    away.show("b", ready=False)
    wait_until(lambda: workers(daemon, "pod")[0]["health"] == "away", PATIENCE_S, "no replica")
    sockets = daemon.state / "run" / "forward"
    wait_until(lambda: not list(sockets.iterdir()), PATIENCE_S, "the end of what leads to them")


def test_a_call_under_way_from_outside_ends_where_it_is(away, daemon):
    go_remote(daemon)
    replica = away.start("a")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
    answers = []
    calling = threading.Thread(
        target=lambda: answers.append(daemon.call("text.wait", seconds=2).json()))
    calling.start()
    daemon.under_way(1)
    away.start("b")
    away.show("a", ready=False)
    calling.join()
    assert answers[0] in replica.pids()


def test_pods_that_are_reached_neither_way_are_told_and_taken_later(api, away, daemon):
    daemon.expect_log("module did not start|pod is in trouble")
    api.forbidden.add("portforward")
    go_remote(daemon)
    away.start("a")

    def told():
        remote = status(daemon, "text")["remote"]
        return remote if remote["status"] == "FAILED" else None

    assert wait_until(told, PATIENCE_S, "FAILED")["reason"] == "Unreachable"
    message = status(daemon, "text")["message"]
    assert "127.66.66.66" in message and "cannot get resource portforward" in message
    assert upper(daemon), "it serves where it was"
    api.forbidden.clear()
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move")
    assert access(daemon) == "forward" and "reason" not in status(daemon, "text")["remote"]


@pytest.mark.parametrize("way", ["auto", "direct", "forward"])
def test_how_pods_are_reached_can_be_set(api, lab, serve, kubeconfig, way):
    daemon = serve(options=("--provider", "kubernetes", "--kubeconfig", kubeconfig,
                            "--pod-access", way))
    assert daemon.op("jsorc_actions_config", name="text", config={
        "module": str(lab.source), "remote": {"image": "localhost/text:1"}})["success"]
    go_remote(daemon)
    lab.start("a")
    wait_until(lambda: upper(daemon), PATIENCE_S, "an answer of the pod")
    assert access(daemon) == ("forward" if way == "forward" else "direct")
    assert bool(api.forwards) == (way == "forward")


def test_what_keeps_a_pod_from_starting_is_shown_until_it_is_over(api, lab, daemon):
    daemon.expect_log("module did not start|pod is in trouble")
    go_remote(daemon)
    wait_until(lambda: api.get("deployments", NS, "text"), PATIENCE_S, "the Deployment")
    lab.pod("text-1", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})

    def failed():
        remote = status(daemon, "text")["remote"]
        return remote if remote["status"] == "FAILED" else None

    assert wait_until(failed, PATIENCE_S, "FAILED")["reason"] == "ImagePullBackOff"
    found = status(daemon, "text")
    assert found["message"] == "ImagePullBackOff: no such image"
    assert upper(daemon), "it serves where it was"
    lab.pod("text-1", {"running": {}})
    lab.start("a")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move once the image is there")
    assert "reason" not in status(daemon, "text")["remote"]


def test_who_waits_for_a_pod_that_cannot_start_is_told_why(api, lab, daemon):
    daemon.expect_log("module did not start|pod is in trouble")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(daemon.op(
        "jsorc_actions_load", name="text", mode="remote", wait=True, timeout=PATIENCE_S)))
    waiting.start()
    wait_until(lambda: api.get("deployments", NS, "text"), PATIENCE_S, "the Deployment")
    lab.pod("text-1", {"waiting": {"reason": "InvalidImageName", "message": "bad"}})
    waiting.join()
    assert not answers[0]["success"]
    assert answers[0]["message"] == "InvalidImageName: bad"
    assert answers[0]["action_status"]["mode"] == "module"
    wait_until(lambda: not api.names("deployments"), PATIENCE_S, "the end of the objects")


def test_the_next_daemon_finds_its_pods_and_what_is_nobodys_goes(api, lab, daemon):
    go_remote(daemon)
    lab.start("a")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
    made = len(api.created)
    version = api.get("deployments", NS, "text")["metadata"]["resourceVersion"]
    assert asked_mb(api) >= 32 + 8, "for the interpreter and what the module was measured to hold"
    labels = {**api.get("services", NS, "text")["metadata"]["labels"], "jsorc/action": "old"}
    api.put("v1", "configmaps", NS, {"metadata": {"name": "left", "labels": labels}})
    api.put("v1", "configmaps", NS, {"metadata": {"name": "foreign", "labels": {
        **labels, "jsorc/owner": "another"}}})
    daemon.stop()
    assert api.names("deployments") == ["text"], "an orderly end leaves the pod"
    daemon.start()
    wait_until(lambda: upper(daemon), PATIENCE_S, "an answer of the pod")
    assert is_remote(daemon)
    wait_until(lambda: api.names("configmaps") == ["foreign", "text-up"], PATIENCE_S,
               "the end of what was left")
    assert api.get("deployments", NS, "text")["metadata"]["resourceVersion"] == version, (
        "rolled out anew, say because the measured memory was forgotten")
    assert len(api.created) == made + 2, "what the test put there itself"


def test_a_pod_that_is_not_wanted_any_more_stays_until_the_module_serves_elsewhere(
        api, lab, daemon, tmp_path):
    """As after a crash in a policy's trial: what was on trial is not stored."""
    go_remote(daemon)
    lab.start("a")
    wait_until(lambda: is_remote(daemon), PATIENCE_S, "the move to the pod")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "jsorc.db")) as database:
        database.execute("UPDATE modules SET place = 'module'")
        database.commit()
    gate = tmp_path / "gate"
    lab.source.write_text(f"{TEXT}\nimport time\nwhile not os.path.exists({str(gate)!r}):\n"
                          "    time.sleep(0.05)\n")
    daemon.start()
    wait_until(lambda: daemon.op("jsorc_status")["uptime_s"] > 4, PATIENCE_S, "a while")
    assert api.names("deployments") == ["text"], "while the module loads"
    gate.touch()
    wait_until(lambda: not api.names("deployments"), PATIENCE_S, "the end of the objects")
    assert upper(daemon)


def test_what_somebody_changes_is_mended(api, lab, daemon):
    go_remote(daemon)
    wait_until(lambda: api.get("deployments", NS, "text"), PATIENCE_S, "the Deployment")
    deployment = api.get("deployments", NS, "text")
    api.put("apps/v1", "deployments", NS, {
        **deployment, "spec": {**deployment["spec"], "replicas": 0}})
    wait_until(lambda: api.get("deployments", NS, "text")["spec"]["replicas"] == 1, PATIENCE_S,
               "the replicas that were asked for")
    api.take("services", NS, "text")
    wait_until(lambda: api.get("services", NS, "text"), PATIENCE_S, "the Service again")
    wait_until(lambda: read_metrics(daemon)("jsorc_kube_unsettled") == 0, PATIENCE_S, "the end")
    metrics = read_metrics(daemon)
    assert metrics("jsorc_kube_objects_repaired_total") == 2
    assert metrics("jsorc_kube_objects_applied_total") == 5
    assert metrics("jsorc_kube_requests_total", verb="patch", code="2xx") == 5
    assert metrics("jsorc_kube_watches", state="live") == 5
    assert metrics("jsorc_kube_objects", state="kept") == 3
    assert metrics("jsorc_kube_settle_duration_seconds_count") >= 1
    assert metrics("jsorc_kube_request_duration_seconds_sum") > 0


def test_a_diff_tells_what_a_load_would_change(api, daemon):
    found = daemon.op("jsorc_diff", name="text")
    assert found["success"]
    assert [(row["kind"], row["name"], row["result"]) for row in found["objects"]] == [
        ("ConfigMap", "text-up", "created"), ("Service", "text", "created"),
        ("Deployment", "text", "created")]
    assert not api.names("deployments"), "it was a dry run"
    go_remote(daemon)
    wait_until(lambda: api.get("deployments", NS, "text"), PATIENCE_S, "the Deployment")
    found = daemon.op("jsorc_diff", name="text")
    assert {row["result"] for row in found["objects"]} == {"unchanged"}
    config = {"module": "text", "remote": {"image": "localhost/text:2"}}
    kept = daemon.op("jsorc_status")["modules"][0]["source"]
    assert daemon.op("jsorc_actions_config", name="text",
                     config={**config, "module": kept})["success"]
    changed = [row for row in daemon.op("jsorc_diff", name="text")["objects"] if row["changes"]]
    assert [row["kind"] for row in changed] == ["Deployment"]
    assert {"path": "/spec/template/spec/containers/0/image", "from": "localhost/text:1",
            "to": "localhost/text:2"} in changed[0]["changes"]


YAML = """
kind: ConfigMap
apiVersion: v1
metadata: {name: one, namespace: theirs, creationTimestamp: null}
data: {a: "1"}
---
kind: Secret
apiVersion: v1
metadata: {name: two}
stringData: {copy: "$j{ConfigMap.one.data.a}"}
"""


def test_objects_are_brought_once_from_texts_files_and_uploads(api, daemon, write):
    def results(answer):
        return [(row["kind"], row["namespace"], row["result"]) for row in answer["results"]]

    made = [("ConfigMap", NS, "created"), ("Secret", NS, "created")]
    assert results(daemon.op("load_yaml", files=YAML, dry_run=True)) == made
    assert not api.names("secrets")
    answer = daemon.op("load_yaml", files=[str(write("objects.yaml", YAML))])
    assert results(answer) == made
    assert answer["ConfigMap"]["one"]["data"] == {"a": "1"}
    assert api.get("secrets", NS, "two")["stringData"] == {"copy": "1"}
    upload = base64.b64encode(YAML.replace('"1"', '"2"').encode()).decode()
    answer = daemon.op("load_yaml", files=[{"base64": upload}])
    assert results(answer) == [("ConfigMap", NS, "patched"), ("Secret", NS, "patched")]
    assert answer["results"][0]["changes"] == [{"path": "/data/a", "from": "1", "to": "2"}]
    answer = daemon.op("load_yaml", files=YAML, manifest_type="SOURCE")
    assert results(answer) == [("ConfigMap", "theirs", "created"), ("Secret", "default", "created")]
    refused = daemon.op("load_yaml", files=YAML, manifest_type="X")
    assert "is none of DEDICATED" in refused["response"]
    assert "line" in daemon.op("load_yaml", files="a: [")["response"]
    words = daemon.cli("load", "yaml", write("cli.yaml", YAML), "--manual-namespace", "mine",
                       "--manifest-type", "MANUAL", "-o", "json")
    assert results(json.loads(words.stdout)) == [
        ("ConfigMap", "mine", "created"), ("Secret", "mine", "created")]


def test_without_a_cluster_nothing_is_brought(serve):
    daemon = serve()
    assert daemon.op("load_yaml", files=YAML) == {
        "message": "load_yaml is not supported on non automated JsOrc!"}
    assert not daemon.op("jsorc_diff", name="text")["success"]


REDIS = """
ConfigMap:
  conf:
    data: {maxmemory: 10mb}
PersistentVolumeClaim:
  data:
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
Service:
  redis:
    metadata: {namespace: default, labels: {config_version: 7}}
    spec: {selector: {pod: redis}, ports: [{port: 6379}]}
"""


def test_what_a_service_is_in_the_cluster_is_kept(api, daemon):
    answer = daemon.op("apply_yaml", service="redis", file=REDIS, dry_run=True)
    assert {row["result"] for row in answer["results"]} == {"created"}
    assert not api.names("services")
    answer = daemon.op("apply_yaml", service="redis", file=REDIS)
    assert answer["Service"]["redis"]["metadata"]["labels"]["config_version"] == 7
    assert float(answer["ConfigMap"]["conf"]["metadata"]["labels"]["config_version"]) > 1.6e9

    def states():
        return {row["kind"]: row["state"] for row in daemon.op("service_info", name="redis")
                .get("objects") or []}

    applied = {"ConfigMap": "applied", "PersistentVolumeClaim": "applied", "Service": "applied"}
    wait_until(lambda: states() == applied, PATIENCE_S, "all objects")
    labels = api.get("services", NS, "redis")["metadata"]["labels"]
    assert labels["jsorc/service"] == "redis" and labels["config_version"] == "7"

    daemon.stop()
    api.take("configmaps", NS, "conf")
    daemon.start()  # it is made again, as the manifest is kept
    wait_until(lambda: api.get("configmaps", NS, "conf"), PATIENCE_S, "the ConfigMap")

    less = "Service:" + REDIS.split("Service:")[1]
    assert "response" not in daemon.op("apply_yaml", service="redis", file=less)
    wait_until(lambda: not api.get("configmaps", NS, "conf"), PATIENCE_S, "no ConfigMap")
    wait_until(lambda: states().get("PersistentVolumeClaim") == "guarded", PATIENCE_S, "the guard")
    assert api.get("persistentvolumeclaims", NS, "data")
    assert "response" not in daemon.op("apply_yaml", service="redis", file=less,
                                       unsafe_paraphrase="I know what I'm doing!")
    wait_until(lambda: not api.names("persistentvolumeclaims"), PATIENCE_S, "no claim")


def test_a_manifest_that_cannot_be_applied_is_not_stored(daemon):
    wrong = "Service: {a: {spec: '$j{Secret}'}}"
    assert "is no path" in daemon.op("apply_yaml", service="redis", file=wrong)["response"]
    assert "no manifest of a service" in daemon.op(
        "apply_yaml", service="nosuch", file=REDIS)["response"]
    assert daemon.op("config_get", name="REDIS_MANIFEST") is None


def test_a_cluster_is_configured_as_the_original_does_it(api, lab, serve, kubeconfig):
    daemon = serve(env={"KUBECONFIG": str(kubeconfig)})
    remote = {"module": str(lab.source), "remote": {"image": "localhost/text:1"}}
    assert daemon.op("jsorc_actions_config", name="text", config=remote)["success"]
    daemon.op("config_set", name="META_CONFIG", value={
        "automation": True, "backoff_interval": 10, "namespace": "meta", "keep_alive": [],
        "kubernetes": {"in_cluster": False, "config": None}})
    assert not api.names("deployments")
    assert daemon.op("service_refresh", name="meta")["success"]
    go_remote(daemon)
    wait_until(lambda: api.get("deployments", "meta", "text"), PATIENCE_S, "the Deployment")
    daemon.stop()
    api.take("deployments", "meta", "text")
    daemon.start()  # and so a start with it set
    wait_until(lambda: api.get("deployments", "meta", "text"), PATIENCE_S, "the Deployment")
