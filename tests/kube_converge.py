"""What a reconciler does, at its simplest: apply what is wanted, delete what is not, try again
after each failure. For the tests behind the proxy that injects faults."""

import time

from kube_talk import KubeTalk, ReconcilerTalk
from programs import wait_until

ROUNDS_MAX = 100
CONVERGE_SECONDS_MAX = 90
# Short, so that a test takes seconds; the proxy's faults do not know of time.
SETTINGS = {"try_timeout_ms": 1000, "silence_ms_max": 1500, "backoff_ms_min": 5,
            "backoff_ms_max": 200, "tries_max": 3, "page_items": 3}
CONNECTIONS_MAX = 12  # 6 for requests, by HTTP/1.1, and three watches
WATCHED = (("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim"), ("apps/v1", "Deployment"))


def config_map(name, value, namespace):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": {"of": "faults"}},
            "data": {"value": value}}


def claim(name, namespace):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"accessModes": ["ReadWriteOnce"],
                     "resources": {"requests": {"storage": "1Mi"}}}}


def deployment(name, replicas, namespace):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"of": name}},
                     "template": {"metadata": {"labels": {"of": name}},
                                  "spec": {"containers": [{"name": "main",
                                                           "image": "localhost/none:1"}]}}}}


def _until_done(kube, begin, work, done):
    """Begins all of work, then again what did not come out as done says."""
    for round_number in range(ROUNDS_MAX):
        numbers = [(begin(kube, item), item) for item in work]
        work = [item for number, item in numbers if not done(kube.answer(number))]
        if not work:
            return
        time.sleep(0.005 * min(round_number, 20))
    raise AssertionError(f"after {ROUNDS_MAX} rounds still to do: {work}")


def apply_all(kube, manifests):
    _until_done(kube, lambda kube, item: kube.begin("apply", object=item, force=True), manifests,
                lambda answer: answer["outcome"] == "ok")


def _get(kube, api_version, kind, namespace, name):
    """The object, or None when it is not there; asks until it is known."""
    for _ in range(ROUNDS_MAX):
        answer = kube.get(api_version, kind, name, namespace=namespace)
        if answer["outcome"] in ("ok", "not-found"):
            return answer["object"] if answer["outcome"] == "ok" else None
    raise AssertionError(f"{kind} {name} cannot be got: {answer}")


def delete_all(kube, refs):
    """refs: (apiVersion, kind, namespace, name). Each only as the very object that is there now."""
    work = []
    for api_version, kind, namespace, name in refs:
        found = _get(kube, api_version, kind, namespace, name)
        assert found is not None
        work.append({"apiVersion": api_version, "kind": kind, "namespace": namespace,
                     "name": name, "uid": found["metadata"]["uid"]})
    _until_done(kube, lambda kube, item: kube.begin("delete", **item), work,
                lambda answer: answer["outcome"] in ("ok", "not-found"))


def state(kube, api_version, kind, namespace):
    """name -> (uid, resourceVersion), by a list."""
    answer = kube.ask("list", apiVersion=api_version, kind=kind, namespace=namespace)
    assert answer["outcome"] == "ok", answer
    return {item["metadata"]["name"]: (item["metadata"]["uid"],
                                       item["metadata"]["resourceVersion"])
            for item in answer["object"]["items"]}


def _seen(view):
    return {name: (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])
            for (_, name), obj in view.objects.items()}


def converge_by_seed(seed, proxy, direct, namespace, compact=lambda: None):
    """Through proxy, with direct as the witness. compact: makes old versions unknown."""
    with KubeTalk(api_server=proxy.url, namespace=namespace, seed=seed + 1, **SETTINGS) as kube:
        views = {kind: kube.watch(version, kind) for version, kind in WATCHED}
        apply_all(kube, [config_map(f"c-{i}", "one", namespace) for i in range(8)] +
                  [claim("data", namespace), deployment("web", 1, namespace)])
        first_claim = state(direct, "v1", "PersistentVolumeClaim", namespace)["data"][0]
        compact()
        apply_all(kube, [config_map(f"c-{i}", "two", namespace) for i in range(4, 8)] +
                  [claim("data", namespace), deployment("web", 2, namespace)])
        delete_all(kube, [("v1", "ConfigMap", namespace, f"c-{i}") for i in range(3)])
        apply_all(kube, [config_map("c-0", "again", namespace)])
        check_state(direct, namespace, first_claim)
        for version, kind in WATCHED:
            wait_until(lambda version=version, kind=kind: _seen(views[kind]) ==
                       state(direct, version, kind, namespace), CONVERGE_SECONDS_MAX,
                       f"the watch of {kind} to tell what is there")
        # What was cut and given up is closed: a connection a request under way at most.
        wait_until(lambda: kube.connections() <= CONNECTIONS_MAX, CONVERGE_SECONDS_MAX,
                   "connections to be closed")
    assert sum(proxy.counts.values()) > 5, proxy.counts


def check_state(direct, namespace, first_claim):
    """What was wanted at last is there, and the claim is the one of the beginning."""
    names = {name for name in state(direct, "v1", "ConfigMap", namespace) if name[:2] == "c-"}
    assert names == {"c-0", "c-3", "c-4", "c-5", "c-6", "c-7"}
    values = {name: direct.get("v1", "ConfigMap", name, namespace=namespace)["object"]["data"]
              ["value"] for name in sorted(names)}
    assert values == {"c-0": "again", "c-3": "one", "c-4": "two", "c-5": "two", "c-6": "two",
                      "c-7": "two"}
    assert state(direct, "v1", "PersistentVolumeClaim", namespace)["data"][0] == first_claim
    web = direct.get("apps/v1", "Deployment", "web", namespace=namespace)["object"]
    assert web["spec"]["replicas"] == 2


def reconcile_by_seed(seed, proxy, direct, namespace, compact=lambda: None):
    """The same by the reconciler, while somebody changes and deletes what is its own."""
    def maps(names, value):
        return [config_map(f"c-{i}", value, namespace) for i in names]

    data, web = claim("data", namespace), deployment("web", 1, namespace)
    with ReconcilerTalk(api_server=proxy.url, namespace=namespace, seed=seed + 1,
                        **SETTINGS) as reconciler:
        reconciler.want("app", [*maps(range(8), "one"), data, web])
        reconciler.until_settled("app", CONVERGE_SECONDS_MAX)
        first_claim = state(direct, "v1", "PersistentVolumeClaim", namespace)["data"][0]
        compact()

        # What somebody changes or deletes comes back; what is not wanted any more goes, but the
        # claim, which is deleted only with a phrase.
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": namespace}
        assert direct.ask("patch", name="c-4", patch={"data": {"value": "other"}},
                          **ref)["outcome"] == "ok"
        assert direct.ask("delete", name="c-5", **ref)["outcome"] == "ok"
        web["spec"]["replicas"] = 2
        reconciler.want("app", [*maps([3], "one"), *maps(range(4, 8), "two"), web])
        wait_until(lambda: _values(direct, namespace) ==
                   {"c-3": "one", **{f"c-{i}": "two" for i in range(4, 8)}},
                   CONVERGE_SECONDS_MAX, f"seed {seed}: what is wanted to be there")
        reconciler.until_settled("app", CONVERGE_SECONDS_MAX)
        assert state(direct, "v1", "PersistentVolumeClaim", namespace)["data"][0] == first_claim

        reconciler.want("app", [*maps([0], "again"), *maps([3], "one"), *maps(range(4, 8), "two"),
                                data, web])
        wait_until(lambda: "c-0" in _values(direct, namespace), CONVERGE_SECONDS_MAX,
                   f"seed {seed}: what is wanted again to be there")
        reconciler.until_settled("app", CONVERGE_SECONDS_MAX)
        check_state(direct, namespace, first_claim)

        reconciler.want("app", None)
        wait_until(lambda: not _values(direct, namespace) and
                   not state(direct, "apps/v1", "Deployment", namespace), CONVERGE_SECONDS_MAX,
                   f"seed {seed}: what is not wanted to be gone")
        assert state(direct, "v1", "PersistentVolumeClaim", namespace)["data"][0] == first_claim
    assert sum(proxy.counts.values()) > 5, proxy.counts


def _values(kube, namespace):
    """name -> data.value of the ConfigMaps that are ours."""
    answer = kube.ask("list", apiVersion="v1", kind="ConfigMap", namespace=namespace)
    assert answer["outcome"] == "ok", answer
    return {item["metadata"]["name"]: item["data"]["value"] for item in answer["object"]["items"]
            if item["metadata"]["name"].startswith("c-")}
