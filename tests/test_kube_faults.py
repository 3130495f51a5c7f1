"""The Kubernetes client and the reconciler behind a proxy that injects faults: whatever the seed,
what is wanted comes about, once, and what watches have told is what is there. Against the API
server of kube_api.py here; on a real one in tests/cluster.

JSORC_KUBE_SEEDS: how many seeds (default 4; `make kube-faults`: 200)."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from kube_api import KubeApi
from kube_converge import converge_by_seed, reconcile_by_seed
from kube_proxy import KubeProxy
from kube_talk import KubeTalk

pytestmark = pytest.mark.sanitize
SEEDS = int(os.environ.get("JSORC_KUBE_SEEDS", "4"))
AT_A_TIME = 4  # a seed mostly waits: for time-outs and pauses


def check_made(seed, api, again):
    """Each once, but what was deleted and wanted again; and the claim was never deleted."""
    wanted = [("ConfigMap", "default", f"c-{i}") for i in (*again, *range(8))]
    wanted += [("Deployment", "default", "web"), ("PersistentVolumeClaim", "default", "data")]
    assert sorted(api.created) == sorted(wanted), f"seed {seed}"
    assert not [entry for entry in api.log if entry[1] == "persistentvolumeclaims" and
                entry[2] == "DELETED"], f"seed {seed}"


def converge(seed):
    with KubeApi() as api, KubeProxy(api.url, seed) as proxy, \
            KubeTalk(api_server=api.url) as direct:
        converge_by_seed(seed, proxy, direct, namespace="default", compact=api.forget)
        check_made(seed, api, again=[0])


def reconcile(seed):
    with KubeApi() as api, KubeProxy(api.url, seed) as proxy, \
            KubeTalk(api_server=api.url) as direct:
        reconcile_by_seed(seed, proxy, direct, namespace="default", compact=api.forget)
        check_made(seed, api, again=[0, 5])


def by_seeds(check, first):
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(check, range(first, min(first + AT_A_TIME, SEEDS))))


@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_the_client_converges_whatever_the_faults(first):
    by_seeds(converge, first)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_the_reconciler_converges_whatever_the_faults(first):
    by_seeds(reconcile, first)
