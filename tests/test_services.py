"""Backing services on the real servers: started, kept alive through what happens to them, and never
in the way of a call."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from disks import fill, small_disk
from faults import Steady
from placement import crash
from programs import Daemon, free_port, wait_until

QUICK = ("--service-interval-s", "0.2", "--service-timeout-s", "5", "--stop-grace-s", "5")
# Where something is frozen. On a busy machine an answer may take as long: nothing is said of how
# often a service was started there.
IMPATIENT = ("--service-interval-s", "0.2", "--service-timeout-s", "0.5", "--stop-grace-s", "5")
WAIT_S = 40
META = {"automation": True, "backoff_interval": 0.2, "namespace": "default",
        "keep_alive": ["promon", "redis"], "kubernetes": {"in_cluster": True, "config": None}}


def info(daemon, name):
    return daemon.op("service_info", name=name)


def wait_for(daemon, name, state="RUNNING", **more):
    """service_info once it has that state and those members."""
    def reached():
        now = info(daemon, name)
        return now if now["state"] == state and more.items() <= now.items() else None

    try:
        return wait_until(reached, WAIT_S, f"{name} {state} {more}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {info(daemon, name)}") from None


def redis(daemon, method, *args):
    return daemon.op("service_call", svc="redis",
                     attrs=[{"attr": method, "callable": True, "args": args}])


def configure(daemon, name, **config):
    return daemon.op("service_config_set", name=name, config=config)


def keep_alive(daemon, name, **config):
    answer = configure(daemon, name, automated=True, **config)
    assert answer["state"] == "RUNNING", answer
    return answer


@pytest.fixture
def daemon(serve):
    daemon = serve(options=QUICK)
    daemon.expect_log("service failed|does not run; the last good one|daemon ended and is started")
    return daemon


# ---- without any service

@pytest.mark.sanitize
def test_nothing_is_required(daemon):
    before = daemon.pids()
    now = info(daemon, "redis")
    assert (now["enabled"], now["state"], now["provider"]) == (True, "RUNNING", "embedded")
    assert now["config"]["host"] == "localhost" and now["error"] is None
    assert info(daemon, "promon")["provider"] == "none"
    assert [row["name"] for row in daemon.op("service_list")] == ["redis", "task"]
    assert redis(daemon, "get", "x")["response"] == \
        "Internal Exception: RedisService is disabled or not yet configured!"
    assert daemon.op("prometheus_metrics_list")["response"] == \
        "Internal Exception: PrometheusService is disabled or not yet configured!"
    assert daemon.pids() == before
    assert "service" not in daemon.cli("status", "-o", "table").stdout


@pytest.mark.sanitize
def test_the_answers_have_the_originals_shapes(daemon):
    assert daemon.op("service_refresh", name="nosuch") == {
        "success": False, "message": "nosuch is not a valid service. Can not refresh config."}
    assert info(daemon, "nosuch")["response"] == \
        "Internal Exception: Service nosuch is not existing!"
    assert daemon.op("service_call", svc="redis", attrs=[]) == \
        "Attributes (attrs) field is required!"
    assert "it has: get, set, exists," in redis(daemon, "flushall")["response"]
    assert redis(daemon, "set", "x")["response"] == "set takes these arguments: name val"
    assert daemon.op("service_refresh", name="redis") == {
        "success": True, "state": "RUNNING", "error": None}
    assert daemon.op("jsorc_refresh") == {
        "running_interval": 1, "config": {"backoff_interval": 0.2, "pre_loaded_services": []}}
    assert daemon.op("service_refresh", name="meta") == {"success": True}


@pytest.mark.sanitize
def test_a_config_that_cannot_be_right_changes_nothing(daemon):
    for config, reason in (({"port": "many"}, "'port' must be a number from 1 to 65535"),
                           ({"provider": "cloud"}, "'provider' must be process, kubernetes"),
                           ({"automated": 1}, "'automated' must be true or false"),
                           ({"automatd": True}, "there is no key 'automatd'; did you mean "
                                                "'automated'?")):
        answer = configure(daemon, "redis", **config)
        assert answer["success"] is False and reason in answer["response"], answer
    assert daemon.op("config_exists", name="REDIS_CONFIG") is False
    assert info(daemon, "redis")["provider"] == "embedded"


def test_a_key_of_the_originals_client_library_is_warned_of(daemon):
    assert configure(daemon, "redis", socket_timeout=3)["config"]["socket_timeout"] == 3
    daemon.expect_log("key of a service's config has no effect")
    assert 'service=redis key="socket_timeout"' in daemon.log_text()


# ---- redis

@pytest.mark.sanitize
def test_redis_serves_its_methods_and_keeps_its_secret(daemon):
    now = keep_alive(daemon, "redis", password="open sesame \\ \"quoted\"")
    assert now["provider"] == "process" and now["pid"] in daemon.pids()
    assert now["config"]["password"] == "***" and "password" in now["config"]
    assert daemon.op("service_config_get", name="redis")["password"] == "***"
    assert redis(daemon, "set", "k", "v\0w") is True
    assert redis(daemon, "get", "k") == "v\0w"
    assert redis(daemon, "get", "nothing") is None
    assert (redis(daemon, "exists", "k"), redis(daemon, "exists", "l")) == (True, False)
    assert redis(daemon, "hset", "h", "f", "1") == 1
    assert (redis(daemon, "hget", "h", "f"), redis(daemon, "hkeys", "h")) == ("1", ["f"])
    assert (redis(daemon, "hexists", "h", "f"), redis(daemon, "hdel", "h", "f")) == (True, 1)
    assert redis(daemon, "delete", "k") == 1
    called = daemon.op("service_call", svc="redis",
                       attrs=[{"attr": "set", "kwargs": {"name": "k", "val": "by name"}}])
    assert called is True and redis(daemon, "get", "k") == "by name"
    shown = daemon.cli("status", "-o", "table").stdout
    assert f"service redis, process, RUNNING, pid {now['pid']}, 0 restarts" in shown
    assert "open sesame" not in daemon.log_text() + daemon.worker_log("daemon")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_redis_that_is_killed_or_frozen_comes_back_with_its_data(serve, witness, number):
    daemon = serve(witness, options=IMPATIENT)
    daemon.expect_log("service failed")
    pid = keep_alive(daemon, "redis")["pid"]
    assert redis(daemon, "set", "kept", "yes") is True
    with Steady(daemon):
        os.kill(pid, number)
        wait_until(lambda: (found := info(daemon, "redis"))["pid"] not in (0, pid) and
                   found["state"] == "RUNNING", WAIT_S, "another redis")
    assert redis(daemon, "get", "kept") == "yes"
    assert info(daemon, "redis")["restarts"] >= 1


def test_redis_outlives_the_daemon_and_is_taken_over(daemon):
    pid = keep_alive(daemon, "redis")["pid"]
    redis(daemon, "set", "kept", "yes")
    crash(daemon)
    now = wait_for(daemon, "redis", pid=pid)
    assert now["restarts"] == 0
    assert redis(daemon, "get", "kept") == "yes"
    os.kill(pid, signal.SIGKILL)  # it is not our child any more, and watched all the same
    wait_until(lambda: info(daemon, "redis")["pid"] not in (0, pid), WAIT_S, "another redis")
    wait_for(daemon, "redis")
    assert redis(daemon, "get", "kept") == "yes"


def test_the_end_of_the_daemon_ends_redis_and_the_next_one_has_its_data(daemon):
    pid = keep_alive(daemon, "redis")["pid"]
    redis(daemon, "set", "kept", "yes")
    assert daemon.stop() == 0
    assert not Path(f"/proc/{pid}").exists()
    daemon.start()
    assert wait_for(daemon, "redis")["pid"] != pid
    assert redis(daemon, "get", "kept") == "yes"


def test_a_port_that_is_taken_is_told_and_tried_again_until_it_is_free(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        configure(daemon, "redis", automated=True, listen_port=port)
        wait_until(lambda: info(daemon, "redis")["quarantined"], WAIT_S, "the quarantine")
        now = info(daemon, "redis")
        assert "exited with status 1" in now["error"] and now["restarts"] >= 3
        assert "quarantined" in daemon.cli("status", "-o", "table").stdout
    wait_for(daemon, "redis", error=None)
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"


def test_a_config_that_does_not_run_is_put_back(daemon):
    keep_alive(daemon, "redis")
    stored = daemon.op("config_get", name="REDIS_CONFIG")
    redis(daemon, "set", "kept", "yes")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = configure(daemon, "redis", automated=True, listen_port=taken.getsockname()[1])
        assert answer["success"] is False
        assert "it runs with the last good one" in answer["response"]
    assert daemon.op("config_get", name="REDIS_CONFIG") == stored
    assert info(daemon, "redis")["state"] == "RUNNING" and redis(daemon, "get", "kept") == "yes"

    # Set by config_set it stays set, and the last good one runs, also after a restart.
    daemon.op("config_set", name="REDIS_CONFIG", value='{"automated": true, "db": "many"}')
    daemon.expect_log("config of a service is refused")
    answer = daemon.op("service_refresh", name="redis")
    assert (answer["success"], answer["state"]) == (True, "RUNNING")
    assert "'db' must be a number" in answer["error"]
    assert daemon.stop() == 0
    daemon.start()
    assert "'db' must be a number" in wait_for(daemon, "redis")["error"]
    assert redis(daemon, "get", "kept") == "yes"


def test_a_program_that_is_not_installed_is_named(serve):
    daemon = serve(options=QUICK, env={"PATH": "/nonexistent"})
    daemon.expect_log("service failed")
    answer = configure(daemon, "redis", automated=True)
    assert answer["state"] == "FAILED"
    assert answer["error"] == "cannot start 'redis-server': No such file or directory"


def test_switched_off_it_ends_and_its_data_stays(daemon):
    pid = keep_alive(daemon, "redis")["pid"]
    redis(daemon, "set", "kept", "yes")
    answer = configure(daemon, "redis", enabled=False)
    assert (answer["state"], answer["enabled"]) == ("NOT_STARTED", False)
    assert not Path(f"/proc/{pid}").exists()
    keep_alive(daemon, "redis")
    assert redis(daemon, "get", "kept") == "yes"


class Server:
    """A redis-server of somebody else's."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass",
             "right", "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.stop()


def test_somebody_elses_server_is_asked_and_not_started(daemon, server):
    address = {"host": "127.0.0.1", "port": str(server.port)}
    answer = configure(daemon, "redis", **address, password="right")
    assert answer["state"] == "FAILED" and "Connection refused" in answer["error"]
    server.start()
    now = wait_for(daemon, "redis", error=None)
    assert (now["provider"], now["pid"]) == ("address", 0)
    assert redis(daemon, "set", "k", "v") is True

    answer = configure(daemon, "redis", **address, password="wrong")
    assert "WRONGPASS" in answer["response"] and answer["success"] is False
    assert wait_for(daemon, "redis")["state"] == "RUNNING"  # with the right one again

    server.stop()
    wait_for(daemon, "redis", "FAILED")
    server.start()
    wait_for(daemon, "redis", error=None)


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", "3m") as folder:
        yield folder


def test_a_full_disk_is_told_and_over_once_there_is_room(disk, tmp_path):
    daemon = Daemon(tmp_path / "daemon", options=QUICK)
    daemon.state = disk / "state"
    daemon.socket = daemon.state / "run" / "jsorc.sock"
    try:
        daemon.start()
        pid = keep_alive(daemon, "redis")["pid"]
        assert redis(daemon, "set", "kept", "yes") is True
        fill(disk / "full")
        for i in range(50):  # until the write that fails
            redis(daemon, "set", f"k{i}", "v" * 20000)
        now = wait_for(daemon, "redis", "FAILED")
        assert "MISCONF" in now["error"] and now["pid"] == pid
        (disk / "full").unlink()
        assert wait_for(daemon, "redis", error=None)["pid"] == pid
        assert redis(daemon, "get", "kept") == "yes"
        assert daemon.stop() == 0
    finally:
        daemon.kill()


# ---- settings

def test_one_command_starts_what_the_settings_name(serve, write):
    config = write("jsorc.yaml", "services:\n  redis: {db: 3}\n")
    daemon = serve(options=(*QUICK, "--config", config, "--keep-alive", "promon"))
    now = wait_for(daemon, "redis")
    assert (now["automated"], now["provider"], now["config"]["db"]) == (True, "process", 3)
    wait_for(daemon, "prome")
    wait_for(daemon, "node_exporter")
    assert daemon.op("config_exists", name="REDIS_CONFIG") is False
    assert configure(daemon, "redis", db=4)["config"]["db"] == 4  # over the file
    assert info(daemon, "redis")["automated"] is True
    daemon.op("config_delete", name="REDIS_CONFIG")
    daemon.op("service_refresh", name="redis")
    assert info(daemon, "redis")["config"]["db"] == 3


@pytest.mark.sanitize
def test_settings_that_cannot_be_right_are_refused_at_the_start(serve, write):
    for text, reason in (("nosuch: {}", "there is no service 'nosuch'"),
                         ("redis: 7", "the config of service 'redis' must be an object"),
                         ("redis: {port: -1}", "'port' must be a number from 1 to 65535"),
                         ("redis: {memory_max: 3}", "did you mean 'memory_max_mb'?"),
                         ("prome: {colour: 1}", "there is no key 'colour'; there are enabled, ")):
        config = write("jsorc.yaml", f"services:\n  {text}\n")
        daemon = serve(options=("--config", config), start=False)
        daemon.start(wait=False)
        assert daemon.process.wait(30) == 2
        assert reason in daemon.log_text()


def test_what_outlived_everything_is_taken_over(daemon):
    pid = keep_alive(daemon, "redis")["pid"]
    redis(daemon, "set", "kept", "yes")
    os.kill(daemon.daemon_pid(), signal.SIGSTOP)  # or its supervisor's end would make it end redis
    daemon.process.kill()
    os.kill(daemon.daemon_pid(), signal.SIGKILL)
    daemon.process.wait()
    assert Path(f"/proc/{pid}").exists()
    wait_until(lambda: daemon.pids() == [pid], WAIT_S, "the end of all else")
    daemon.start()
    assert wait_for(daemon, "redis", pid=pid)["restarts"] == 0
    assert redis(daemon, "get", "kept") == "yes"


# ---- META_CONFIG

def test_meta_config_starts_what_it_keeps_alive(daemon):
    text = json.dumps(META)
    assert daemon.op("config_set", name="META_CONFIG", value=text) == \
        [f"Config of 'META_CONFIG' to '{text}' set!"]
    assert info(daemon, "redis")["provider"] == "embedded"  # setting alone does nothing
    assert daemon.op("service_refresh", name="meta") == {"success": True}
    pids = {wait_for(daemon, name)["pid"] for name in ("redis", "promon", "node_exporter")}
    assert len(pids) == 3
    assert json.loads(daemon.op("config_get", name="META_CONFIG")) == META
    assert info(daemon, "meta")["config"] == META

    # One of them as the newer version says it: META_CONFIG tells the same.
    keep_alive(daemon, "redis")
    daemon.op("service_config_set", name="prome", config={"automated": False})
    assert json.loads(daemon.op("config_get", name="META_CONFIG"))["keep_alive"] == ["redis"]
    wait_for(daemon, "prome", "NOT_STARTED")
    wait_for(daemon, "node_exporter", "NOT_STARTED")

    daemon.op("config_set", name="META_CONFIG", value={**META, "automation": False})
    daemon.op("service_refresh", name="meta")
    assert daemon.op("jsorc_refresh")["config"]["backoff_interval"] == 0.2
    assert info(daemon, "meta")["automated"] is False
    assert daemon.stop() == 0
    daemon.start()
    assert info(daemon, "redis")["state"] == "NOT_STARTED"  # nothing is automated


def test_a_service_to_be_loaded_at_start_is(serve):
    daemon = serve(options=QUICK)
    daemon.op("config_set", name="REDIS_CONFIG", value={"enabled": True})
    daemon.op("config_set", name="JSORC_CONFIG", value={"pre_loaded_services": ["redis"]})
    daemon.op("jsorc_refresh")
    wait_for(daemon, "redis", automated=False)
    assert daemon.stop() == 0
    daemon.start()
    wait_for(daemon, "redis")


@pytest.mark.sanitize
def test_the_first_use_starts_what_is_enabled(daemon):
    daemon.op("config_set", name="REDIS_CONFIG", value={"enabled": True})
    assert daemon.stop() == 0
    daemon.start()
    assert info(daemon, "redis")["state"] == "NOT_STARTED"
    assert redis(daemon, "set", "k", "v") is True
    assert info(daemon, "redis")["state"] == "RUNNING"
