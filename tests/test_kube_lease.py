"""Who decides among daemons of one state, by a Lease of the cluster. What goes wrong in general is
in test_shared_state.py; here is what only a Lease does. On a real cluster: tests/cluster."""

import pytest
from kube_api import KubeApi
from placement import TEXT
from programs import wait_until

NS = "lab"
VERSION = "coordination.k8s.io/v1"


@pytest.fixture
def api():
    with KubeApi() as server:
        yield server


@pytest.fixture
def start(api, serve, database, write):
    """start(*sources) -> a daemon on the test's database."""
    kubeconfig = write("kubeconfig", api.kubeconfig(NS))

    def start_one(*sources):
        return serve(*sources, options=("--state-url", database, "--lease-s", "2", "--lease",
                                        "kubernetes", "--kubeconfig", kubeconfig,
                                        "--lease-name", "who"))

    return start_one


def state(daemon):
    return daemon.op("jsorc_status")["state"]


def leads(daemon):
    return state(daemon)["leads"]


def record(api):
    return (api.get("leases", NS, "who") or {}).get("spec", {})


def write_record(api, **spec):
    """As another holder writes it."""
    api.put(VERSION, "leases", NS, {"metadata": {"name": "who"}, "spec": {**record(api), **spec}})


def test_the_lease_tells_who_decides(api, start, database, database_server):
    daemon = start()
    wait_until(lambda: leads(daemon), 60, "a leader")
    found = state(daemon)
    assert found["lease"] == "kubernetes" and found["lease_error"] is None
    spec = record(api)
    assert spec["holderIdentity"] == found["leader"]
    assert spec["leaseTransitions"] == found["leader_number"] == 1
    assert spec["leaseDurationSeconds"] == 2
    begun = spec["acquireTime"]
    wait_until(lambda: record(api)["renewTime"] > begun, 60, "a renewal")
    assert record(api)["acquireTime"] == begun
    assert database_server.sql("SELECT holder, number FROM jsorc.leases", database) == (
        f"{found['leader']}|1"), "what an earlier leader still writes is refused by it"
    assert daemon.stop() == 0
    assert record(api)["holderIdentity"] == ""


def test_it_is_left_to_another_holder_and_taken_when_that_gives_it_back(api, start):
    daemon = start()
    wait_until(lambda: leads(daemon), 60, "a leader")
    write_record(api, holderIdentity="another", leaseTransitions=7, leaseDurationSeconds=3600)
    wait_until(lambda: state(daemon)["leader"] == "another", 60, "the other one is seen")
    assert not leads(daemon)
    write_record(api, holderIdentity="")
    wait_until(lambda: leads(daemon), 60, "it leads again")
    assert state(daemon)["leader_number"] == 8


def test_who_may_not_have_it_says_so_and_serves_on(api, start, write):
    api.forbidden.add("leases")
    daemon = start(write("text.py", TEXT))
    daemon.expect_log("the lease of who decides cannot be had")
    why = wait_until(lambda: state(daemon)["lease_error"], 60, "the reason")
    assert "Lease 'who'" in why and "forbidden" in why
    assert f"lease: {why}" in daemon.cli("status", "-o", "table").stdout
    assert not leads(daemon) and daemon.call("text.tag").status == 200
    api.forbidden.clear()
    wait_until(lambda: leads(daemon), 60, "a leader")
    assert state(daemon)["lease_error"] is None

    api.forbidden.add("leases")  # and a leader that cannot renew stops before another one begins
    wait_until(lambda: not leads(daemon), 60, "nobody decides")
    assert daemon.call("text.tag").status == 200
    api.forbidden.clear()
    wait_until(lambda: leads(daemon), 60, "it leads again")
    log = daemon.log_text()
    assert log.count("the lease of who decides cannot be had") == 2, "once each time"


def test_a_wrong_choice_is_refused(serve, database):
    daemon = serve(options=("--state-url", database, "--lease", "zookeeper"), start=False)
    daemon.expect_log("none of")
    daemon.start(wait=False)
    assert daemon.process.wait(60) == 2
    assert "setting 'lease': 'zookeeper' is none of postgresql, kubernetes" in daemon.log_text()
