"""What goes wrong in a cluster: serving goes on where it can, the state says why it cannot, and
everything comes back without a hand. The daemon runs outside of the cluster, as on a laptop."""

import json
import ssl
import time
import urllib.error
import urllib.request

import pytest
from faults import Steady
from kube import eventually, kustomize, with_image
from placement import status
from programs import ROOT

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


class Account:
    """The service account of manifests/, and a kubeconfig that reads its token from a file."""

    def __init__(self, namespace, authority, folder):
        self.namespace, self.authority = namespace, authority
        self.token_file = folder / "token"
        self.kubeconfig = folder / "account"
        server = namespace.cluster.server()
        self.version_url = f"{server}/version"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "clusters": [{"name": "a", "cluster": {"server": server,
                                                   "certificate-authority": str(authority)}}],
            "users": [{"name": "a", "user": {"tokenFile": str(self.token_file)}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]}))
        documents = with_image(kustomize(namespace.cluster, ROOT / "manifests/overlays/single"),
                               namespace.name)
        self.objects = {document["kind"]: document for document in documents
                        if document["kind"] in ("ServiceAccount", "Role", "RoleBinding")}
        namespace.apply(self.objects.values())

    def allow_all_but(self, *names):
        """What the Role of manifests/ allows, without these resources."""
        role = self.objects["Role"]
        rules = [{**rule, "resources": [name for name in rule["resources"] if name not in names]}
                 for rule in role["rules"]]
        self.namespace.apply([{**role, "rules": [rule for rule in rules if rule["resources"]]}])

    def rotate(self, number):
        """A new token in the file, at once, as kubelets do it. It holds until its Secret goes."""
        self.namespace.kubectl("create", "secret", "generic", f"token-{number}")
        token = self.namespace.kubectl(
            "create", "token", "jsorc", "--bound-object-kind", "Secret",
            "--bound-object-name", f"token-{number}").strip()
        new = self.token_file.with_suffix(".new")
        new.write_text(token)
        new.rename(self.token_file)
        return token

    def is_refused(self, token):
        request = urllib.request.Request(self.version_url,
                                         headers={"Authorization": f"Bearer {token}"})
        context = ssl.create_default_context(cafile=self.authority)
        try:
            urllib.request.urlopen(request, context=context, timeout=30).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        return False


@pytest.fixture
def account(namespace, authority, tmp_path):
    return Account(namespace, authority, tmp_path)


def serve_as(account, serve):
    daemon = serve(options=("--provider", "kubernetes", "--kubeconfig", account.kubeconfig,
                            "--kube-namespace", account.namespace.name,
                            "--start-timeout-s", "600"))
    daemon.expect_log(COMPLAINTS)
    return daemon


def test_a_missing_right_is_told_and_used_once_it_is_granted(serve, account, namespace, image):
    account.allow_all_but("deployments")
    account.rotate(1)
    daemon = serve_as(account, serve)
    configure(daemon, image)
    load(daemon)
    message = reason(daemon, "Forbidden")
    assert "'deployments'" in message and f"serviceaccount:{namespace.name}:jsorc" in message
    account.allow_all_but()
    ready(daemon)


def test_a_rotated_token_is_used_and_no_call_notices(serve, account, namespace, image):
    first = account.rotate(1)
    daemon = serve_as(account, serve)
    configure(daemon, image)
    ready(daemon)
    before = namespace.get("deployment", "words")["metadata"]["uid"]
    with Steady(daemon, "words.count", pause_s=0.01, **TEXT):
        account.rotate(2)
        namespace.kubectl("delete", "secret", "token-1")
        eventually(lambda: account.is_refused(first), "the end of the first token")
        # It looks after the pods as before, now as who the second one says.
        namespace.kubectl("scale", "deployment/words", "--replicas=2")
        eventually(lambda: namespace.get("deployment", "words")["spec"]["replicas"] == 1,
                   "the replicas that are asked for")
    namespace.kubectl("delete", "deployment", "words")
    eventually(lambda: (namespace.get("deployment", "words") or {"metadata": {"uid": before}})
               ["metadata"]["uid"] != before, "the Deployment again")
    ready(daemon)
