"""What goes wrong in a cluster: serving goes on where it can, the state says why it cannot, and
everything comes back without a hand. The daemon runs outside of the cluster, as on a laptop."""

import time

import pytest
from faults import Steady
from kube import eventually
from placement import status

TEXT = {"text": "to be or not to be", "least": 2}
COUNTS = {"to": 2, "be": 2}
# The API server is away for long; etcd is started anew.
OUTAGE_SECONDS = {"kube-apiserver": 30, "etcd": 5}
# What a daemon may complain of while its cluster is broken.
COMPLAINTS = r"cluster|kube|pod|words|API server|module"


@pytest.fixture
def daemon(serve, cluster, namespace):
    daemon = serve(options=("--provider", "kubernetes", "--kubeconfig", cluster.kubeconfig,
                            "--kube-namespace", namespace.name, "--start-timeout-s", "600"))
    daemon.expect_log(COMPLAINTS)
    return daemon


def configure(daemon, image, **remote):
    answer = daemon.op("jsorc_actions_config", name="words", config={
        "module": "words", "remote": {"image": image, "memory": "128Mi", **remote}})
    assert answer == {"success": True}


def load(daemon, mode="remote"):
    return daemon.op("jsorc_actions_load", name="words", mode=mode)


def ready(daemon):
    """Waits for READY, and that a call is answered; returns the module's state."""
    def is_ready():
        answer = load(daemon)
        found = answer["action_status"]
        return found if found["remote"]["status"] == "READY" and found["mode"] else None
    state = eventually(is_ready, "READY")
    eventually(lambda: count(daemon) == COUNTS, "an answer")
    return state


def count(daemon):
    reply = daemon.call("words.count", **TEXT)
    return reply.json() if reply.status == 200 else None


def reason(daemon, *reasons):
    """Waits until the module's state gives one of these reasons, and returns its message."""
    def told():
        found = status(daemon, "words") or {"remote": {}}
        return found if found["remote"].get("reason") in reasons else None
    return eventually(told, f"one of the reasons {reasons}").get("message", "")


def running(namespace):
    return [pod for pod in namespace.list("pods") if pod["status"].get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]]


def test_a_deleted_pod_fails_no_call_while_another_serves(daemon, namespace, image):
    configure(daemon, image, replicas=2)
    ready(daemon)
    eventually(lambda: len(running(namespace)) == 2, "two pods")
    namespace.rollout("deployment/words")
    with Steady(daemon, "words.count", pause_s=0.01, **TEXT):
        victim = running(namespace)[0]["metadata"]["name"]
        namespace.kubectl("delete", "pod", victim)
        namespace.rollout("deployment/words")
    assert victim not in {pod["metadata"]["name"] for pod in running(namespace)}


@pytest.mark.own_cluster
def test_a_drained_node_and_its_return(daemon, cluster, namespace, image):
    configure(daemon, image)
    ready(daemon)
    [node] = cluster.kubectl("get", "nodes", "-o", "name").split()
    try:
        cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                        f"--pod-selector=pod={pod_label(namespace)}", "--timeout=90s")
        reason(daemon, "Unschedulable")
    finally:
        cluster.kubectl("uncordon", node)
    ready(daemon)


def pod_label(namespace):
    [pod] = running(namespace)
    return pod["metadata"]["labels"]["pod"]


@pytest.mark.own_cluster
@pytest.mark.parametrize("program", OUTAGE_SECONDS)
def test_serving_goes_on_without_the_control_plane(daemon, cluster, namespace, image, program):
    configure(daemon, image)
    ready(daemon)
    cluster.kill(program)
    try:
        with Steady(daemon, "words.count", pause_s=0.01, **TEXT):
            time.sleep(OUTAGE_SECONDS[program])
    finally:
        cluster.up("--node")
    # It looks after the pod again: one that goes is replaced, and found.
    [before] = running(namespace)
    namespace.kubectl("delete", "pod", before["metadata"]["name"])
    ready(daemon)


@pytest.mark.own_cluster
def test_a_missing_image_is_told_and_one_that_comes_is_taken(daemon, cluster, namespace, image):
    name = f"localhost/{namespace.name}:1"
    configure(daemon, name)
    load(daemon)
    assert name in reason(daemon, "ImagePullBackOff", "ErrImagePull")
    cluster.in_node("ctr", "-n", "k8s.io", "images", "tag", image, name)
    ready(daemon)


def test_an_exceeded_quota_is_told_and_more_room_is_used(daemon, namespace, image):
    namespace.apply([{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
                      "spec": {"hard": {"pods": "0"}}}])
    eventually(lambda: namespace.get("resourcequota", "none").get("status", {}).get("hard"),
               "the quota")
    configure(daemon, image)
    load(daemon)
    assert "exceeded quota: none" in reason(daemon, "QuotaExceeded")
    namespace.kubectl("delete", "resourcequota", "none")
    ready(daemon)
