"""What manifests/ and charts/ hold, against helm, kustomize and the API server."""

import json
import re

import pytest
import yaml
from kube import helm, helm_path, kustomize, run, with_image
from programs import ROOT

CHART = ROOT / "charts/jsorc"
OVERLAYS = {
    "single": [],
    "replicas": ["--set", "replicas=2,persistence.enabled=false,databasePassword.secret="
                 "jsorc-database,settings.state_url=postgresql://jsorc@jsorc-database/jsorc,"
                 "settings.lease=kubernetes"],
}
KUSTOMIZATIONS = [*(f"manifests/overlays/{name}" for name in OVERLAYS), "examples/hello"]
# What only a chart has.
CHART_LABELS = {"helm.sh/chart", "app.kubernetes.io/managed-by"}
# What every account may do: ask the API server what it is and what it may.
NOT_OURS = ("selfsubject", "/")


def essence(document):
    """An object without what a chart alone adds."""
    document = json.loads(json.dumps(document))
    for part in (document, document.get("spec", {}).get("template", {})):
        metadata = part.get("metadata", {})
        for label in CHART_LABELS:
            metadata.get("labels", {}).pop(label, None)
        annotations = metadata.get("annotations", {})
        for name in [name for name in annotations if name.startswith("checksum/")]:
            del annotations[name]
        if metadata.get("annotations") == {}:
            del metadata["annotations"]
    settings = document.get("data", {})
    if "jsorc.yaml" in settings:
        settings["jsorc.yaml"] = yaml.safe_load(settings["jsorc.yaml"])
    return document


def by_name(documents):
    return {f"{document['kind']}/{document['metadata']['name']}": essence(document)
            for document in documents}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_chart_gives_the_objects_of_the_overlay(cluster, overlay):
    kustomized = by_name(kustomize(cluster, ROOT / "manifests/overlays" / overlay))
    charted = by_name(helm("jsorc", CHART, "--namespace", "jsorc", *OVERLAYS[overlay]))
    assert charted.keys() == kustomized.keys()
    for name in kustomized:
        assert charted[name] == kustomized[name], name


def test_the_chart_passes_its_lint():
    run(helm_path(), "lint", "--strict", CHART)


@pytest.mark.parametrize("path", KUSTOMIZATIONS)
def test_the_api_server_takes_each_kustomization_without_a_warning(cluster, namespace, path):
    documents = with_image(kustomize(cluster, ROOT / path), namespace.name)
    namespace.apply(documents, "--dry-run=server", "--warnings-as-errors")


def test_the_api_server_takes_the_chart_with_everything_set(namespace):
    documents = helm(
        "other", CHART, "--namespace", namespace.name, "--set-file",
        f"modules.words\\.py={ROOT}/examples/hello/words.py", "--set", "persistence.enabled=false",
        "--set", "image.pullSecrets={regcred},image.pullPolicy=Always,service.type=NodePort",
        "--set-json", 'tolerations=[{"operator": "Exists"}]',
        "--set-json", 'env=[{"name": "A", "value": "b"}]',
        "--set-json", 'nodeSelector={"kind": "big"}')
    assert "ConfigMap/other-jsorc-modules" in by_name(documents)
    namespace.apply(documents, "--dry-run=server", "--warnings-as-errors")


def test_the_lease_has_the_name_of_the_release():
    charted = by_name(helm("other", CHART, "--namespace", "x", "--set",
                           "settings.lease=kubernetes"))
    settings = charted["ConfigMap/other-jsorc"]["data"]["jsorc.yaml"]
    assert settings["lease_name"] == "other-jsorc"
    assert ["other-jsorc"] in [rule.get("resourceNames")
                               for rule in charted["Role/other-jsorc"]["rules"]]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_account_may_do_what_the_documentation_says_and_no_more(cluster, namespace, overlay):
    documents = with_image(kustomize(cluster, ROOT / "manifests/overlays" / overlay),
                           namespace.name)
    namespace.apply([document for document in documents
                     if document["kind"] in ("ServiceAccount", "Role", "RoleBinding")])
    documented = _documented("auth can-i --list")
    if overlay == "replicas":
        documented |= _documented("The overlay `replicas` adds")
    assert _granted(namespace, "jsorc") == documented
    assert _granted(namespace, "default") == set()


def _granted(namespace, account):
    """{(resource, name, verbs)} of what it may do beyond what everybody may."""
    text = namespace.kubectl("auth", "can-i", "--list", "--no-headers",
                             f"--as=system:serviceaccount:{namespace.name}:{account}")
    rows = set()
    for line in text.splitlines():
        resource = line.split()[0]
        if not resource.startswith(NOT_OURS) and resource[0] != "[":
            _paths, names, verbs = re.findall(r"\[(.*?)\]", line)
            rows.add((resource, names, verbs))
    return rows


def _documented(words):
    """The rows of the table in docs/kubernetes.md below these words: a resource, or one object of
    it, and what may be done with it."""
    text = (ROOT / "docs/kubernetes.md").read_text()
    table = text[text.index(words):].split("\n\n")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    what = [(row[0].replace("`", "").partition(" named "), row[1]) for row in rows]
    return {(resource, name, verbs) for (resource, _, name), verbs in what}
