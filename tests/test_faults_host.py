"""What the host does to jsorc: a full disk, a port taken, too few descriptors, leftovers."""

import concurrent.futures
import contextlib
import json
import os
import re
import resource
import socket
import sqlite3
import subprocess
import sys
import time

import pytest
from disks import fill, small_disk
from programs import JSORC, STOP_SECONDS_MAX, Daemon, wait_until

MODULE = """
import os
import jsorc

@jsorc.action
def pid():
    return os.getpid()

@jsorc.action
def echo(text: str):
    return text

@jsorc.action
def prints(kilobytes: int):
    for _ in range(kilobytes):
        print("x" * 1023)
    return "printed"
"""

# Answers writes below FOLDER with ENOSPC while FOLDER/full exists. Reads, and what was written
# before, are left alone. A tmpfs lets a file's own blocks be written again when it is full; file
# systems that copy on write do not, and neither does this.
FULL_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd)
{
    const char *folder = getenv("FULL_DISK_FOLDER");
    char link[64], path[4096], mark[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = folder ? readlink(link, path, sizeof(path) - 1) : -1;
    if (size <= 0) {
        return 0;
    }
    path[size] = 0;
    snprintf(mark, sizeof(mark), "%s/full", folder);
    if (strncmp(path, folder, strlen(folder)) != 0 || access(mark, F_OK) != 0) {
        return 0;
    }
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
    return is_full(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return is_full(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    return is_full(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int ftruncate(int fd, off_t size)
{
    return is_full(fd) ? -1 : REAL(ftruncate)(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    return is_full(fd) ? -1 : REAL(fallocate)(fd, mode, at, size);
}
"""


class Disk:
    """A folder whose disk can be made full, and free again."""

    def __init__(self, folder, env=None):
        self.folder, self.env = folder, env or {}

    def fill(self):
        (self.folder / "full").touch()

    def free(self):
        (self.folder / "full").unlink()


class Tmpfs(Disk):
    def fill(self):
        fill(self.folder / "full")


@pytest.fixture(params=["refusing writes", "tmpfs"])
def disk(request, tmp_path):
    folder = tmp_path / "disk"
    if request.param == "tmpfs":
        with small_disk(folder, "2m"):
            yield Tmpfs(folder)
        return
    folder.mkdir()
    source = tmp_path / "full_disk.c"
    source.write_text(FULL_DISK)
    library = tmp_path / "full_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    yield Disk(folder, {"LD_PRELOAD": str(library), "FULL_DISK_FOLDER": str(folder)})


class DaemonOnDisk(Daemon):
    """Its state lies on another disk than the test's files."""

    def __init__(self, folder, disk, *sources):
        super().__init__(folder, *sources, env=disk.env)
        self.state = disk.folder / "state"
        self.socket = self.state / "run" / "jsorc.sock"


@pytest.fixture
def module(write):
    return write("m.py", MODULE)


@pytest.fixture
def on_disk(disk, module, tmp_path):
    daemon = DaemonOnDisk(tmp_path / "daemon", disk, module)
    daemon.start()
    wait_until(lambda: daemon.call("m.pid").status == 200, 20, "the module")
    yield daemon
    daemon.stop()
    daemon.kill()
    wait_until(lambda: not daemon.pids(), 10, "the end of all that has files there")


# ---- the disk


def test_on_a_full_disk_serving_goes_on_and_changes_are_refused(on_disk, disk, write):
    other = write("other.py", MODULE)
    before = on_disk.op("config_list")
    pid = on_disk.call("m.pid").json()
    database = on_disk.state / "jsorc.db"
    disk.fill()

    assert on_disk.call("m.echo", text="a").json() == "a"
    refused = {
        "config": on_disk.op("config_set", name="MAIL_CONFIG",
                                value=json.dumps({"x": "y" * 100000})),
        "load": on_disk.op("actions_load_local", file=str(other)),
        "move": on_disk.op("jsorc_actions_load", name="m", mode="remote", wait=True),
        "unload": on_disk.op("actions_unload_module", name="m"),
        "account": on_disk.op("master_createsuper", name="a@example.org", password="long enough"),
    }
    for what, answer in refused.items():
        text = str(answer)
        assert "disk" in text or "space" in text, (what, text)
        assert "success': True" not in text, (what, text)
        assert on_disk.call("m.pid").json() == pid
    assert on_disk.op("jsorc_actions_status", name="m")["action_status"]["mode"] == "module"
    assert on_disk.call("m.prints", kilobytes=3000).json() == "printed", "the log is full, too"
    assert on_disk.op("config_list") == before
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    disk.free()
    assert on_disk.op("config_set", name="MAIL_CONFIG", value="{}") == [
        "Config of 'MAIL_CONFIG' to '{}' set!"]
    assert on_disk.op("jsorc_actions_load", name="m", mode="remote", wait=True)["success"] is True
    on_disk.stop()
    on_disk.start()
    wait_until(lambda: on_disk.call("m.pid").status == 200, 20, "the module")
    assert on_disk.op("jsorc_actions_status", name="m")["action_status"]["mode"] == "remote"
    assert on_disk.op("config_get", name="MAIL_CONFIG") != ""
    assert [module["name"] for module in on_disk.op("jsorc_status")["modules"]] == ["m"]


def test_on_a_full_disk_a_crashed_worker_comes_back_when_there_is_space(on_disk, disk):
    pid = on_disk.call("m.pid").json()
    disk.fill()
    os.kill(pid, 9)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: on_disk.call("m.pid"))
        time.sleep(1)
        disk.free()
        reply = waiting.result()
    assert reply.status in (200, 503), reply.body
    if reply.status == 503:
        assert "space" in reply.json()["detail"]
    wait_until(lambda: on_disk.call("m.pid").status == 200, 30, "its return")


def test_a_start_on_a_full_disk_says_so(disk, module, tmp_path):
    disk.fill()
    daemon = DaemonOnDisk(tmp_path / "daemon", disk, module)
    daemon.start(wait=False)
    assert daemon.process.wait(STOP_SECONDS_MAX) == 1
    assert re.search("No space left on device|disk is full", daemon.log_text())
    assert not daemon.pids()


def test_a_state_file_that_is_none_is_refused_and_left_alone(serve, module):
    daemon = serve(module, start=False)
    daemon.state.mkdir(parents=True)
    database = daemon.state / "jsorc.db"
    database.write_bytes(b"this is somebody's diary" * 100)
    daemon.start(wait=False)
    assert daemon.process.wait(STOP_SECONDS_MAX) == 1
    assert str(database) in daemon.log_text()
    assert database.read_bytes() == b"this is somebody's diary" * 100


# ---- addresses and leftovers


def test_a_port_that_is_taken_is_told_with_a_way_out(serve, module):
    daemon = serve(module, start=False)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", daemon.port))
        holder.listen()
        daemon.start(wait=False)
        assert daemon.process.wait(STOP_SECONDS_MAX) == 1
    text = daemon.log_text()
    assert f"cannot listen on '127.0.0.1:{daemon.port}'" in text
    assert "another program has it: choose another --listen" in text
    assert not daemon.pids()
    daemon.start()
    assert daemon.call("m.pid").status == 200


@pytest.mark.parametrize(("address", "says"), [
    ("127.0.0.1", "HOST:PORT is needed"),
    ("127.0.0.1:99999", "cannot listen on '127.0.0.1:99999': ports end at 65535"),
    ("no.such.host.invalid:80", "cannot listen on 'no.such.host.invalid:80'"),
    ("0.0.0.0:0", "set tls_cert and tls_key, or allow_plain"),
])
def test_an_address_that_cannot_be_listened_on_is_told(serve, module, address, says):
    daemon = serve(module, options=("--listen", address), start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(STOP_SECONDS_MAX) in (1, 2)
    assert says in daemon.log_text()


def test_a_socket_file_left_over_is_replaced(serve, module):
    daemon = serve(module, start=False)
    daemon.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(daemon.socket))
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.op("actions_list") is not None
    assert daemon.call("m.pid").status == 200


def test_spec_files_and_sockets_of_workers_left_over_are_cleared(serve, module):
    daemon = serve(module, start=False)
    run = daemon.state / "run"
    run.mkdir(parents=True)
    (run / "runtime-7.json").write_text('{"name": "runtime-7", "modules": []}')
    (run / "broken-1.json").write_text('{"name": "brok')
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(run / "runtime-7.sock"))
    daemon.start()
    assert daemon.call("m.pid").status == 200
    assert sorted(path.name for path in run.iterdir()) == [
        "address", "daemon.pid", "jsorc.sock", "runtime-1.json", "runtime-1.sock"]


def test_a_second_daemon_on_a_state_folder_is_refused(serve, module):
    first = serve(module)
    pid = first.call("m.pid").json()
    second = serve(module, start=False)
    second.state = first.state
    second.start(wait=False)
    assert second.process.wait(STOP_SECONDS_MAX) == 1
    text = second.log_text()
    assert f"another jsorc (pid {first.process.pid}) uses the state folder" in text
    assert "choose another --state" in text
    assert first.call("m.pid").json() == pid
    assert first.op("actions_list") == ["m.echo", "m.pid", "m.prints"]


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path, module):
    (tmp_path / "file").write_text("")
    run = subprocess.run([JSORC, "serve", module, "--state", tmp_path / "file" / "state"],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert "cannot make the folder" in run.stderr
    assert str(tmp_path / "file") in run.stderr


@pytest.mark.parametrize(("listen", "says"), [
    ("8957", "'8957' is no address: HOST:PORT is needed"),
    ("127.0.0.1:99999", "cannot listen on '127.0.0.1:99999': ports end at 65535"),
    ("0.0.0.0:0", "'0.0.0.0:0' can be reached from other machines: set tls_cert and tls_key"),
])
def test_a_wrong_address_is_a_wrong_setting(tmp_path, module, listen, says):
    run = subprocess.run([JSORC, "serve", module, "--state", tmp_path / "state",
                          "--listen", listen],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 2
    assert says in run.stderr


@pytest.mark.parametrize(("source", "says"), [
    ("/nonexistent/module.py", "cannot read '/nonexistent/module.py'"),
    ("/proc/self", "holds no module"),
])
def test_a_source_that_is_not_there_is_told_at_once(tmp_path, source, says):
    run = subprocess.run([JSORC, "serve", source, "--state", tmp_path / "state", "--listen",
                          "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert says in run.stderr


@pytest.mark.parametrize("python", ["/nonexistent/python3", "nonexistent-python", "/tmp"])
def test_an_interpreter_that_is_not_there_is_a_wrong_setting(tmp_path, module, python):
    run = subprocess.run([JSORC, "serve", module, "--state", tmp_path / "state", "--listen",
                          "127.0.0.1:0", "--python", python],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 2
    assert f"setting 'python': '{python}' is no program that can be run" in run.stderr


def test_an_interpreter_that_goes_away_is_told(serve, module, write):
    python = write("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    daemon = serve(module, options=("--python", python))
    daemon.expect_log("module did not start")
    wait_until(lambda: daemon.call("m.pid").status == 200, 30, "its module")
    python.unlink()
    answer = daemon.op("jsorc_actions_load", name="m", mode="remote", wait=True)
    assert answer["success"] is False
    assert f"cannot start '{python}': No such file or directory" in answer["message"]


def test_a_source_of_the_file_that_is_not_there_is_told_at_once(tmp_path, write):
    write("jsorc.yaml", "modules:\n  text:\n    source: nofile.py\n")
    run = subprocess.run([JSORC, "serve", tmp_path, "--state", tmp_path / "state", "--listen",
                          "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert "jsorc.yaml': module 'text': cannot read its source" in run.stderr
    assert "nofile.py': No such file or directory" in run.stderr


# ---- connections and descriptors


def test_thousands_of_connections_are_served(serve, module):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(3000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 200)), hard))
    daemon = serve(module)
    assert daemon.call("m.pid").status == 200
    connections = []
    try:
        for _ in range(count):
            connections.append(daemon.connect())
            connections[-1].connect()
        for connection in connections[::7] + connections[-50:]:
            reply = daemon.post("/actions/m.echo", {"text": "a"}, connection=connection)
            assert (reply.status, reply.json()) == (200, "a")
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_beyond_the_limit_are_closed_and_the_others_live(serve, module):
    daemon = serve(module, options=("--connections-max", "20"))
    assert daemon.call("m.pid").status == 200
    kept = [daemon.connect() for _ in range(19)]
    for connection in kept:
        assert daemon.post("/actions/m.pid", {}, connection=connection).status == 200
    beyond = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(30)]
    closed = 0
    for connection in beyond:
        connection.settimeout(0.5)
        try:
            closed += connection.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionResetError:
            closed += 1
    assert closed >= 29
    for connection in kept:
        assert daemon.post("/actions/m.pid", {}, connection=connection).status == 200
        connection.close()
    for connection in beyond:
        connection.close()
    assert daemon.call("m.pid").status == 200


class DaemonWithFewDescriptors(Daemon):
    def argv(self):
        return ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", *super().argv()]


def test_a_daemon_without_free_descriptors_recovers(module, write, tmp_path):
    other = write("other.py", MODULE)
    daemon = DaemonWithFewDescriptors(tmp_path / "daemon", module)
    daemon.start()
    try:
        assert daemon.call("m.pid").status == 200
        kept = daemon.connect()
        assert daemon.post("/actions/m.pid", {}, connection=kept).status == 200
        local = daemon.connect_local()
        local.connect()
        taken = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(150)]
        time.sleep(0.5)
        for _ in range(20):
            assert daemon.post("/actions/m.pid", {}, connection=kept).status == 200, \
                "connections that exist are served"
        answer = daemon.post("/js_admin/actions_load_local", {"file": str(other)},
                             connection=local).json()
        assert answer["success"] is False, answer
        assert "Too many open files" in answer["message"]
        for connection in taken:
            connection.close()
        wait_until(lambda: daemon.call("m.pid").status == 200, 20, "new connections")
        assert daemon.op("actions_load_local", file=str(other)) == {"success": True}
        assert daemon.call("other.echo", text="a").json() == "a"
        kept.close()
        local.close()
        assert daemon.stop() == 0
    finally:
        daemon.kill()
