"""What happens to backing services, again and again, while numbered requests run.

    bench/services.py [--rounds 50] [--interval 1] [--rate 200]

For each fault: the time until it shows, and until the service runs again (from the fault, or from
the end of what caused it). Asked: each round recovers without a hand, and no request fails."""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from evidence import ROOT, Daemon, Load, load_module, wait_until, write_result

WAIT_S = 120


class Bed:
    """A daemon with the service as it is to be, and what a fault does to it."""

    def __init__(self, folder, options, name, **config):
        self.name = name
        journal = folder / "journal"
        journal.mkdir(parents=True)
        self.daemon = Daemon(
            folder / "daemon", ROOT / "bench" / "actions" / "nonce.py",
            env={"NONCE_JOURNAL": str(journal)},
            options=("--service-interval-s", options.interval, "--service-timeout-s",
                     options.interval / 2)).start()
        load_module(self.daemon, "nonce", "module")
        of = "prome" if name == "node_exporter" else name
        self.daemon.op("service_config_set", name=of, config={"automated": True, **config})
        self.load = Load(self.daemon, 4, options.rate)

    def info(self):
        return self.daemon.op("service_info", name=self.name)

    def is_running(self):
        return self.info()["state"] == "RUNNING"

    def settle(self, interval):
        """Until a failure counts as the first again."""
        wait_until(self.is_running, WAIT_S, f"{self.name} before the fault")
        time.sleep(4 * interval)
        wait_until(self.is_running, WAIT_S, f"{self.name} before the fault")

    def close(self):
        result = self.load.stop()
        self.daemon.stop()
        self.daemon.kill()
        return result


def measure(bed, fault, repair):
    """Seconds to the first sign, and to running again."""
    before = bed.info()["pid"]
    start = time.monotonic()
    fault(bed)
    wait_until(lambda: not bed.is_running() or bed.info()["pid"] != before, WAIT_S, "a sign of it")
    shown = time.monotonic() - start
    if repair:
        start = time.monotonic()
        repair(bed)
    wait_until(bed.is_running, WAIT_S, f"{bed.name} again")
    return shown, time.monotonic() - start


def to_process(number):
    return lambda bed: os.kill(bed.info()["pid"], number)


class Foreign:
    """A redis-server of somebody else's, and what happens to it."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self, _bed=None):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--requirepass", "right", "--dir", str(self.folder)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop(self, _bed=None):
        self.process.kill()
        self.process.wait()

    def password(self, old, new):
        def change(_bed):
            with socket.create_connection(("127.0.0.1", self.port)) as redis:
                redis.sendall(f"AUTH {old}\r\nCONFIG SET requirepass {new}\r\n".encode())
                redis.recv(100)
                time.sleep(0.05)
        return change

    @property
    def config(self):
        return {"host": "127.0.0.1", "port": self.port, "password": "right"}


class TakenPort:
    """A port of a service's that somebody else has once its process has been killed."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.socket.close()

    def take(self, bed):
        os.kill(bed.info()["pid"], signal.SIGKILL)
        while True:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.socket.bind(("127.0.0.1", self.port))
                self.socket.listen()
                return
            except OSError:  # it was started anew before us: once more
                self.socket.close()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(bed.info()["pid"] or 1 << 30, signal.SIGKILL)

    def free(self, _bed):
        self.socket.close()


def other_password(bed):
    path = bed.daemon.state / "services" / "database" / "password"
    path.with_name("kept").write_text(path.read_text())
    path.write_text("0" * 32)


def own_password(bed):
    path = bed.daemon.state / "services" / "database" / "password"
    path.write_text(path.with_name("kept").read_text())


def cases(folder):
    """name -> (service, config, fault, repair, the server of somebody else's)"""
    found = {}
    for name in ("redis", "prome", "node_exporter", "database"):
        found[f"{name} killed"] = (name, {}, to_process(signal.SIGKILL), None, None)
        found[f"{name} frozen"] = (name, {}, to_process(signal.SIGSTOP), None, None)
    for name in ("redis", "database"):
        port = TakenPort()
        found[f"{name}'s port taken"] = (name, {"listen_port": port.port}, port.take, port.free,
                                         None)
    found["database's password another"] = ("database", {}, other_password, own_password, None)
    other = Foreign(folder)
    found["other's redis refuses"] = ("redis", other.config, other.stop, other.start, other)
    found["other's redis has another password"] = (
        "redis", other.config, other.password("right", "new"), other.password("new", "right"),
        other)
    return found


def spread(values):
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "max": ordered[-1],
            "p90": ordered[int(0.9 * (len(ordered) - 1))]}


def run_case(title, case, options):
    name, config, fault, repair, other = case
    if other:
        other.start()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the database's account passes through
        bed = Bed(Path(folder), options, name, **config)
        times = []
        try:
            for _ in range(options.rounds):
                bed.settle(options.interval)
                times.append(measure(bed, fault, repair))
        finally:
            load = bed.close()
            if other:
                other.stop()
    shown, again = (spread(column) for column in zip(*times, strict=True))
    print(f"{title:36} shows {shown['median']:6.2f} s (max {shown['max']:.2f})   runs again "
          f"{again['median']:6.2f} s (max {again['max']:.2f})   requests {load['right']} right, "
          f"{load['failed'] + load['wrong']} not",
          flush=True)
    return {"shown_s": shown, "again_s": again, "rounds": len(times), "load": load}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between checks")
    parser.add_argument("--rate", type=int, default=200, help="requests a second meanwhile")
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, case in cases(Path(folder)).items():
            if options.only in title:
                results[title] = run_case(title, case, options)
    path = write_result("services", results)
    print(f"{path}: {json.dumps({'rounds': options.rounds, 'interval_s': options.interval})}")


if __name__ == "__main__":
    main()
