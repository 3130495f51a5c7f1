"""The original's cases for a cluster: what the daemon, itself in the cluster, does with the pods of
modules. They are made of action configs as the original's kits have them."""

import json

import pytest
from daemons import Admin, deploy
from kube import eventually

NAME, POD = "example_module", "test-module"
# A package of action configs with a module that re-exports the functions of an inner one.
KIT = {
    "jac_misc/__init__.py": "",
    "jac_misc/example_module/__init__.py": "from .example_module import *  # noqa\n",
    "jac_misc/example_module/example_module.py": """
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["example_module"], allow_remote=True)
def call(a: str):
    return "example module received " + a + "."
""",
    "walk/three_calls.py": """
import jsorc

@jsorc.walker
def test_benchmark():
    for _ in range(3):
        jsorc.report(jsorc.call("example_module.call", "x"))
""",
}


def manifests(image):
    """One object a kind, as the original's configs have them; but for what a namespace with
    restricted pod security asks of a pod."""
    labels = {"pod": POD}
    container = {
        "name": POD, "image": image, "command": ["bash", "-c", "source /script/prod_up"],
        "ports": [{"containerPort": 8000, "protocol": "TCP"}],
        "env": [{"name": "PYTHONPATH", "value": "/kit"}],
        "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "prod-script", "mountPath": "/script"},
                         {"name": "kit", "mountPath": "/kit"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "Service": {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": POD, "creationTimestamp": None},
            "spec": {"type": "ClusterIP", "selector": labels,
                     "ports": [{"name": "http", "port": 80, "targetPort": 8000}]},
            "status": {"loadBalancer": {}}},
        "ConfigMap": {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": f"{POD}-up", "creationTimestamp": None},
            "data": {"prod_up": "exec jsorc host jac_misc.example_module --listen 0.0.0.0:8000"}},
        "Deployment": {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": POD, "creationTimestamp": None},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": {
                         "metadata": {"name": POD, "labels": labels},
                         "spec": {
                             "containers": [container],
                             "securityContext": {"runAsNonRoot": True, "runAsUser": 65532,
                                                 "seccompProfile": {"type": "RuntimeDefault"}},
                             "volumes": [{"name": "prod-script",
                                          "configMap": {"name": f"{POD}-up", "defaultMode": 420}},
                                         {"name": "kit", "configMap": kit_volume()}],
                             "restartPolicy": "Always", "terminationGracePeriodSeconds": 30}}},
            "status": {}},
    }


def kit_volume():
    """A ConfigMap's keys hold no slash."""
    return {"name": "kit", "items": [{"key": key(path), "path": path} for path in KIT]}


def key(path):
    return path.replace("/", "--")


@pytest.fixture
def daemon(cluster, namespace, image, tmp_path):
    config = {"ACTION_CONFIGS": {NAME: {"module": "jac_misc.example_module",
                                        "loaded_module": "jac_misc.example_module.example_module",
                                        "local_mem_requirement": 10, "remote": manifests(image)}}}
    data = {key(path): text for path, text in KIT.items()}
    files = {**data, "config": f"ACTION_CONFIGS = {config['ACTION_CONFIGS']!r}\n"}
    items = [*kit_volume()["items"], {"key": "config", "path": "jac_misc/config.py"}]
    namespace.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kit"},
                      "data": files}])
    deploy(namespace, image, tmp_path, modules=["three_calls.py"], texts={
        "three_calls.py": KIT["walk/three_calls.py"]}, settings={"provider": "kubernetes"},
        volume={"name": "kit", "configMap": {"name": "kit", "items": items}},
        env={"PYTHONPATH": "/kit"})
    admin = Admin(namespace)
    assert admin.op("jsorc_actions_config", name=NAME, config="jac_misc.config") == {
        "success": True}
    return admin


def pods(namespace):
    return namespace.list("pods", f"pod={POD}")


def load_remote(daemon):
    """Polls as clients of the original do."""
    def ready():
        answer = daemon.op("jsorc_actions_load", name=NAME, mode="remote")
        assert answer["success"] is True, answer
        found = answer["action_status"]
        return found if found["remote"]["status"] == "READY" else None
    return eventually(ready, "READY")


def test_a_module_is_loaded_and_unloaded(daemon):
    loaded = daemon.op("jsorc_actions_load", name=NAME, mode="module", wait=True)["action_status"]
    assert loaded["mode"] == "module"
    assert loaded["module"]["name"] == "jac_misc.example_module"
    assert "jac_misc.example_module.example_module" in daemon.op("actions_module_list")
    assert "example_module.call" in daemon.op("actions_list")
    daemon.op("jsorc_actions_unload", name=NAME, mode="auto")
    assert "jac_misc.example_module.example_module" not in daemon.op("actions_module_list")
    assert "example_module.call" not in daemon.op("actions_list")


def test_a_module_gets_a_pod_by_polling_and_loses_it(daemon, namespace):
    assert load_remote(daemon)["mode"] == "remote"
    assert "example_module.call" in daemon.op("actions_list")
    [pod] = pods(namespace)
    assert pod["status"]["phase"] == "Running"
    assert daemon.call("example_module.call", a="x").json() == "example module received x."
    daemon.op("jsorc_actions_unload", name=NAME, mode="remote", retire_svc=True)
    assert "example_module.call" not in daemon.op("actions_list")
    eventually(lambda: not pods(namespace), "the end of the pod", 25)
    assert namespace.get("service", POD) is None


def test_calls_are_tracked_and_the_walker_is_measured(daemon):
    daemon.op("jsorc_actions_load", name=NAME, mode="module", wait=True)
    daemon.op("jsorc_trackact_start")
    daemon.op("jsorc_benchmark_start")
    run = daemon.client.post("/walkers/test_benchmark", {"ctx": {}}, token=daemon.token)
    assert run.json()["report"] == ["example module received x."] * 3
    report = daemon.op("jsorc_benchmark_stop", report=True)
    assert "test_benchmark" in json.dumps(report)
    tracked = daemon.op("jsorc_trackact_stop")
    assert "example_module.call" in json.dumps(tracked)
    assert daemon.op("jsorc_actionpolicy_set", policy_name="Evaluation")["success"] is True
    assert daemon.op("jsorc_actionpolicy_get")["policy"] == "Evaluation"
