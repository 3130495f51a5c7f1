"""Fixtures: one cluster a session, one namespace a test. Without a cluster all tests here are
skipped, with the reason."""

import os
import shutil
import signal

import pytest
from kube import GIVEN, IMAGE, Cluster, Namespace, reason_against, run
from programs import BUILD, ROOT

PACKAGES = "usr/local/lib/python3.11/dist-packages"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Kubernetes cluster with one real node."""
    reason = reason_against()
    if reason:
        pytest.skip(reason)
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
    if GIVEN in os.environ:
        if "JSORC_TEST_IMAGE" not in os.environ:
            pytest.skip(f"{GIVEN} is set and JSORC_TEST_IMAGE is not")
        return os.environ["JSORC_TEST_IMAGE"]
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    namespace = getattr(item, "funcargs", {}).get("namespace")
    if report.when == "call" and report.failed and namespace:
        report.sections.append(("namespace", namespace.describe()))
    return report
