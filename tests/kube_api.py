"""An API server of Kubernetes for tests, in memory: discovery, get, list by pages, watch with
resourceVersions, server-side apply (as a replacement of what the manifest names), merge patch,
create, delete, port-forward. It has no controllers; a test on the real one is beside each that uses
it."""

import json
import threading
import uuid
from urllib.parse import parse_qs, urlsplit

from kube_forward import PROTOCOL, Forward, accept_of
from kube_server import KubeHandler, KubeServer

KINDS = {
    "v1": {"configmaps": ("ConfigMap", True), "namespaces": ("Namespace", False),
           "persistentvolumeclaims": ("PersistentVolumeClaim", True),
           "pods": ("Pod", True), "events": ("Event", True), "secrets": ("Secret", True),
           "services": ("Service", True), "serviceaccounts": ("ServiceAccount", True)},
    "apps/v1": {"deployments": ("Deployment", True), "statefulsets": ("StatefulSet", True),
                "daemonsets": ("DaemonSet", True)},
    "batch/v1": {"jobs": ("Job", True)},
    "coordination.k8s.io/v1": {"leases": ("Lease", True)},
    "discovery.k8s.io/v1": {"endpointslices": ("EndpointSlice", True)},
}
WATCH_SECONDS = 20


class Refusal(Exception):
    def __init__(self, code, reason, message, name=None):
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                       "reason": reason, "message": message, "details": {"name": name}}


class KubeApi(KubeServer):
    """with KubeApi() as api: api.url"""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 1
        self.oldest = 0  # versions before this one cannot be watched from
        self.objects = {}  # (plural, namespace, name) -> object
        self.pages = {}  # (plural, namespace, version) -> objects of a list that goes on
        self.log = []  # (version, plural, type, object)
        self.created = []  # (kind, namespace, name), each time
        self.forwards = []  # all connections to pods that there were
        self.forbidden = set()  # plurals and subresources that nobody may touch
        self.stopping = False
        super().__init__(_Handler)

    def __exit__(self, *_):
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self.cut()
        super().__exit__()

    def kubeconfig(self, namespace):
        """The text of one whose only context is in that namespace."""
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": self.url}}],
            "users": [{"name": "lab", "user": {}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab",
                                                     "namespace": namespace}}]})

    def put(self, version, plural, namespace, obj):
        """As a controller or a person writes it."""
        kind = KINDS[version][plural][0]
        name = obj["metadata"]["name"]
        with self.changed:
            old = self.objects.get((plural, namespace, name))
            metadata = {**(old or {}).get("metadata", {}), **obj["metadata"],
                        "namespace": namespace}
            return self.write(plural, (plural, namespace, name), kind,
                              {**obj, "apiVersion": version, "kind": kind, "metadata": metadata})

    def take(self, plural, namespace, name):
        with self.changed:
            return self.remove(plural, (plural, namespace, name))

    def get(self, plural, namespace, name):
        """None = there is none."""
        with self.changed:
            return self.objects.get((plural, namespace, name))

    def cut(self):
        """Ends all connections to pods."""
        for forward in list(self.forwards):
            forward.cut()

    def names(self, plural):
        with self.changed:
            return sorted(name for of, _, name in self.objects if of == plural)

    def forget(self):
        """Compaction: what is watched from an older version gets 410."""
        with self.changed:
            self.oldest = self.version

    def write(self, plural, key, kind, obj):
        """Stores it with a new version; with self.changed held."""
        old = self.objects.get(key)
        if old is None:
            obj["metadata"]["uid"] = str(uuid.uuid4())
            self.created.append((kind, key[1], key[2]))
        elif {**obj, "metadata": {**obj["metadata"], "resourceVersion": None}} == {
                **old, "metadata": {**old["metadata"], "resourceVersion": None}}:
            return old
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = obj
        self._note(plural, "MODIFIED" if old else "ADDED", obj)
        return obj

    def remove(self, plural, key):
        obj = self.objects.pop(key)
        self.version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._note(plural, "DELETED", obj)
        return obj

    def _note(self, plural, change, obj):
        self.log.append((self.version, plural, change, obj))
        self.changed.notify_all()


class _Handler(KubeHandler):
    @property
    def api(self):
        return self.server.owner

    def setup(self):
        super().setup()
        self.connection.settimeout(60)

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            if url.path.endswith("/portforward"):
                self.forward(int(query["ports"]))
                return
            with self.api.changed:
                answer = self.decide(url.path, query, body)
            if answer is None:
                self.stream(url.path, query)
            else:
                self.reply(201 if self.command == "POST" else 200, answer)
        except Refusal as refusal:
            self.reply(refusal.status["code"], refusal.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = handle_one

    def forward(self, port):
        if "portforward" in self.api.forbidden:
            raise Refusal(403, "Forbidden", "pods is forbidden: cannot get resource portforward")
        assert self.headers["Upgrade"] == "websocket"
        assert self.headers["Sec-WebSocket-Protocol"] == PROTOCOL
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_of(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", PROTOCOL)
        self.end_headers()
        self.wfile.flush()
        forward = Forward(port)
        self.api.forwards.append(forward)
        forward.run(self.connection, self.rfile)

    def resolve(self, path):
        """apiVersion, plural, kind, namespace, name of a path."""
        parts = path.strip("/").split("/")
        version = parts[1] if parts[0] == "api" else "/".join(parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = None
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        if version not in KINDS or not rest or rest[0] not in KINDS[version]:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        return version, rest[0], KINDS[version][rest[0]][0], namespace, (rest[1:] or [None])[0]

    def decide(self, path, query, body):
        """The answer; None = a watch. With api.changed held."""
        parts = path.strip("/").split("/")
        named = "/".join(parts[1:])
        if len(parts) == (2 if parts[0] == "api" else 3) and named in KINDS:
            return {"kind": "APIResourceList", "groupVersion": named, "resources": [
                {"name": plural, "kind": kind, "namespaced": namespaced}
                for plural, (kind, namespaced) in KINDS[named].items()]}
        version, plural, kind, namespace, name = self.resolve(path)
        if plural in self.api.forbidden:
            raise Refusal(403, "Forbidden", f"{plural} is forbidden")
        if self.command == "GET" and name is None:
            return None if query.get("watch") else self.list(plural, kind, namespace, query)
        if self.command == "POST":
            name = body["metadata"]["name"]
        key = (plural, namespace, name)
        old = self.api.objects.get(key)
        if self.command == "POST" and old:
            raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists', name)
        if self.command in ("GET", "DELETE") and not old:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found', name)
        if self.command == "GET":
            return old
        if self.command == "DELETE":
            wanted = (body or {}).get("preconditions", {}).get("uid")
            if wanted and wanted != old["metadata"]["uid"]:
                raise Refusal(409, "Conflict", "the UID in the precondition does not match", name)
            return self.api.remove(plural, key)
        return self.write(version, plural, kind, key, old, body, "dryRun" in query)

    def write(self, version, plural, kind, key, old, body, dry_run):
        if self.headers["Content-Type"] == "application/merge-patch+json":
            if not old:
                raise Refusal(404, "NotFound", f'{plural} "{key[2]}" not found', key[2])
            wanted = body.get("metadata", {}).get("resourceVersion")
            if wanted and wanted != old["metadata"]["resourceVersion"]:
                raise Refusal(409, "Conflict", "the object has been modified", key[2])
            body = _merge(old, body)
        metadata = {**body.get("metadata", {}), "name": key[2]}
        if key[1]:
            metadata["namespace"] = key[1]
        if old:
            metadata["uid"] = old["metadata"]["uid"]
        obj = {**body, "apiVersion": version, "kind": kind, "metadata": metadata}
        return obj if dry_run else self.api.write(plural, key, kind, obj)

    def list(self, plural, kind, namespace, query):
        """A page; the pages that follow are of the same moment."""
        start = 0
        if query.get("continue"):
            version, start = map(int, query["continue"].split("-"))
            if version < self.api.oldest or (plural, namespace, version) not in self.api.pages:
                raise Refusal(410, "Expired", "the continue token is too old")
            items = self.api.pages[plural, namespace, version]
        else:
            version = self.api.version
            items = [obj for (of, where, _), obj in sorted(self.api.objects.items(), key=str)
                     if of == plural and namespace in (None, where) and _selected(obj, query)]
        end = start + int(query.get("limit") or len(items) or 1)
        metadata = {"resourceVersion": str(version)}
        if end < len(items):
            metadata["continue"] = f"{version}-{end}"
            self.api.pages[plural, namespace, version] = items
        bare = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
                for obj in items[start:end]]
        return {"kind": f"{kind}List", "metadata": metadata, "items": bare}

    def stream(self, path, query):
        _, plural, kind, namespace, _ = self.resolve(path)
        seen = int(query["resourceVersion"])
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        api = self.api
        if seen < api.oldest:
            self.chunk({"type": "ERROR", "object": {"kind": "Status", "code": 410,
                                                    "reason": "Expired", "message": "too old"}})
            self.wfile.write(b"0\r\n\r\n")
            return
        while True:
            with api.changed:
                came = api.changed.wait_for(lambda seen=seen: api.version > seen or api.stopping,
                                            WATCH_SECONDS)
                news = [entry for entry in api.log if entry[0] > seen]
                now = api.version
            for _, of, change, obj in news:
                where = obj["metadata"].get("namespace")
                if of == plural and namespace in (None, where) and _selected(obj, query):
                    self.chunk({"type": change, "object": obj})
            seen = now
            self.chunk({"type": "BOOKMARK", "object": {
                "kind": kind, "metadata": {"resourceVersion": str(seen)}}})
            if not came or api.stopping:
                self.wfile.write(b"0\r\n\r\n")
                return

    def chunk(self, event):
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


def _selected(obj, query):
    """Whether its labels are those of a selector of equalities."""
    labels = obj["metadata"].get("labels") or {}
    wanted = query.get("labelSelector")
    return not wanted or all(labels.get(name) == value for name, value in
                             (part.split("=") for part in wanted.split(",")))


def _merge(old, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged
