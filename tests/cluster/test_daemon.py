"""jsorc itself on the cluster: the overlay `single` with the modules of examples/hello."""

import pytest
from daemons import Admin, deploy
from kube import eventually

TEXT = {"text": "to be or not to be", "least": 2}
COUNTS = {"to": 2, "be": 2}


@pytest.fixture
def daemon(namespace, image, tmp_path):
    deploy(namespace, image, tmp_path, modules=["words.py", "hello.py"])
    return Admin(namespace)


def count(daemon):
    try:
        reply = daemon.call("words.count", **TEXT)
    except OSError:
        return None
    return reply.json() if reply.status == 200 else None


def test_it_serves_its_modules_to_those_who_have_a_token(daemon):
    assert daemon.client.post("/actions/words.count", TEXT).status == 401
    assert count(daemon) == COUNTS
    reply = daemon.client.post("/walkers/digest", {"ctx": {"text": "the cat and the cat"}},
                               token=daemon.token)
    assert reply.json()["report"] == [{"word": "cat", "count": 2}]


def test_its_state_outlives_the_pod(daemon, namespace):
    [before] = namespace.list("pods")
    namespace.kubectl("delete", "pod", before["metadata"]["name"])
    namespace.rollout("statefulset/jsorc")
    assert eventually(lambda: count(daemon), "an answer of the new pod") == COUNTS
    [after] = namespace.list("pods")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
