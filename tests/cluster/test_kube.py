"""The Kubernetes client (src/provider/kubernetes/kube.h) against a real API server, by its test
program kube_talk."""

import base64
import json
import shutil
import time
from urllib.parse import urlsplit

import pytest
import yaml
from kube import eventually
from kube_proxy import Relay
from kube_talk import KubeTalk

SHORT = {"try_timeout_ms": 5000, "backoff_ms_min": 20, "backoff_ms_max": 1000}


@pytest.fixture
def kube(cluster, namespace):
    with KubeTalk(kubeconfig=str(cluster.kubeconfig), namespace=namespace.name, **SHORT) as talk:
        yield talk


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name, image="localhost/none:1"):
    """One that restricted pod security allows."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"restartPolicy": "Never", "securityContext": {
                         "runAsNonRoot": True, "runAsUser": 1000,
                         "seccompProfile": {"type": "RuntimeDefault"}},
                     "containers": [{"name": "main", "image": image,
                                     "securityContext": {"allowPrivilegeEscalation": False,
                                                         "capabilities": {"drop": ["ALL"]}}}]}}


def values(view):
    return {name: obj["data"] for (_, name), obj in view.objects.items()
            if name != "kube-root-ca.crt"}


def test_applies_and_tells_conflicts_and_wrong_fields(kube, namespace):
    assert kube.apply(config_map("a", k="1"))["outcome"] == "ok"
    dry = kube.apply(config_map("dry", k="1"), dry_run=True)
    assert dry["outcome"] == "ok" and dry["object"]["data"] == {"k": "1"}
    assert kube.get("v1", "ConfigMap", "dry")["outcome"] == "not-found"

    namespace.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data":{"k":"2"}}')
    conflict = kube.apply(config_map("a", k="3"))
    assert conflict["outcome"] == "conflict" and "with force" in conflict["error"]
    assert kube.apply(config_map("a", k="3"), force=True)["object"]["data"] == {"k": "3"}
    # What we applied before and apply no more goes.
    assert "data" not in kube.apply(config_map("a"), force=True)["object"]

    wrong = kube.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"},
                        "spec": {"replicas": -1, "selector": {"matchLabels": {"a": "b"}},
                                 "template": {"metadata": {"labels": {"a": "b"}},
                                              "spec": {"containers": []}}}})
    assert wrong["outcome"] == "invalid" and "spec.replicas" in wrong["error"], wrong


def test_changes_only_what_is_still_the_same(kube):
    made = kube.apply(config_map("a", k="1"))["object"]
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]},
             "data": {"k": "2"}}
    assert kube.ask("patch", patch=patch, **ref)["outcome"] == "ok"
    assert kube.ask("patch", patch=patch, **ref)["outcome"] == "conflict"
    assert kube.ask("delete", uid="not-this-one", **ref)["outcome"] == "conflict"
    assert kube.ask("create", object=config_map("a"))["outcome"] == "exists"
    assert kube.ask("delete", uid=made["metadata"]["uid"], **ref)["outcome"] == "ok"
    assert kube.ask("delete", **ref)["outcome"] == "not-found"


def test_knows_a_kind_as_soon_as_it_is_installed(kube, namespace):
    group = f"{namespace.name}.example.org"
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": f"tools.{group}"},
           "spec": {"group": group, "scope": "Namespaced",
                    "names": {"plural": "tools", "singular": "tool", "kind": "Tool"},
                    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
                        "openAPIV3Schema": {"type": "object",
                                            "x-kubernetes-preserve-unknown-fields": True}}}]}}
    tool = {"apiVersion": f"{group}/v1", "kind": "Tool", "metadata": {"name": "saw"}}
    view = kube.watch(f"{group}/v1", "Tool")
    view.until(lambda view: view.troubles == ["no-kind"], "the watch to say that it has no kind")
    assert kube.apply(tool)["outcome"] == "no-kind"
    try:
        assert kube.apply(crd)["outcome"] == "ok"
        eventually(lambda: kube.apply(tool)["outcome"] == "ok", "the kind to be known")
        view.until(lambda view: [key[1] for key in view.objects] == ["saw"] and
                   view.troubles[-1] == "well", "the tool to be seen")
    finally:
        assert kube.ask("delete", **{"apiVersion": crd["apiVersion"], "kind": crd["kind"],
                                     "name": crd["metadata"]["name"]})["outcome"] == "ok"
    view.until(lambda view: not view.objects, "the tools to be gone with their kind")


def test_lists_by_pages_and_watches_what_changes(cluster, namespace):
    with KubeTalk(kubeconfig=str(cluster.kubeconfig), namespace=namespace.name, page_items=4,
                  **SHORT) as kube:
        for i in range(10):
            assert kube.apply(config_map(f"c-{i}", k=str(i)))["outcome"] == "ok"
        listed = kube.ask("list", apiVersion="v1", kind="ConfigMap")["object"]
        names = {item["metadata"]["name"] for item in listed["items"]}
        assert names >= {f"c-{i}" for i in range(10)}
        assert {item["kind"] for item in listed["items"]} == {"ConfigMap"}
        view = kube.watch("v1", "ConfigMap")
        view.until(lambda view: view.synced == 1 and len(values(view)) == 10, "all to be seen")
        kube.apply(config_map("c-3", k="new"))
        kube.ask("delete", apiVersion="v1", kind="ConfigMap", name="c-4")
        view.until(lambda view: values(view) == {**{f"c-{i}": {"k": str(i)} for i in range(10)
                                                    if i != 4}, "c-3": {"k": "new"}},
                   "the changes to be seen")
        assert view.synced == 1 and not view.troubles


def test_uses_one_connection_for_all_that_it_does(kube):
    views = [kube.watch("v1", kind) for kind in ("ConfigMap", "Secret", "Pod", "Service")]
    for view in views:
        view.until(lambda view: view.synced == 1, "the watch to begin")
    for number in [kube.begin("get", apiVersion="v1", kind="ConfigMap", name="kube-root-ca.crt")
                   for _ in range(50)]:
        assert kube.answer(number)["outcome"] in ("ok", "not-found")
    # HTTP/2: one, and a second one while the first is being made.
    assert kube.connections() <= 2


def test_leaves_a_connection_that_is_dead_without_a_sign(cluster, namespace, tmp_path):
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]
    host, port = server["server"].removeprefix("https://").rsplit(":", 1)
    with Relay(host, int(port)) as relay:
        server.update({"server": f"https://127.0.0.1:{relay.port}", "tls-server-name": host})
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        with KubeTalk(kubeconfig=str(tmp_path / "config"), namespace=namespace.name,
                      try_timeout_ms=2000, silence_ms_max=3000) as kube:
            view = kube.watch("v1", "ConfigMap")
            assert kube.apply(config_map("a", k="1"))["outcome"] == "ok"
            view.until(lambda view: values(view) == {"a": {"k": "1"}}, "the first to be seen")
            before = relay.accepted
            relay.freeze()
            assert kube.apply(config_map("b", k="2"))["outcome"] == "ok"  # at the second try
            view.until(lambda view: values(view) == {"a": {"k": "1"}, "b": {"k": "2"}},
                       "the watch to go on")
            assert relay.accepted > before
            assert view.changes.count(("ADDED", (namespace.name, "a"))) == 1


def account(namespace, name):
    """A service account without rights; its token."""
    namespace.kubectl("create", "serviceaccount", name)
    return namespace.kubectl("create", "token", name).strip()


@pytest.fixture
def stranger(cluster, namespace, authority, tmp_path):
    """KubeTalk of a service account without rights; its token lies in tmp_path/token."""
    (tmp_path / "token").write_text(account(namespace, "stranger"))
    with KubeTalk(api_server=cluster.server(), ca_file=str(authority),
                  token_file=str(tmp_path / "token"), namespace=namespace.name, **SHORT) as talk:
        yield talk


def test_says_which_right_is_missing_and_sees_when_it_is_there(stranger, namespace):
    who = f"system:serviceaccount:{namespace.name}:stranger"
    view = stranger.watch("v1", "ConfigMap")
    denied = stranger.apply(config_map("a"))
    assert denied["outcome"] == "forbidden"
    assert denied["error"] == (
        f"cannot patch ConfigMap 'a' in namespace '{namespace.name}': not allowed: grant '{who}' "
        f"the verb 'patch' on resource 'configmaps' of API group '' in namespace "
        f"'{namespace.name}', by a Role")
    ref = {"apiVersion": "v1", "kind": "ConfigMap"}
    may = stranger.ask("access", verb="patch", **ref)
    assert may["outcome"] == "ok" and not may["object"]["status"]["allowed"]
    view.until(lambda view: view.troubles == ["forbidden"], "the watch to say that it may not")

    namespace.kubectl("create", "role", "maps", "--resource=configmaps",
                      "--verb=get,list,watch,patch,create")
    namespace.kubectl("create", "rolebinding", "maps", "--role=maps",
                      f"--serviceaccount={namespace.name}:stranger")
    eventually(lambda: stranger.apply(config_map("a"))["outcome"] == "ok", "the right to be there")
    assert stranger.ask("access", verb="patch", **ref)["object"]["status"]["allowed"]
    rules = stranger.ask("rules")["object"]["status"]["resourceRules"]
    assert any("configmaps" in rule["resources"] and "patch" in rule["verbs"] for rule in rules)
    view.until(lambda view: ("well" in view.troubles and
                             (namespace.name, "a") in view.objects), "the watch to go on")


def test_reads_a_rotated_token(stranger, namespace, tmp_path):
    good = (tmp_path / "token").read_text()
    assert stranger.ask("raw", path="/version")["outcome"] == "ok"
    (tmp_path / "token").write_text("not.a.token")
    # The old one is used until it is read again, after some seconds.
    eventually(lambda: stranger.ask("raw", path="/version")["outcome"] == "unauthorized",
               "the wrong token to be read")
    (tmp_path / "token").write_text(good)
    assert stranger.ask("raw", path="/version")["outcome"] == "ok"  # read again at once, on 401


def test_in_a_pod_it_finds_its_own_account(cluster, namespace, authority, tmp_path, monkeypatch):
    server = urlsplit(cluster.server())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", server.hostname)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port or 443))
    folder = tmp_path / "account"
    folder.mkdir()
    shutil.copy(authority, folder / "ca.crt")
    (folder / "token").write_text(account(namespace, "inside"))
    (folder / "namespace").write_text(namespace.name)
    with KubeTalk(in_cluster=True, service_account_folder=str(folder)) as kube:
        denied = kube.get("v1", "ConfigMap", "a")
        assert denied["outcome"] == "forbidden" and f":{namespace.name}:inside" in denied["error"]


def test_says_what_admission_refuses(kube, namespace):
    naked = pod("naked")
    del naked["spec"]["securityContext"]
    refused = kube.apply(naked)
    assert refused["outcome"] == "refused" and "level of pod security" in refused["error"]

    namespace.kubectl("create", "quota", "none", "--hard=pods=0")
    eventually(lambda: kube.get("v1", "ResourceQuota", "none")["object"].get("status", {})
               .get("used"), "the quota to be counted")
    refused = kube.apply(pod("over"))
    assert refused["outcome"] == "refused" and "raise the ResourceQuota" in refused["error"]


def test_reads_logs_and_events_of_a_pod(kube, image):
    says = pod("says", image)
    says["spec"]["containers"][0]["command"] = ["/bin/echo", "hello from here"]
    assert kube.apply(says)["outcome"] == "ok"
    assert kube.apply(pod("cannot"))["outcome"] == "ok"

    def said():
        # Of a pod that has no node yet the API server answers an empty log.
        answer = kube.ask("log", name="says")
        return answer["outcome"] == "ok" and answer["text"]

    assert eventually(said, "a log") == "hello from here\n"
    early = kube.ask("log", name="cannot")
    assert early["outcome"] == "invalid" and "is waiting to start" in early["error"], early

    cannot = kube.get("v1", "Pod", "cannot")["object"]
    eventually(lambda: any("localhost/none:1" in event["message"] and event["reason"] == "Failed"
                           for event in kube.ask("events", object=cannot)["object"]["items"]),
               "an event about the image")


@pytest.mark.own_cluster
def test_goes_on_after_the_api_server_was_killed(cluster, kube):
    view = kube.watch("v1", "ConfigMap")
    view.until(lambda view: view.synced == 1, "the watch to begin")
    kube.apply(config_map("before", k="1"))
    cluster.kill("kube-apiserver")
    down = kube.get("v1", "ConfigMap", "before")
    assert down["outcome"] == "unreachable" and "check that it runs" in down["error"], down
    view.until(lambda view: view.troubles == ["unreachable"], "the watch to say so")
    cluster.up("--node")
    eventually(lambda: kube.apply(config_map("after", k="2"))["outcome"] == "ok", "it to be back")
    view.until(lambda view: values(view) == {"before": {"k": "1"}, "after": {"k": "2"}},
               "the watch to go on")
    assert view.troubles[-1] == "well"
    added = [key[1] for change, key in view.changes if change == "ADDED"]
    assert sorted(added) == sorted(set(added)), "told twice"


def credentials(cluster, namespace, user):
    """What a plugin would give: the kubeconfig's own certificate, inline or in files, and where it
    has none a token of an account that may edit the namespace."""
    def text(name):
        if path := user.get(name):
            return (cluster.kubeconfig.parent / path).read_text()
        data = user.get(f"{name}-data")
        return data and base64.b64decode(data).decode()

    if text("client-key"):
        return {"clientCertificateData": text("client-certificate"),
                "clientKeyData": text("client-key")}
    token = account(namespace, "editor")
    namespace.kubectl("create", "rolebinding", "editor", "--clusterrole=edit",
                      f"--serviceaccount={namespace.name}:editor")
    return {"token": token}


def test_runs_the_kubeconfigs_exec_plugin(cluster, namespace, tmp_path):
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    given = credentials(cluster, namespace, config["users"][0]["user"])
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 12))
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {**given, "expirationTimestamp": expiry}}
    (tmp_path / "credential").write_text(json.dumps(credential))
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho run >>\"${0%/*}/runs\"\ncat \"${0%/*}/credential\"\n")
    plugin.chmod(0o755)
    config["users"][0]["user"] = {"exec": {"apiVersion": credential["apiVersion"],
                                           "command": "./plugin", "interactiveMode": "Never"}}
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    with KubeTalk(kubeconfig=str(tmp_path / "config"), namespace=namespace.name) as kube:
        assert kube.apply(config_map("a"))["outcome"] == "ok"
        assert (tmp_path / "runs").read_text() == "run\n"
        # It is run again when what it gave is about to expire.
        eventually(lambda: kube.get("v1", "ConfigMap", "a")["outcome"] == "ok" and
                   (tmp_path / "runs").read_text().count("run") > 1, "a second run")
