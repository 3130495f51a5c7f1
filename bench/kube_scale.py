"""What many modules in a cluster cost the daemon.

    bench/kube_scale.py [--modules 200] [--replicas 5] [--growth 10,100,1000] [--rest 30]

A real control plane (API server, etcd, scheduler, controllers) with nodes and pods that kwok plays,
so no container runs: a pod is an object that the scheduler places and kwok declares ready. Behind
the addresses that kwok makes up there is one stand-in, which tells each module's action spec and
nothing more. So this measures what the daemon does (objects, requests, watches, endpoints, control
turns, memory), and how long a control plane on this machine takes to tell it; neither starts of
containers nor calls.

    converge   from the first load to every module serving in its pod with all its replicas ready
    rest       a window in which nothing happens
    restart    an orderly end of the daemon, and the next one until every module serves
    drift      somebody changes every Deployment one by one, until all are as they were
    unload     every module, until the cluster has none of their objects

Needs root: all of it runs in a network namespace of its own, which has all pods' addresses."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evidence import ROOT, Daemon, pss_kb, wait_until, write_result

sys.path.insert(0, str(ROOT / "tests/cluster"))
from harness import cpu_seconds  # noqa: E402
from kube import Cluster, reason_against  # noqa: E402
from metrics import read_metrics  # noqa: E402

PODS_NET = "10.0.0.0/8"  # kwok counts up from 10.0.0.1
PORT_FIRST = 20000  # of module 0; each has its own, by which the stand-in knows it
NODE_PODS = 1000
CONVERGE_SECONDS_MAX = 900
SETTLE_SECONDS = 5
POLL_SECONDS = 0.5


def enter_namespace():
    """Runs this program again in a network namespace of its own; returns within it."""
    if os.environ.get("JSORC_BENCH_INSIDE") != "1":
        os.environ["JSORC_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", PODS_NET, "dev", "lo"], check=True)


# ---- the stand-in


def name_of(number):
    return f"m{number:04}"


async def answer(reader, writer):
    """Answers each request of a connection with the spec of the module whose port it came to."""
    number = writer.get_extra_info("sockname")[1] - PORT_FIRST
    body = json.dumps({f"{name_of(number)}.act": ["x"]}).encode()
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def stand_in(count):
    for number in range(count):
        await asyncio.start_server(answer, "0.0.0.0", PORT_FIRST + number)
    print("ready", flush=True)
    await asyncio.Event().wait()


# ---- one run


class Run:
    """A daemon with so many modules, in a namespace of the cluster of its own."""

    def __init__(self, cluster, folder, count, replicas):
        self.cluster, self.count, self.replicas = cluster, count, replicas
        self.space = f"scale-{count}-{replicas}"
        cluster.kubectl("create", "namespace", self.space)
        self.daemon = Daemon(folder, options=(
            "--provider", "kubernetes", "--kubeconfig", cluster.kubeconfig,
            "--kube-namespace", self.space, "--start-timeout-s", "600"))
        self.before = None
        self.result = {"modules": count, "replicas": replicas}

    def kubectl(self, *words):
        return self.cluster.kubectl("-n", self.space, *words)

    def metrics(self):
        return read_metrics(self.daemon)

    def figures(self):
        """What the daemon has spent since its start."""
        metrics = self.metrics()
        turns = "jsorc_control_turn_duration_seconds"
        return {
            "at": time.monotonic(),
            "cpu_s": cpu_seconds(self.daemon.daemon_pid()),
            "requests": metrics("jsorc_kube_requests_total") or 0,
            "verbs": {verb: metrics("jsorc_kube_requests_total", verb=verb) or 0
                      for verb in ("get", "list", "watch", "create", "patch", "delete")},
            "refused": sum(metrics("jsorc_kube_requests_total", code=code) or 0
                           for code in ("none", "4xx", "5xx")),
            "applied": metrics("jsorc_kube_objects_applied_total"),
            "repaired": metrics("jsorc_kube_objects_repaired_total"),
            "received_mb": metrics("jsorc_kube_received_bytes_total") / 1e6,
            "events": metrics("jsorc_kube_watch_events_total"),
            "turns": metrics(f"{turns}_count"),
            "turning_s": metrics(f"{turns}_sum"),
            "reconciling_s": metrics("jsorc_kube_turn_duration_seconds_sum"),
        }

    def mark(self):
        self.before = self.figures()

    def since_mark(self):
        now = self.figures()
        spent = {key: now[key] - self.before[key] for key in now if key not in ("at", "verbs")}
        spent["verbs"] = {verb: now["verbs"][verb] - self.before["verbs"][verb]
                          for verb in now["verbs"]}
        spent["seconds"] = now["at"] - self.before["at"]
        spent["turn_us"] = spent["turning_s"] / max(spent["turns"], 1) * 1e6
        return spent

    def serve(self):
        metrics = self.metrics()
        return (metrics("jsorc_module_ready", place="remote") == self.count
                and metrics("jsorc_kube_unsettled") == 0)

    def replicas_ready(self):
        text = self.kubectl("get", "deployments", "-o",
                            "jsonpath={range .items[*]}{.status.readyReplicas} {end}")
        return text.split() == [str(self.replicas)] * self.count

    def until(self, condition, what):
        """Polls; the seconds since the last mark."""
        wait_until(condition, CONVERGE_SECONDS_MAX, what, poll=POLL_SECONDS)
        return time.monotonic() - self.before["at"]

    # ---- what is measured

    def converge(self):
        self.mark()
        for number in range(self.count):
            name = name_of(number)
            remote = {"image": "localhost/none:1", "memory": "16Mi", "port": PORT_FIRST + number,
                      "replicas": self.replicas}
            assert self.daemon.op("jsorc_actions_config", name=name, config={
                "module": name, "remote": remote})["success"]
            assert self.daemon.op("jsorc_actions_load", name=name, mode="remote")["success"]
        loaded_s = time.monotonic() - self.before["at"]
        serving_s = self.until(self.serve, "every module to serve")
        ready_s = self.until(self.replicas_ready, "every replica")
        time.sleep(SETTLE_SECONDS)
        self.result["converge"] = {**self.since_mark(), "loaded_s": loaded_s,
                                   "serving_s": serving_s, "ready_s": ready_s}

    def rest(self, seconds):
        time.sleep(SETTLE_SECONDS)
        self.mark()
        time.sleep(seconds)
        spent = self.since_mark()
        pid = self.daemon.daemon_pid()
        spent["pss_mb"] = pss_kb(pid) / 1024
        spent["cpu_percent"] = 100 * spent["cpu_s"] / spent["seconds"]
        self.result["rest"] = spent

    def restart(self):
        self.daemon.stop()
        self.daemon.start()
        self.before = {key: 0 for key in self.figures()}
        self.before["verbs"] = dict.fromkeys(self.figures()["verbs"], 0)
        self.before["at"] = time.monotonic()
        serving_s = self.until(self.serve, "every module to serve again")
        time.sleep(SETTLE_SECONDS)
        self.result["restart"] = {**self.since_mark(), "serving_s": serving_s}

    def drift(self):
        self.mark()
        # kubectl sends 5 a second; most are mended before it has sent the last.
        self.kubectl("scale", "deployments", "--all", f"--replicas={self.replicas + 1}")
        changed_s = time.monotonic() - self.before["at"]
        mended_s = self.until(lambda: self.metrics()("jsorc_kube_objects_repaired_total")
                              >= self.before["repaired"] + self.count and self.serve(), "repair")
        assert self.until(self.replicas_ready, "the replicas as they were")
        self.result["drift"] = {**self.since_mark(), "changed_s": changed_s, "mended_s": mended_s}

    def unload(self):
        self.mark()
        for number in range(self.count):
            self.daemon.op("jsorc_actions_unload", name=name_of(number), mode="remote",
                           retire_svc=True)
        gone = ("deployments,services,configmaps", "-l", "app.kubernetes.io/managed-by=jsorc")
        gone_s = self.until(lambda: not self.kubectl("get", *gone, "-o", "name"), "the end of all")
        self.result["unload"] = {**self.since_mark(), "gone_s": gone_s}


def measure(cluster, folder, count, replicas, options, whole):
    run = Run(cluster, folder / f"{count}-{replicas}", count, replicas)
    run.daemon.start()
    try:
        run.converge()
        print_line(run.result, "converge")
        run.rest(options.rest)
        print_line(run.result, "rest")
        for step in ("restart", "drift") if whole else ():
            getattr(run, step)()
            print_line(run.result, step)
        run.unload()
        print_line(run.result, "unload")
    except AssertionError:
        print(run.daemon.log_text()[-5000:], file=sys.stderr)
        raise
    finally:
        run.daemon.stop()
        run.daemon.kill()
    return run.result


# ---- the tables


def print_line(result, step):
    spent = result[step]
    seconds = [f"{key} {spent[key]:.1f}" for key in spent if key.endswith("_s")
               and key in ("loaded_s", "serving_s", "ready_s", "changed_s", "mended_s", "gone_s")]
    verbs = " ".join(f"{verb} {count:.0f}" for verb, count in spent["verbs"].items() if count)
    print(f"{result['modules']} modules x {result['replicas']}, {step}: {' '.join(seconds)} | "
          f"{spent['requests']:.0f} requests ({verbs}), {spent['refused']:.0f} not answered well, "
          f"{spent['applied']:.0f} applied, {spent['repaired']:.0f} repaired, "
          f"{spent['received_mb']:.1f} MB, {spent['events']:.0f} events | "
          f"CPU {spent['cpu_s']:.2f} s, reconciler {spent['reconciling_s']:.2f} s, "
          f"{spent['turns']:.0f} turns of {spent['turn_us']:.0f} us", flush=True)


def table(results):
    yield ("| modules x replicas | converge s | requests | a module | CPU s "
           "| rest: PSS MiB | CPU % | requests/min | turn µs |")
    yield "|---|---|---|---|---|---|---|---|---|"
    for result in results:
        made, rest = result["converge"], result["rest"]
        yield (f"| {result['modules']} x {result['replicas']} | {made['ready_s']:.1f} "
               f"| {made['requests']:.0f} | {made['requests'] / max(result['modules'], 1):.1f} "
               f"| {made['cpu_s']:.1f} | {rest['pss_mb']:.1f} | {rest['cpu_percent']:.2f} "
               f"| {rest['requests'] * 60 / rest['seconds']:.1f} | {rest['turn_us']:.0f} |")


def nodes(count):
    for number in range(count):
        yield {"apiVersion": "v1", "kind": "Node",
               "metadata": {"name": f"fake-{number}",
                            "annotations": {"kwok.x-k8s.io/node": "fake"}},
               "status": {"allocatable": {"cpu": "256", "memory": "1Ti", "pods": str(NODE_PODS)}}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--modules", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=5)
    parser.add_argument("--growth", default="10,100,1000", help="modules of one replica each")
    parser.add_argument("--rest", type=float, default=30, help="seconds without anything to do")
    parser.add_argument("--stand-in", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stand_in:
        asyncio.run(stand_in(options.stand_in))
        return 0
    reason = reason_against()
    if reason:
        print(f"kube_scale: no cluster here: {reason}")
        return 1
    enter_namespace()
    growth = [int(word) for word in options.growth.split(",") if word]
    wanted = [(options.modules, options.replicas, True)] * (options.modules > 0)
    wanted += [(count, 1, False) for count in growth]
    most = max(count * (replicas + 1) for count, replicas, _ in wanted)
    results = []
    with tempfile.TemporaryDirectory(prefix="jsorc-scale-") as folder:
        cluster = Cluster(Path(folder) / "cluster")
        server = subprocess.Popen(
            [sys.executable, __file__, "--stand-in", str(max(count for count, _, _ in wanted))],
            stdout=subprocess.PIPE)
        try:
            assert server.stdout.readline() == b"ready\n"
            cluster.up("--kwok")
            cluster.kubectl("apply", "-f", "-", stdin="\n---\n".join(
                map(json.dumps, nodes(most // NODE_PODS + 2))))
            for count, replicas, whole in wanted:
                results.append(measure(cluster, Path(folder), count, replicas, options, whole))
        finally:
            server.terminate()
            server.wait()
            cluster.down()
    path = write_result("kube_scale", results)
    print("\n".join(table(results)))
    print(f"figures in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
