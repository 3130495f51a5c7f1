"""As tests/test_kube_faults.py, on a real API server.

JSORC_KUBE_SEEDS: how many seeds (default 2)."""

import os

import pytest
from kube_converge import WATCHED, converge_by_seed, reconcile_by_seed
from kube_proxy import KubeProxy, client_context
from kube_talk import KubeTalk

SEEDS = int(os.environ.get("JSORC_KUBE_SEEDS", "2"))


def check_by_seed(check, seed, again, cluster, namespace, folder):
    """again: numbers of the ConfigMaps that are deleted and wanted again."""
    server, context = client_context(cluster.kubeconfig, folder)
    with KubeTalk(kubeconfig=str(cluster.kubeconfig), namespace=namespace.name) as direct:
        witness = {kind: direct.watch(version, kind) for version, kind in
                   (*WATCHED, ("apps/v1", "ReplicaSet"))}
        for view in witness.values():
            view.until(lambda view: view.synced == 1, "the witness to begin")
        with KubeProxy(server, seed, context) as proxy:
            check(seed, proxy, direct, namespace.name)
        claims = witness["PersistentVolumeClaim"].changes
        assert [change for change, _ in claims if change != "MODIFIED"] == ["ADDED"]
        maps = sorted(f"c-{i}" for i in (*again, *range(8)))
        witness["ConfigMap"].until(lambda view: sorted(
            key[1] for change, key in view.changes
            if change == "ADDED" and key[1].startswith("c-")) == maps,
            "each to have been made once, but those that were wanted again")
        sets = [change for change, _ in witness["ReplicaSet"].changes]
        assert sets.count("ADDED") <= 1


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_client_converges_whatever_the_faults(cluster, namespace, tmp_path, seed):
    check_by_seed(converge_by_seed, seed, [0], cluster, namespace, tmp_path)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_reconciler_converges_whatever_the_faults(cluster, namespace, tmp_path, seed):
    check_by_seed(reconcile_by_seed, seed, [0, 5], cluster, namespace, tmp_path)
