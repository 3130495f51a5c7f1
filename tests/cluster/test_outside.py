"""A daemon outside of the cluster that reaches the API server and no pod, as a laptop has it: in a
network namespace with nothing but the API server's port in it."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faults import Steady
from kube import READY_SECONDS_MAX, eventually
from placement import status, workers
from programs import ROOT, Daemon

OUTSIDE = Path(__file__).parent / "outside.py"
TEXT = {"text": "to be or not to be", "least": 2}
COUNTS = {"to": 2, "be": 2}
pytestmark = pytest.mark.own_cluster  # its API server's URL has an address


class Apart(Daemon):
    """Its API is reached through its Unix socket alone."""

    server = None  # host and port of the API server

    def argv(self):
        return [sys.executable, OUTSIDE, *self.server, *super().argv()]

    def connect(self, timeout=60):
        return self.connect_local(timeout)


@pytest.fixture
def daemon(cluster, namespace, started):
    url = urlsplit(cluster.server())
    Apart.server = (url.hostname, url.port)
    return started(Apart, options=(
        "--provider", "kubernetes", "--kubeconfig", cluster.kubeconfig,
        "--kube-namespace", namespace.name), env={"PYTHONPATH": str(ROOT / "examples/hello")})


def configure(daemon, image, **remote):
    assert daemon.op("jsorc_actions_config", name="words", config={
        "module": "words", "remote": {"image": image, "memory": "128Mi", **remote}})["success"]


def move(daemon, mode):
    assert daemon.op("jsorc_actions_load", name="words", mode=mode)["success"]
    eventually(lambda: status(daemon, "words")["mode"] == mode, f"the move to {mode}")


def running(namespace):
    return [pod["metadata"]["name"] for pod in namespace.list("pods")
            if pod["status"].get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]]


def test_a_module_moves_to_pods_and_back_with_no_call_failed(daemon, namespace, image):
    configure(daemon, image, replicas=2)
    move(daemon, "module")
    with Steady(daemon, "words.count", pause_s=0.005, **TEXT) as steady:
        move(daemon, "remote")
        assert workers(daemon, "pod")[0]["access"] == "forward"
        namespace.rollout("deployment/words")
        eventually(lambda: workers(daemon, "pod")[0]["replicas"] == 2, "both")
        seen = steady.good
        eventually(lambda: steady.good > seen + 200, "calls to both")
        namespace.kubectl("delete", "pod", running(namespace)[0])
        namespace.rollout("deployment/words")
        move(daemon, "module")
        eventually(lambda: not namespace.list("pods"), "the end of the pods")


def test_large_bodies_pass_whole_and_cut_connections_are_made_anew(daemon, cluster, namespace,
                                                                   image):
    configure(daemon, image)
    move(daemon, "remote")
    text = "to be or not " * 200_000
    assert daemon.call("words.count", text=text, least=2).json() == {
        word: 200_000 for word in ("to", "be", "or", "not")}
    cluster.kill("kube-apiserver")
    cluster.up("--node")
    daemon.expect_log("cluster|kube|API server")
    eventually(lambda: daemon.call("words.count", **TEXT).status == 200, "an answer",
               READY_SECONDS_MAX)
    assert daemon.call("words.count", **TEXT).json() == COUNTS
