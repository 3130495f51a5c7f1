"""`jsorc worker` with a C module, as the daemon starts it."""

import http.client
import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from native import FakeDaemon, Worker
from programs import JSORC, wait_until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def worker(tmp_path, native_library):
    started = []

    def start(*options, ctx=None, **spec):
        module = {"name": "native", "kind": "native", "source": str(native_library),
                  "ctx": ctx or {}}
        spec = {"name": "pod-native-3", "generation": 3, "role": "pod", "modules": [module],
                **spec}
        started.append(Worker(tmp_path / f"worker-{len(started)}", spec, *options).start())
        return started[-1]

    yield start
    for program in started:
        program.kill()
        os.close(program.life)


def test_ready_line_and_status(worker, native_library):
    one = worker()
    assert one.ready["ready"] is True and one.ready["pid"] == one.process.pid
    module = one.ready["modules"]["native"]
    assert module["kind"] == "native" and module["source"] == str(native_library)
    assert module["load_ms"] > 0 and module["walkers"] == []
    assert module["actions"]["native.echo"]["params"][0]["name"] == "text"
    for _ in range(3):
        one.post("/native.echo/", {"text": 1})
    one.post("/native.echo/", {})
    status = one.get("/jsorc/status").json()
    assert (status["role"], status["name"], status["generation"]) == ("pod", "pod-native-3", 3)
    assert status["modules"] == one.ready["modules"]
    counts = status["actions"]["native.echo"]
    assert (counts["calls"], counts["errors"]) == (4, 1)
    assert 0 < counts["exec_s"] < 1
    assert 0 < status["pss_kb"] <= status["pss_peak_kb"] * 2
    assert status["in_flight"] == 0


@pytest.mark.parametrize("measure", [True, False])
def test_nested_calls_are_counted_where_calls_are_measured(worker, measure):
    one = worker(measure=measure)
    assert one.post("/ask/", {"action": "native.echo", "text": "hi"}).json() == ["hi"]
    rows = one.get("/jsorc/status").json()["local_calls"]
    assert [(row["action"], row["calls"]) for row in rows] == [("native.echo", 1)] * measure


def test_failure_line(worker):
    one = worker(ctx={"fail": True})
    assert one.ready == {"ready": False, "module": "native", "stage": "setup",
                         "error": "setup was told to fail by ctx"}
    assert one.process.wait(10) == 1


def test_a_setup_failure_may_be_ignored(worker):
    assert worker(ctx={"fail": True, "_ignore_setup_error": True}).ready["ready"] is True


def test_missing_library_is_told_in_the_failure_line(worker):
    one = worker(modules=[{"name": "x", "kind": "native", "source": "/nonexistent/x.so"}])
    assert (one.ready["ready"], one.ready["stage"]) == (False, "import")
    assert "there is no file '/nonexistent/x.so'" in one.ready["error"]
    assert one.process.wait(10) == 1


def test_socket_path_in_use_is_told_in_the_failure_line(worker):
    one = worker()
    two = Worker(one.folder.parent / "second", one.spec, "--listen", "127.0.0.1:0")
    two.socket = one.socket
    two.start()
    os.close(two.life)
    assert (two.ready["ready"], two.ready["stage"]) == (False, "listen")
    assert "another process listens" in two.ready["error"]
    assert two.process.wait(10) == 1
    assert one.post("/echo/", {"text": 1}).json() == 1


def test_the_end_of_the_life_line_ends_the_worker(worker, tmp_path):
    one = worker(ctx={"note": str(tmp_path / "note")})
    call = ThreadPoolExecutor(1).submit(one.post, "/wait_ms/", {"ms": 500})
    wait_until(lambda: one.get("/jsorc/status").json()["in_flight"], 5, "the call")
    os.close(one.life)
    one.life = os.open("/dev/null", os.O_RDONLY)
    assert call.result().json() is False  # what was begun is ended
    assert one.process.wait(10) == 0
    assert not one.socket.exists()
    assert (tmp_path / "note").read_text() == "torn down\n"


def test_forked_children_hold_no_connection(worker):
    one = worker()
    kept = one.connect(timeout=5)
    assert one.post("/echo/", {"text": 1}, connection=kept).json() == 1
    child = one.post("/split/", {}).json()
    one.process.kill()
    one.process.wait()
    try:
        os.kill(child, 0)  # it lives
        assert kept.sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            one.get("/healthz")
    finally:
        os.kill(child, signal.SIGKILL)
        kept.close()


def test_a_left_over_socket_file_is_replaced(worker):
    one = worker()
    one.process.kill()
    one.process.wait()
    assert one.socket.exists()
    os.close(one.life)
    one.start()
    assert one.ready["ready"] is True
    assert one.post("/echo/", {"text": 1}).json() == 1


def test_calls_through_the_daemon(worker, tmp_path):
    daemon = FakeDaemon(tmp_path / "daemon.sock")
    thread = threading.Thread(target=daemon.serve_forever, daemon=True)
    thread.start()
    try:
        one = worker("--daemon", tmp_path / "daemon.sock")
        for _ in range(2):
            reply = one.post("/ask/", {"action": "far.away", "text": "ü"})
            assert reply.json() == [{"text": "ü"}]
        assert [request[:2] for request in daemon.requests] == [
            ("/actions/far.away", '{"text":"ü"}'.encode())] * 2
        reply = one.post("/ask/", {"action": "far.busy"})
        assert "'far.busy' failed with status 503: no worker" in reply.json()["detail"]
        one.post("/ask/", {"action": "a/b?c", "text": 1})
        assert daemon.requests[-1][0] == "/actions/a%2Fb%3Fc"
    finally:
        daemon.shutdown()
        daemon.server_close()
    one.post("/ask/", {"action": "far.away"})


def test_all_addresses(native_library):
    ended = subprocess.Popen([str(JSORC), "host", str(native_library), "--listen", "0.0.0.0:0"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = ended.stdout.readline()
        port = int(line.split("http://0.0.0.0:")[1].split()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/echo/", b'{"text": 1}')
        assert connection.getresponse().read() == b"1"
        connection.close()
    finally:
        ended.terminate()
        assert ended.wait(10) == 0
