"""Backing services as pods of the cluster: the original's META_CONFIG brings them up, and what
somebody does to their objects is repaired."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from daemons import Admin, deploy
from kube import eventually

# As the original's older version has it.
META = {"automation": True, "backoff_interval": 10, "namespace": "default",
        "keep_alive": ["promon", "redis", "task", "mail"],
        "kubernetes": {"in_cluster": True, "config": None}}
# The images that the built-in manifests name, made of the servers of this machine: with the names
# that their programs have in the published images.
IMAGES = {
    "docker.io/library/redis:7.0": {"redis-server": "redis-server", "redis-cli": "redis-cli",
                                    "sh": "sh", "grep": "grep"},
    "docker.io/prom/prometheus:v2.42.0": {"prometheus": "prometheus"},
    "docker.io/prom/node-exporter:v1.5.0": {"node_exporter": "prometheus-node-exporter"},
}
CLAIMS = ("jsorc-redis", "jsorc-prometheus")
SERVICES = ("redis", "prome", "node_exporter")
SECONDS_MAX = 20  # a quiet machine needs at the most


@pytest.fixture(scope="module")
def images(cluster, tmp_path_factory):
    """What the pods of services run, on the node."""
    for image, programs in () if cluster.given else IMAGES.items():
        root = tmp_path_factory.mktemp("image")
        (root / "tmp").mkdir(mode=0o1777)
        for name, program in programs.items():
            _add_program(root, shutil.which(program), name)
        cluster.load_image(image, root)
        shutil.rmtree(root)


def _add_program(root, path, name):
    """The program as /usr/bin/NAME, with the libraries that it is linked to."""
    _copy(path, root / "usr/bin" / name)
    linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    for library in {word for word in linked.split() if word.startswith("/")}:
        _copy(library, root / library.lstrip("/"))


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(source).resolve(), target)


@pytest.fixture
def daemon(namespace, image, images, tmp_path):
    for claim in CLAIMS:
        namespace.volume(tmp_path / claim, claim)
    # A server that somebody else runs.
    namespace.apply(mail_server(image))
    deploy(namespace, image, tmp_path, modules=["words.py"],
           settings={"service_interval_s": 1, "service_timeout_s": 5})
    return Admin(namespace)


def mail_server(image):
    labels = {"pod": "mail"}
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "mail", "image": image, "securityContext": restricted,
                 "command": ["python3", "-W", "ignore", "-m", "smtpd", "-n", "-c",
                             "DebuggingServer", "0.0.0.0:2525"]}
    pod = {"containers": [container],
           "securityContext": {"runAsNonRoot": True, "runAsUser": 65532,
                               "seccompProfile": {"type": "RuntimeDefault"}}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mail"},
         "spec": {"selector": labels, "ports": [{"port": 2525}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mail"},
         "spec": {"selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": pod}}},
    ]


def info(daemon, name):
    return daemon.op("service_info", name=name)


def wait_running(daemon, *names):
    def reached():
        found = {name: info(daemon, name) for name in names}
        missing = {name: (now["state"], now["error"], now.get("objects"))
                   for name, now in found.items() if now["state"] != "RUNNING"}
        wait_running.missing = missing
        return found if not missing else None

    try:
        return eventually(reached, f"{names} running", SECONDS_MAX)
    except AssertionError:
        raise AssertionError(f"not running: {wait_running.missing}") from None


def redis(daemon, method, *args):
    return daemon.op("service_call", svc="redis",
                     attrs=[{"attr": method, "callable": True, "args": args}])


def deployment(namespace, name="jsorc-redis"):
    return namespace.get("deployment", name)


def scraped(daemon):
    """{job: how many of its targets are up}"""
    reply = daemon.client.get("/prometheus/api/v1/query?query=sum(up)by(job)", token=daemon.token)
    if reply.status != 200:
        return None
    return {row["metric"]["job"]: int(row["value"][1])
            for row in reply.json()["data"]["result"]}


def use_meta_config(daemon, **changes):
    daemon.op("config_set", name="META_CONFIG", value=META | changes)
    assert daemon.op("service_refresh", name="meta")["success"] is True


@pytest.fixture
def kept(daemon):
    """All services of META_CONFIG running, after config_set and service_refresh."""
    daemon.op("config_set", name="PROME_CONFIG", value={"scrape_interval": "1s"})
    daemon.op("config_set", name="MAIL_CONFIG",
              value={"host": "mail", "port": 2525, "security": "none", "enabled": True})
    use_meta_config(daemon)
    found = wait_running(daemon, *SERVICES, "mail")
    assert {found[name]["provider"] for name in SERVICES} == {"kubernetes"}
    assert found["mail"]["provider"] == "address"
    return daemon


def test_meta_config_brings_them_up_and_deletions_are_repaired(kept, namespace):
    assert meta_config(kept)["keep_alive"] == META["keep_alive"]
    assert redis(kept, "set", "x", "kept on its claim") is True
    eventually(lambda: scraped(kept) == {"jsorc": 1, "prometheus": 1, "node": 1},
               "all targets", 60)
    for name in ("jsorc-redis", "jsorc-prometheus"):
        before = deployment(namespace, name)["metadata"]["uid"]
        namespace.kubectl("delete", "deployment", name)
        eventually(lambda name=name, before=before: (deployment(namespace, name) or {}).get(
            "metadata", {}).get("uid", before) != before, f"deployment '{name}' anew")
        namespace.rollout(f"deployment/{name}")
    namespace.kubectl("delete", "daemonset", "jsorc-node-exporter")
    eventually(lambda: namespace.get("daemonset", "jsorc-node-exporter"), "the daemonset anew")
    eventually(lambda: redis(kept, "get", "x") == "kept on its claim", "what redis was given", 60)
    wait_running(kept, *SERVICES, "mail")
    eventually(lambda: scraped(kept) == {"jsorc": 1, "prometheus": 1, "node": 1},
               "all targets again", 60)

    # And what nobody wants any more goes, but for the data.
    use_meta_config(kept, keep_alive=["mail"])
    eventually(lambda: not any(namespace.get("deployment", name) for name in CLAIMS),
               "the end of the deployments")
    assert all(namespace.get("persistentvolumeclaim", name) for name in CLAIMS)
    assert info(kept, "redis")["provider"] == "embedded"


def test_a_patch_rolls_out_and_its_end_brings_ours_back(kept, namespace, tmp_path):
    documents = [json.loads(namespace.kubectl("get", kind, "jsorc-redis", "-o", "json"))
                 for kind in ("secret", "persistentvolumeclaim", "service", "deployment")]
    for document in documents:
        document.pop("status", None)
        document["metadata"] = {"name": document["metadata"]["name"]}
    documents[1]["spec"].pop("volumeName", None)
    documents[2]["spec"] = {key: documents[2]["spec"][key] for key in ("selector", "ports")}
    pod = documents[3]["spec"]["template"]
    pod["metadata"]["annotations"]["patched"] = "yes"
    pod["spec"]["containers"][0]["command"] += ["--maxclients", "77"]
    answer = kept.op("apply_yaml", service="redis", file=yaml.safe_dump_all(documents))
    assert "Deployment" in answer, answer

    def maxclients():
        pods = namespace.list("pods", "pod=jsorc-redis")
        words = [pod["spec"]["containers"][0]["command"][-1] for pod in pods
                 if any(c["ready"] for c in pod["status"].get("containerStatuses", []))]
        return words == ["77"]

    eventually(maxclients, "a pod of the patch", SECONDS_MAX)
    wait_running(kept, "redis")
    assert redis(kept, "set", "y", "1") is True

    kept.op("config_delete", name="REDIS_MANIFEST")
    kept.op("service_refresh", name="redis", timeout=100)
    eventually(lambda: "patched" not in deployment(namespace)["spec"]["template"]["metadata"][
        "annotations"], "our own manifest again")
    namespace.rollout("deployment/jsorc-redis")
    eventually(lambda: redis(kept, "get", "y") == "1", "what redis was given", 60)

    # The daemon's next pod finds them, and changes nothing.
    before = [deployment(namespace, name)["metadata"] for name in CLAIMS]
    namespace.kubectl("delete", "pod", "jsorc-0")
    namespace.rollout("statefulset/jsorc")
    wait_running(Admin(namespace, token=kept.token), *SERVICES, "mail")
    for was, name in zip(before, CLAIMS, strict=True):
        now = deployment(namespace, name)["metadata"]
        assert (now["uid"], now["generation"]) == (was["uid"], was["generation"])


def test_an_image_that_is_missing_is_told_and_the_last_good_config_comes_back(kept):
    answer = kept.op("service_config_set", name="redis", timeout=110,
                     config={"automated": True, "image": "localhost/none:1"})
    assert answer.get("success") is False and "ImagePull" in answer["response"], answer
    wait_running(kept, "redis")
    assert info(kept, "redis")["config"]["image"] == "docker.io/library/redis:7.0"

    # Grafana's image is not to be had here: its objects are taken, and its pod is let in.
    answer = kept.op("service_config_set", name="grafana", timeout=110,
                     config={"automated": True, "image": "localhost/none:1"})
    assert answer["state"] == "FAILED" and "ImagePull" in answer["error"], answer
    objects = info(kept, "grafana")["objects"]
    assert {(row["kind"], row["state"]) for row in objects} == {
        ("Secret", "applied"), ("Service", "applied"), ("Deployment", "applied")}


def meta_config(daemon):
    return json.loads(daemon.op("config_get", name="META_CONFIG"))
