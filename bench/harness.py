"""Starts servers, loads them with wrk side by side in one run, and prints medians.

All servers stay up for the whole run and are measured in turn within each repetition, so that a
busy minute of the machine meets all of them. A server that cannot start, or gives a wrong answer,
is a row with its reason. Only 127.0.0.1; each server is ended by its process id."""

import http.client
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).resolve().parent
START_SECONDS_MAX = 60  # the original takes 2 s, on a busy machine more
STOP_SECONDS_MAX = 10
CALL_SECONDS_MAX = 30
NOT_YET = (404, 503)  # listens, and is still loading


@dataclass
class Work:
    """A request body, and the answer that a server must give before it is measured."""

    name: str
    body: bytes
    answer: object


@dataclass
class Target:
    """Where a work is posted to, if it has another body there, or an answer wrapped in another."""

    path: str
    body: bytes = None
    unwrap: object = None


@dataclass
class Server:
    """argv: {port}, {tmp} are filled in. paths: work name -> path, or Target.

    check False: the answer is fixed and says nothing of the request (nginx)."""

    name: str
    argv: list
    paths: dict
    env: dict = field(default_factory=dict)
    check: bool = True
    prepare: object = None  # called with the server and its folder before the start
    login: object = None  # called likewise once it listens; returns further headers (dict)
    missing: str = ""  # why it cannot be started at all

    port = 0
    pid = None
    process = None
    log = None
    failed = ""
    start_ms = None
    pss_kb = None
    headers = {}

    def target(self, work):
        target = self.paths[work.name]
        if not isinstance(target, Target):
            target = Target(target)
        return Target(target.path, target.body or work.body,
                      target.unwrap or (lambda answer: answer))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(port, path, body, headers=None):
    """Returns (status, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_SECONDS_MAX)
    try:
        connection.request("POST", path, body,
                           {"Content-Type": "application/json", **(headers or {})})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def log_tail(path):
    lines = path.read_text(errors="replace").split("\n") if path.exists() else []
    lines = [line.strip() for line in lines if line.strip()]
    return " | ".join(lines[-3:])[-300:]


def start(server, works, folder):
    """Starts it and checks its answers; sets server.failed on failure."""
    server.failed = server.missing
    if server.failed:
        return
    folder.mkdir(parents=True)
    server.port = free_port()
    argv = [str(a).replace("{port}", str(server.port)).replace("{tmp}", str(folder))
            for a in server.argv]
    log = server.log = folder / "log"
    begin = time.monotonic()
    try:
        if server.prepare:
            server.prepare(server, folder)
        with log.open("wb") as out:
            server.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder,
                env={**os.environ, **server.env}, start_new_session=True)
    except (OSError, subprocess.SubprocessError) as error:
        server.failed = str(error)
        return
    server.failed = wait_for_answers(server, works, begin, log)


def answer_error(server, work):
    """Posts the work once. Returns "" when the answer is right, else what is wrong."""
    target = server.target(work)
    status, body = post(server.port, target.path, target.body, server.headers)
    if status in NOT_YET:
        raise ConnectionError(f"answered {status}: {body[:200]!r}")
    try:
        right = status == 200 and (
            not server.check or target.unwrap(json.loads(body)) == work.answer)
    except (ValueError, LookupError, TypeError):
        right = False
    return "" if right else f"{work.name} answered {status}: {body[:200]!r}"


def wait_for_answers(server, works, begin, log):
    """Returns "" once each work got its answer, else the reason."""
    mine = [work for work in works if work.name in server.paths]
    reason = "did not listen"
    while time.monotonic() - begin < START_SECONDS_MAX:
        if server.process.poll() is not None:
            return f"exited with {server.process.returncode}: {log_tail(log)}"
        try:
            if server.login and not server.headers:
                server.headers = server.login(server, log.parent)
            wrong = answer_error(server, mine[0])
            server.start_ms = (time.monotonic() - begin) * 1000
            return wrong or next(filter(None, (answer_error(server, w) for w in mine)), "")
        except OSError as error:
            reason = str(error)
            time.sleep(0.002)
    return f"no answer in {START_SECONDS_MAX} s: {reason}; {log_tail(log)}"


def stop(server):
    if not server.process or server.process.poll() is not None:
        return
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def tree(pid):
    """The process and its children, those that are still there."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid] + [one for child in children for one in tree(int(child))]


def memory_kb(pid):
    """PSS of the process and its children: shared pages count once."""
    total = 0
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def cpu_seconds(pid):
    """User and system time of the process and its children so far."""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(server, work, connections, seconds):
    """One run of wrk with one thread. cpu_us: what the server's processes spent, a request."""
    before = cpu_seconds(server.process.pid)
    target = server.target(work)
    url = f"http://127.0.0.1:{server.port}{target.path}"
    run = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency",
         "-s", BENCH / "post.lua", url, "--", target.body.decode(),
         *(word for header in server.headers.items() for word in header)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
    for line in run.stdout.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line.removeprefix("RESULT "))
            result["rps"] = result["requests"] / result["seconds"]
            spent = cpu_seconds(server.process.pid) - before
            result["cpu_us"] = spent / max(result["requests"], 1) * 1e6
            return result
    raise RuntimeError(f"wrk gave no result: {run.stderr or run.stdout}")


def load_checked(server, work, connections, seconds):
    """As load; a server that died or does not answer any more becomes a failed row: None."""
    try:
        return load(server, work, connections, seconds)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        status = server.process.poll()
        how = f"{error}" if status is None else f"died with {status}: {log_tail(server.log)}"
        server.failed = f"{work.name}, {connections} connections: {how}"
        return None


def run_all(servers, works, connections, seconds, repeat, progress=print):
    """Returns [{"server", "work", "connections", "runs": [...], medians}], failed rows included."""
    rows = {}
    with tempfile.TemporaryDirectory(prefix="jsorc-bench-") as tmp:
        try:
            for number, server in enumerate(servers):
                start(server, works, Path(tmp) / str(number))
                progress(f"{server.name}: {server.failed or f'ready in {server.start_ms:.0f} ms'}")
            for turn in range(repeat + 1):  # the first is for warming up and is not kept
                progress(f"repetition {turn} of {repeat}" if turn else "warming up")
                for count in connections:
                    for work in works:
                        for server in servers:
                            if server.failed or work.name not in server.paths:
                                continue
                            result = load_checked(server, work, count, seconds if turn else 1)
                            if turn and result:
                                key = (server.name, work.name, count)
                                rows.setdefault(key, []).append(result)
            for server in servers:
                server.pss_kb = None if server.failed else memory_kb(server.process.pid)
        finally:
            for server in servers:
                stop(server)
    return [median_row(*key, runs) for key, runs in rows.items()]


def median_row(name, work, connections, runs):
    row = {"server": name, "work": work, "connections": connections, "runs": runs}
    for key in ("rps", "p50_us", "p99_us", "cpu_us"):
        row[key] = statistics.median(run[key] for run in runs)
    row["errors"] = sum(run["bad_status"] + run["socket_errors"] for run in runs)
    return row


def ratio_of(row, reference):
    """Median of the ratios of requests/s within each repetition: both met the same machine then."""
    pairs = zip(row["runs"], reference["runs"], strict=True)
    return statistics.median(mine["rps"] / other["rps"] for mine, other in pairs)


def fingerprint():
    """What the figures belong to."""
    cpu = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split("\n", 1)[0].split()[1]
    versions = {}
    for name, argv in {"nginx": ["nginx", "-v"], "wrk": ["wrk", "-v"]}.items():
        run = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        versions[name] = (run.stderr + run.stdout).split("\n")[0].strip()
    commit = subprocess.run(["git", "-C", BENCH, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpu": cpu[0] if cpu else "",
        "cores": os.cpu_count(), "memory_kb": int(memory), "kernel": platform.release(),
        "python": platform.python_version(), "load_before": os.getloadavg(), "commit": commit,
        **versions,
    }


def table(servers, rows, works, connections, base):
    """Lines of the printed tables. base: name of the server that ratios are taken of."""
    cells = {(row["server"], row["work"], row["connections"]): row for row in rows}
    width = max(len(server.name) for server in servers)
    for work in works:
        mine = [server for server in servers if work.name in server.paths]
        for count in connections:
            plural = "s" if count > 1 else ""
            yield ""
            yield (f"{f'{work.name}, {count} connection{plural}':{width}}{'req/s':>9}{'ratio':>8}"
                   f"{'p50 µs':>9}{'p99 µs':>9}{'CPU µs':>9}{'errors':>8}")
            reference = cells.get((base, work.name, count))
            for server in mine:
                if server.failed:
                    yield f"{server.name:{width}}  failed: {server.failed}"
                else:
                    yield row_text(server, cells[server.name, work.name, count], reference, width)
    yield ""
    yield f"{'start and memory':{width}}{'ms':>9}{'PSS MB':>8}"
    for server in servers:
        if not server.failed:
            yield f"{server.name:{width}}{server.start_ms:9.0f}{server.pss_kb / 1024:8.1f}"
    yield (f"ratio: requests/s over those of '{base}', median over the repetitions; "
           "CPU: of the server's processes, a request")


def row_text(server, row, reference, width):
    ratio = f"{ratio_of(row, reference):8.3f}" if reference else f"{'–':>8}"
    return (f"{server.name:{width}}{row['rps']:9.0f}{ratio}{row['p50_us']:9.0f}{row['p99_us']:9.0f}"
            f"{row['cpu_us']:9.1f}{row['errors']:8d}")


def write_json(path, servers, rows, extra):
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": fingerprint(), **extra,
        "servers": [{"name": s.name, "failed": s.failed, "start_ms": s.start_ms,
                     "pss_kb": s.pss_kb} for s in servers],
        "rows": rows,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwritten: {path}")


def nginx(answer, name="nginx, fixed answer"):
    """One worker that returns `answer` for whatever is asked, and logs nothing."""

    def write_config(server, folder):
        (folder / "nginx.conf").write_text(
            "daemon off; worker_processes 1; error_log stderr error;\n"
            f"pid {folder}/pid; events {{ worker_connections 1024; }}\n"
            "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;\n"
            f" client_body_temp_path {folder}; proxy_temp_path {folder};\n"
            f" fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
            f" server {{ listen 127.0.0.1:{server.port}; default_type application/json;\n"
            f"  location / {{ return 200 '{answer}'; }} }} }}\n")

    binary = next((p for p in ("/usr/sbin/nginx", "/usr/bin/nginx") if os.path.exists(p)), None)
    return Server(name, [binary, "-e", "stderr", "-c", "{tmp}/nginx.conf"],
                  paths={"echo": "/echo/"}, check=False, prepare=write_config,
                  missing="" if binary else "nginx is not installed")
