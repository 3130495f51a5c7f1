"""The Kubernetes client of src/provider/kubernetes, alone: its test program kube_talk, told by
lines what to do. Also what it has seen through its watches."""

import contextlib
import json
import os
import subprocess
import threading
from pathlib import Path

from programs import BUILD, wait_until

PROGRAM = BUILD / "src/provider/kubernetes/kube_talk"
PATIENCE_SECONDS = 60


class Talk:
    """A test program that does what lines of JSON tell it, until they end. It must end well."""

    def __init__(self, program, options):
        self.process = subprocess.Popen(
            [program, json.dumps(options)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
        self.reader.join(PATIENCE_SECONDS)
        complaint = self.complaint()
        assert status == 0 and not complaint, complaint

    def tell(self, line):
        self.process.stdin.write(json.dumps(line) + "\n")


class KubeTalk(Talk):
    """with KubeTalk(kubeconfig=...) as kube: kube.get("v1", "Pod", "web")"""

    def __init__(self, **options):
        self.changed = threading.Condition()
        self.answers = {}
        self.views = {}
        self.last_id = 0
        self.ended = False
        super().__init__(PROGRAM, options)

    def complaint(self):
        return self.process.stderr.read()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.changed:
                if "watch" in message:
                    self.views[message["watch"]].take(message)
                else:
                    self.answers[message["id"]] = message
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def begin(self, do, **details):
        """Sends a line; its number. The answer is waited for with `answer`."""
        self.last_id += 1
        line = {"id": self.last_id, "do": do, **details}
        if do == "watch":
            self.views[self.last_id] = View()
        self.tell(line)
        return self.last_id

    def answer(self, number):
        with self.changed:
            self.changed.wait_for(lambda: number in self.answers or self.ended, PATIENCE_SECONDS)
            assert number in self.answers, f"no answer to request {number}"
            return self.answers.pop(number)

    def ask(self, do, **details):
        return self.answer(self.begin(do, **details))

    def connections(self):
        """How many TCP connections it has open."""
        mine = set()
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                mine.add(os.readlink(link))
        rows = Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]
        return sum(f"socket:[{row.split()[9]}]" in mine for row in rows)

    def apply(self, manifest, **options):
        return self.ask("apply", object=manifest, **options)

    def get(self, api_version, kind, name, **details):
        return self.ask("get", apiVersion=api_version, kind=kind, name=name, **details)

    def watch(self, api_version, kind, **details):
        return self.views[self.begin("watch", apiVersion=api_version, kind=kind, **details)]


class ReconcilerTalk(Talk):
    """The reconciler, alone: its test program. with ReconcilerTalk(...) as reconciler: ..."""

    def __init__(self, **options):
        self.log = []
        super().__init__(PROGRAM.with_name("reconciler_talk"), options)

    def complaint(self):
        return [line for line in self.log if not line.startswith("time=")]

    def _read(self):
        self.log.extend(self.process.stderr)

    def want(self, name, objects):
        """objects: manifests, or None to want none of them any more."""
        line = {"want": name}
        if objects is not None:
            line["manifest"] = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.tell(line)

    def state(self, name):
        self.tell({"state": name})
        return json.loads(self.process.stdout.readline())

    def until_settled(self, name, seconds):
        """Its objects' states."""
        return wait_until(lambda: (state := self.state(name))["settled"] and state["objects"],
                          seconds, f"{name} to be settled: {self.state(name)}")


class View:
    """What a watch has told: objects by (namespace, name), as they are now."""

    def __init__(self):
        self.objects = {}
        self.changes = []
        self.synced = 0
        self.troubles = []

    def take(self, message):
        if "change" in message:
            metadata = message["object"]["metadata"]
            key = (metadata.get("namespace"), metadata["name"])
            self.changes.append((message["change"], key))
            if message["change"] == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = message["object"]
        elif "synced" in message:
            self.synced += 1
        else:
            self.troubles.append(message["trouble"])

    def until(self, condition, what, seconds=PATIENCE_SECONDS):
        wait_until(lambda: condition(self), seconds, what)
