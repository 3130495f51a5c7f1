"""Workers as the tests start them: `python -m jsorc.worker` of any interpreter on a Unix socket."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests"))

from programs import BUILD, Reply, UnixConnection  # noqa: E402

PYTHONPATH = os.pathsep.join((str(ROOT / "python"), str(BUILD / "python")))
EXTENSION = BUILD / "python" / "_jsorc.abi3.so"
READY_SECONDS_MAX = 120
MINORS = range(11, 16)  # of CPython 3 that are looked for


def interpreters():
    """{version: path}, each version once: JSORC_TEST_PYTHONS (paths, separated as PATH is) if it is
    set, else our own and every python3.N that starts."""
    given = os.environ.get("JSORC_TEST_PYTHONS")
    names = given.split(os.pathsep) if given else [sys.executable] + [
        found for minor in MINORS if (found := _find(f"python3.{minor}"))]
    ask = "import sys; print(sys.version_info[0] * 100 + sys.version_info[1], sys.executable)"
    found = {}
    for name in names:
        try:
            said = subprocess.run([name, "-c", ask], capture_output=True, text=True, timeout=30)
        except OSError:
            continue
        if said.returncode == 0:
            version, path = said.stdout.split(maxsplit=1)
            if int(version) >= 311:
                found.setdefault(f"3.{int(version) - 300}", path.strip())
    return found


def _find(name):
    """On PATH, and where version managers keep them (their shims on PATH may refuse to start)."""
    for folder in sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name)


class Worker:
    """One worker process. modules: entries of the spec; `ready` is its first line on the notify
    descriptor."""

    def __init__(self, python, folder, modules, daemon=None, env=None, role="host", start=True):
        self.folder = Path(folder)
        self.socket = self.folder / "worker.sock"
        self.log = self.folder / "worker.log"
        spec = self.folder / "spec.json"
        spec.write_text(json.dumps({"name": "test", "generation": 1, "role": role,
                                    "modules": modules}))
        notify, notify_end = os.pipe()
        self.lifeline_end, self.lifeline = os.pipe()
        command = [python, "-m", "jsorc.worker", "--socket", self.socket, "--spec", spec,
                   "--notify-fd", str(notify_end), "--lifeline-fd", str(self.lifeline_end)]
        command += ["--daemon", str(daemon)] if daemon else []
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=(notify_end, self.lifeline_end), cwd=self.folder,
                env={**os.environ, "PYTHONPATH": PYTHONPATH, **(env or {})})
        os.close(notify_end)
        os.close(self.lifeline_end)
        with os.fdopen(notify, "rb") as pipe:
            line = pipe.readline()
        self.ready = json.loads(line) if line else None
        if start:
            assert self.ready and self.ready["ready"], f"{self.ready}\n{self.log_text()}"

    def log_text(self):
        return self.log.read_text(errors="replace")

    def request(self, method, path, body=None, headers=None, timeout=30):
        """body: bytes are sent as they are, anything else as JSON."""
        connection = UnixConnection(self.socket, timeout)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def call(self, path, /, **arguments):
        """The result of an action; the keys are taken as they are."""
        reply = self.post(f"/{path}/", arguments)
        assert reply.status == 200, f"{reply.status}: {reply.body[:500]}\n{self.log_text()}"
        return reply.json()

    def stop(self, how=signal.SIGTERM):
        """Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(20)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None


def complaints(log):
    """Lines that a test must expect: tracebacks, warnings, errors."""
    return re.findall(r"^(?:Traceback .*|jsorc: (?:error|warning): .*|.*level=(?:warn|error) .*)$",
                      log, re.MULTILINE)
