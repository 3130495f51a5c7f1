"""The cluster of tests/cluster, as dev/cluster makes it and kubectl shows it."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import yaml
from programs import ROOT, Client, wait_until

DEV_CLUSTER = ROOT / "dev/cluster"
GIVEN = "JSORC_TEST_KUBECONFIG"
IMAGE = "localhost/jsorc:test"
UP_SECONDS_MAX = 240
COMMAND_SECONDS_MAX = 120
POLL_SECONDS = 0.3
READY_SECONDS_MAX = 45
# Generous: the machine may be busy with other things.
ROLLOUT_SECONDS_MAX = 180


def run(*words, stdin=None, seconds=COMMAND_SECONDS_MAX, check=True):
    """Returns the CompletedProcess; its output is text. A failure shows what it wrote."""
    result = subprocess.run([str(word) for word in words], input=stdin, capture_output=True,
                            text=True, timeout=seconds)
    assert not check or result.returncode == 0, \
        f"{' '.join(map(str, words))} ended with {result.returncode}:\n" \
        f"{result.stdout}{result.stderr}"
    return result


def reason_against():
    """Why this machine cannot have a cluster with a node; empty when it can."""
    return run(DEV_CLUSTER, "can", check=False).stdout.strip()


def eventually(condition, what, seconds=READY_SECONDS_MAX):
    """Polls until condition returns something true, and returns that; seconds as of wait_until."""
    return wait_until(condition, seconds, what, poll=POLL_SECONDS)


class Cluster:
    """A cluster with all its data in a folder; or the one that $JSORC_TEST_KUBECONFIG names."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.kubectl_path = Path(run(DEV_CLUSTER, "build", seconds=3600).stdout.strip()) / "kubectl"
        self.kubeconfig = None
        self.given = GIVEN in os.environ

    def up(self, *options):
        """Starts it, or what has ended of it. In two tries: its parts wait for each other with
        limits that a busy machine can exceed."""
        words = [DEV_CLUSTER, "up", self.folder, *options]
        result = run(*words, seconds=UP_SECONDS_MAX, check=False)
        if result.returncode != 0:
            result = run(*words, seconds=UP_SECONDS_MAX)
        self.kubeconfig = Path(result.stdout.strip())

    def server(self):
        """The URL of its API server."""
        return yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    def down(self):
        run(DEV_CLUSTER, "down", self.folder)

    def kill(self, program):
        run(DEV_CLUSTER, "kill", self.folder, program)

    def load_image(self, name, root, *command):
        run(DEV_CLUSTER, "load-image", self.folder, name, root, *command)

    def in_node(self, *command):
        return run(DEV_CLUSTER, "in-node", self.folder, *command).stdout

    def kubectl(self, *words, **options):
        return run(self.kubectl_path, "--kubeconfig", self.kubeconfig, *words, **options).stdout


class Namespace:
    """One namespace, with the strictest pod security that Kubernetes has."""

    LEVEL = "restricted"

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.volumes = []

    def create(self):
        labels = {f"pod-security.kubernetes.io/{mode}": self.LEVEL for mode in ("enforce", "warn")}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.name, "labels": labels}}))
        eventually(lambda: self.get("serviceaccount", "default"), "a service account", 15)
        return self

    def delete(self):
        """Does not wait for the end of what runs there."""
        self.kubectl("delete", "namespace", self.name, "--wait=false")
        for name in self.volumes:
            self.kubectl("delete", "persistentvolume", name, "--wait=false")

    def kubectl(self, *words, **options):
        return self.cluster.kubectl("-n", self.name, *words, **options)

    def apply(self, documents, *options):
        """documents: a list of objects. Returns what kubectl said."""
        return self.kubectl("apply", "--server-side", *options, "-f", "-",
                            stdin=yaml.safe_dump_all(documents))

    def get(self, kind, name):
        """The object, or None when there is none."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else None

    def list(self, kind, selector=""):
        return json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]

    def rollout(self, what, seconds=ROLLOUT_SECONDS_MAX):
        """Waits until it, "deployment/NAME" or its like, runs in its newest version alone."""
        self.kubectl("rollout", "status", what, f"--timeout={seconds}s",
                     seconds=seconds + 30)

    def client(self, service):
        """An HTTP client of a Service, which answers by now: its rules reach a node a moment after
        its pods are ready."""
        spec = self.get("service", service)["spec"]
        client = Client(spec["clusterIP"], spec["ports"][0]["port"])
        eventually(lambda: _answers(client), f"an answer of the Service '{service}'", 15)
        return client

    def volume(self, folder, claim):
        """A folder of this machine as the volume that `claim` will be bound to: our own cluster
        has no storage class. A given one must have a default one."""
        if self.cluster.given:
            return
        folder.mkdir(mode=0o777, exist_ok=True)
        folder.chmod(0o777)
        name = f"{self.name}-{claim}"
        self.volumes.append(name)
        self.apply([{
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                     "persistentVolumeReclaimPolicy": "Retain",
                     "claimRef": {"namespace": self.name, "name": claim},
                     "hostPath": {"path": str(folder)}}}])

    def describe(self):
        """What a person would look at after a failure."""
        parts = [self.kubectl("get", "all,events", "-o", "wide", check=False)]
        for pod in self.list("pods"):
            name = pod["metadata"]["name"]
            parts.append(f"--- {name}")
            parts.append(self.kubectl("logs", name, "--all-containers", "--tail=100", check=False))
        return "\n".join(parts)


def _answers(client):
    try:
        return client.get("/healthz", timeout=5).status < 500
    except OSError:
        return False


def kustomize(cluster, folder):
    """The objects of a kustomization."""
    return _documents(cluster.kubectl("kustomize", folder))


def helm(*words):
    """The objects that `helm template` writes."""
    return _documents(run(helm_path(), "template", *words).stdout)


def helm_path():
    return run(DEV_CLUSTER, "helm", seconds=3600).stdout.strip()


def _documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def with_image(documents, namespace, image=IMAGE):
    """The same objects in another namespace, with the image under test."""
    for document in documents:
        document["metadata"]["namespace"] = namespace
        for subject in document.get("subjects", []):
            subject["namespace"] = namespace
        if document["kind"] in ("Deployment", "StatefulSet"):
            for container in document["spec"]["template"]["spec"]["containers"]:
                container["image"] = image
    return documents
