"""A PostgreSQL server of the test's own: in a temporary folder, on a Unix socket there, as an
unprivileged user (PostgreSQL refuses root), gone at its end."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
READY_SECONDS_MAX = 60
USER = "nobody"


def query(url, text):
    """What psql prints, rows a line, columns parted by '|'."""
    done = subprocess.run(
        [f"{PROGRAMS[-1]}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text], cwd="/",
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Postgres:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="jsorc-pg."))  # short: the socket lies in it
        self.data = self.folder / "data"
        self.process = None
        self.databases, self.unused = 0, []
        self.as_user = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER)
            self.as_user = {"user": USER, "extra_groups": []}
        try:
            self._run("initdb", "-D", self.data, "-U", "jsorc", "-A", "trust", "-E", "UTF8",
                      "--locale=C.UTF-8", "--no-sync", "--no-instructions")
            self.start()
        except BaseException:
            self.remove()
            raise

    def _run(self, program, *words):
        done = subprocess.run([f"{PROGRAMS[-1]}/{program}", *map(str, words)], cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              **self.as_user)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [f"{PROGRAMS[-1]}/postgres", "-D", self.data, "-k", self.folder,
                 "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                **self.as_user)
        end = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                return self.sql("SELECT 1")
            except AssertionError:
                assert self.process.poll() is None and time.monotonic() < end, self.log_text()
                time.sleep(0.05)

    def stop(self, sig=signal.SIGQUIT):
        """SIGQUIT: at once, as in a crash; SIGINT: in good order."""
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(sig)
            self.process.wait(60)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    # ---- use

    def url(self, database="postgres"):
        return f"postgresql://jsorc@/{database}?host={self.folder}"

    def create(self):
        """URL of an empty database, for the caller until free()."""
        if self.unused:  # a new one is 7 MB in 300 files
            url = self.unused.pop()
            self.sql("DROP SCHEMA IF EXISTS jsorc CASCADE", url)
            return url
        self.databases += 1
        name = f"state{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def free(self, url):
        """Once nobody uses it any more, which may be somewhat later."""
        self.unused.append(url)

    def sql(self, text, url=None):
        return query(url or self.url(), text)

    # ---- faults

    def pids(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [self.process.pid, *map(int, Path(children).read_text().split())]

    def freeze(self):
        """It hangs: what is asked of it is neither answered nor refused."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
