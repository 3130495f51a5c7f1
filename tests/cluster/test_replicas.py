"""Several daemons on the cluster that share their state: the overlay `replicas`. All serve; the one
that holds the Lease decides. The database runs beside the cluster; its socket is in a volume."""

import threading
import time

import pytest
from daemons import Admin, deploy
from kube import eventually
from programs import Client

PORT = 8642
LEASE_SECONDS = 5  # the setting's default
TEXT = {"text": "to be or not to be", "least": 2}
COUNTS = {"to": 2, "be": 2}
PODS = "app.kubernetes.io/name=jsorc"
# What a client of a Service does when its connection fails: again, on another one.
ATTEMPTS_MAX, PAUSE_S = 50, 0.2
pytestmark = pytest.mark.own_cluster


class Callers:
    """Clients of the Service, each with a connection a call, so that all replicas get some. A call
    has failed when its answer is wrong, or when ATTEMPTS_MAX connections failed; failed
    connections are counted."""

    def __init__(self, daemon, count=4):
        self.daemon, self.end = daemon, threading.Event()
        self.good, self.lost, self.failed, self.longest_s = 0, 0, [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def run(self):
        while not self.end.wait(0.005):
            begun = time.monotonic()
            reply, lost = self.call()
            with self.lock:
                self.lost += lost
                self.longest_s = max(self.longest_s, time.monotonic() - begun)
                if reply and reply.status == 200 and reply.json() == COUNTS:
                    self.good += 1
                else:
                    self.failed.append((reply.status, reply.body) if reply else "no connection")

    def call(self):
        """The Reply, None without one, and how many connections failed."""
        for lost in range(ATTEMPTS_MAX):
            try:
                return self.daemon.call("words.count", **TEXT), lost
            except OSError:
                time.sleep(PAUSE_S)
        return None, ATTEMPTS_MAX

    def more(self, count=50):
        end = self.good + count
        eventually(lambda: self.good >= end or self.failed, f"{count} more calls")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *exception):
        self.end.set()
        for thread in self.threads:
            thread.join()
        if exception[0] is None:
            assert not self.failed, (len(self.failed), self.good, self.failed[:3])

    def told(self):
        return (f"{self.good} calls through the Service, {len(self.failed)} failed, {self.lost} "
                f"connections lost and made anew, the longest call {self.longest_s:.2f} s")


class Replicas:
    """Two daemons of the overlay, each also by its own address."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.admin = Admin(namespace, "replicas")

    def pods(self):
        """Name -> pod, of those that serve."""
        return {pod["metadata"]["name"]: pod for pod in self.namespace.list("pods", PODS)
                if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("podIP")}

    def state(self, pod):
        """Of one daemon; {} while it does not answer."""
        try:
            reply = Client(pod["status"]["podIP"], PORT).post(
                "/js_admin/jsorc_status", {}, token=self.admin.token, timeout=5)
        except OSError:
            return {}
        return reply.json()["state"] if reply.status == 200 else {}

    def leader(self):
        """(name, state) of the one that decides, once there is one."""
        def find():
            found = [(name, self.state(pod)) for name, pod in self.pods().items()]
            leading = [(name, state) for name, state in found if state.get("leads")]
            return leading[0] if len(leading) == 1 else None
        return eventually(find, "one that decides")

    def successor(self, former):
        """Waits until another one decides; its name, and how many seconds that took."""
        begun = time.monotonic()
        while time.monotonic() < begun + 120:
            for name, pod in self.pods().items():
                if name != former and self.state(pod).get("leads"):
                    return name, time.monotonic() - begun
            time.sleep(0.02)
        raise AssertionError("no other one decides")

    def record(self):
        return self.namespace.get("lease", "jsorc")["spec"]


@pytest.fixture
def replicas(namespace, image, tmp_path, database_server):
    database = database_server.create()  # not for another test: the pods end some time after this
    name = database.split("/")[3].partition("?")[0]
    namespace.volume(database_server.folder, "database")
    namespace.apply([
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "database"},
         "spec": {"accessModes": ["ReadWriteOnce"],
                  "resources": {"requests": {"storage": "1Gi"}}}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "jsorc-database"},
         "stringData": {"password": "not asked for"}}])
    deploy(namespace, image, tmp_path, overlay="replicas", modules=["words.py"],
           settings={"state_url": f"postgresql://jsorc@/{name}?host=/database"},
           volume={"name": "database", "persistentVolumeClaim": {"claimName": "database"}})
    return Replicas(namespace)


def kill_container(cluster, pod):
    """All processes of the pod at once, as the kernel or a crash does it: nothing ends in order."""
    [container] = pod["status"]["containerStatuses"]
    name = container["containerID"].removeprefix("containerd://")
    cluster.in_node("ctr", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL", "-a", name)


def makes_pods(replicas, image):
    """The one that decides does what only it does: it makes the pods of modules."""
    admin, namespace = replicas.admin, replicas.namespace
    assert admin.op("jsorc_actions_config", name="words", config={
        "module": "words", "remote": {"image": image, "memory": "128Mi"}})["success"]
    admin.op("jsorc_actions_load", name="words", mode="remote")
    eventually(lambda: namespace.get("deployment", "words"), "the pods of the module")
    namespace.rollout("deployment/words")


def test_another_one_decides_when_the_leader_is_killed_under_load(replicas, cluster, namespace,
                                                                  image, capsys):
    former, before = replicas.leader()
    assert before["lease"] == "kubernetes"
    record = replicas.record()
    assert record["holderIdentity"] == before["leader"] and former in before["leader"]
    with Callers(replicas.admin) as callers:
        kill_container(cluster, replicas.pods()[former])
        name, took_s = replicas.successor(former)
        callers.more()
        makes_pods(replicas, image)
        callers.more()
    with capsys.disabled():
        print(f"\nleader killed (lease {LEASE_SECONDS} s): another one decided after {took_s:.2f} "
              f"s; {callers.told()}")
    after = replicas.record()
    assert name in after["holderIdentity"]
    assert after["leaseTransitions"] > record["leaseTransitions"]
    # The killed one is there again, and follows.
    eventually(lambda: replicas.state(replicas.pods()[former]).get("leader")
               == after["holderIdentity"], "the former one to know")


def test_no_call_fails_when_the_leader_ends_in_order(replicas, namespace, capsys):
    former, _ = replicas.leader()
    with Callers(replicas.admin) as callers:
        namespace.kubectl("delete", "pod", former, "--wait=false")
        _, took_s = replicas.successor(former)
        namespace.rollout("deployment/jsorc")
        callers.more()
    with capsys.disabled():
        print(f"\nleader deleted: another one decided after {took_s:.2f} s; {callers.told()}")


def test_no_call_fails_in_a_rollout(replicas, namespace, capsys):
    replicas.leader()
    before = set(replicas.pods())
    with Callers(replicas.admin) as callers:
        namespace.kubectl("rollout", "restart", "deployment/jsorc")
        namespace.rollout("deployment/jsorc")
        callers.more()
    with capsys.disabled():
        print(f"\nrolled out anew: {callers.told()}")
    assert not before & set(replicas.pods())
    replicas.leader()
