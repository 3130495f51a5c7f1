"""jsorc on the cluster: an overlay as a user changes it, and its API."""

import json
import os
import shutil

import yaml
from kube import kustomize, with_image
from programs import ROOT

WORKLOADS = {"single": "statefulset/jsorc", "replicas": "deployment/jsorc"}
EMAIL, PASSWORD = "you@example.org", "a password of the test"


def deploy(namespace, image, folder, *, modules=(), texts=None, settings=None, volume=None,
           env=None, overlay="single"):
    """The overlay, ready, by a kustomization in `folder` as docs/kubernetes.md has it.

    modules: files of examples/hello, or names in texts; settings: beyond those of the overlay;
    volume: one more, mounted at /NAME."""
    for name in modules:
        if name in (texts or {}):
            (folder / name).write_text(texts[name])
        else:
            shutil.copy(ROOT / "examples/hello" / name, folder)
    manifests = os.path.relpath(ROOT / "manifests", folder)
    kustomization = {
        "resources": [f"{manifests}/overlays/{overlay}"],
        "components": [f"{manifests}/components/modules"],
        "configMapGenerator": [
            {"name": "modules", "namespace": "jsorc", "files": list(modules)}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    documents = with_image(kustomize(namespace.cluster, folder), namespace.name, image)
    for document in documents:
        if document["kind"] == "ConfigMap" and "jsorc.yaml" in document["data"]:
            text = yaml.safe_load(document["data"]["jsorc.yaml"]) | (settings or {})
            document["data"]["jsorc.yaml"] = yaml.safe_dump(text)
        if document["kind"] in ("StatefulSet", "Deployment"):
            _extend(document["spec"]["template"]["spec"], volume, env)
    if overlay == "single":
        namespace.volume(folder / "volume", "jsorc")
    namespace.apply(documents)
    namespace.rollout(WORKLOADS[overlay])


def _extend(pod, volume, env):
    [container] = pod["containers"]
    container["env"] += [{"name": name, "value": value} for name, value in (env or {}).items()]
    if volume:
        pod["volumes"].append(volume)
        container["volumeMounts"].append({"name": volume["name"],
                                          "mountPath": f"/{volume['name']}"})


class Admin:
    """The daemon through its Service, as a superuser: one that is made for it, or that token's."""

    def __init__(self, namespace, overlay="single", token=None):
        self.client = namespace.client("jsorc")
        self.token = token
        if token:
            return
        namespace.kubectl("exec", WORKLOADS[overlay], "--", "jsorc", "user", "create", EMAIL,
                          "-password", PASSWORD)
        reply = self.client.post("/user/token/", {"email": EMAIL, "password": PASSWORD})
        assert reply.status == 200, reply.body
        self.token = reply.json()["token"]

    def op(self, operation, /, **parameters):
        reply = self.client.post(f"/js_admin/{operation}", parameters, token=self.token,
                                 timeout=120)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def call(self, action, /, **arguments):
        return self.client.post(f"/actions/{action}", arguments, token=self.token)
