"""Fixtures: one cluster a session, one namespace a test. Where there can be no cluster these tests
fail with the reason: `dev/test cluster` looks before it runs them."""

import base64
import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from kube import GIVEN, IMAGE, Cluster, Namespace, reason_against, run
from programs import BUILD, ROOT

SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES = "usr/local/lib/python3.11/dist-packages"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Kubernetes cluster with one real node."""
    reason = reason_against()
    assert not reason, reason
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder)
    # Whoever ends the tests early ends the cluster, too.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to end"))
    try:
        cluster.up("--node")
        yield cluster
    finally:
        cluster.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def image(cluster, tmp_path_factory):
    """The name of jsorc's image, which the node has: made of this build tree, or
    $JSORC_TEST_IMAGE."""
    if cluster.given:
        given = os.environ.get("JSORC_TEST_IMAGE")
        assert given, f"{GIVEN} is set: name the image that its nodes can pull in JSORC_TEST_IMAGE"
        return given
    root = tmp_path_factory.mktemp("image") / "root"
    try:
        run(ROOT / "dev/rootfs", root, BUILD, seconds=600)
        # As an image on top of it would: a module that the pods of a short form can import.
        shutil.copy(ROOT / "examples/hello/words.py", root / PACKAGES)
        cluster.load_image(IMAGE, root, "/usr/local/bin/jsorc")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return IMAGE


@pytest.fixture
def namespace(cluster):
    """An empty namespace with restricted pod security, deleted afterwards."""
    namespace = Namespace(cluster).create()
    yield namespace
    namespace.delete()


@pytest.fixture
def authority(cluster, tmp_path):
    """The certificates by which the API server is known, as a file."""
    server = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    if path := server.get("certificate-authority"):
        return cluster.kubeconfig.parent / path
    path = tmp_path / "ca.crt"
    data = server.get("certificate-authority-data")
    path.write_bytes(base64.b64decode(data) if data else SYSTEM_AUTHORITIES.read_bytes())
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    namespace = getattr(item, "funcargs", {}).get("namespace")
    if report.when == "call" and report.failed and namespace:
        report.sections.append(("namespace", namespace.describe()))
    return report
