"""The image on a real node: `jsorc host` as a pod, as examples/hello has it."""

import json

import pytest
from kube import eventually, kustomize, with_image
from programs import ROOT

TEXT = {"text": "to be or not to be", "least": 2}
COUNTS = {"to": 2, "be": 2}


@pytest.fixture
def words(cluster, namespace, image):
    """The Deployment `words` of examples/hello, ready."""
    namespace.apply(with_image(kustomize(cluster, ROOT / "examples/hello"), namespace.name, image))
    namespace.rollout("deployment/words")
    return namespace


def test_a_module_answers_through_its_service(words):
    client = words.client("words")
    assert client.post("/count/", TEXT).json() == COUNTS
    spec = client.get("/jaseci_actions_spec/").json()
    assert spec["words.count"][:2] == ["text", "least"]


def test_it_runs_without_rights_and_ends_when_told(words):
    [pod] = words.list("pods")
    name = pod["metadata"]["name"]
    status = words.kubectl("exec", name, "--", "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["65532"] * 4
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    refused = words.kubectl("exec", name, "--", "python3", "-c", """
import errno, pathlib
try:
    pathlib.Path("/usr/local/new").touch()
except OSError as error:
    print(errno.errorcode[error.errno])
""")
    assert refused.strip() == "EROFS"

    words.kubectl("scale", "deployment/words", "--replicas=0")
    eventually(lambda: not words.list("pods"), "the end of the pod", 20)
    events = json.loads(words.kubectl("get", "events", "-o", "json"))["items"]
    reasons = {event["reason"] for event in events}
    assert "Killing" in reasons
    assert not reasons & {"BackOff", "Failed", "FailedPreStopHook"}


def test_a_pod_that_is_deleted_is_replaced(words):
    client = words.client("words")
    [pod] = words.list("pods")
    words.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")

    def replaced():
        names = {item["metadata"]["name"] for item in words.list("pods")
                 if item["status"].get("phase") == "Running"}
        return names - {pod["metadata"]["name"]}

    eventually(replaced, "another pod")
    words.rollout("deployment/words")
    eventually(lambda: client.post("/count/", TEXT).json() == COUNTS, "an answer of the new pod")
