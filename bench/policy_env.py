"""A second world for policies, so that none is fitted to the one it was made with.

Drives the built `jsorc policy advise` as a black box in a simulator that shares no code and few
assumptions with src/policy/twin.c: workers share the processors of a host; in a worker calls share
its speed (threads under one lock) or queue; service times are gamma or log-normal; a hop takes
processor time in the runtime worker and in the pod besides its delay; pauses of users are
exponential; walkers' own code lies before, between or after the calls. Every figure that the
policy is told has noise on it.

    bench/policy_env.py --jsorc build/jsorc [--count 60] [--seed 1] [--policy adaptive] [-v]

Prints the mean and 90th percentile of the gap to the oracle (every feasible placement simulated
with the same luck), phases used and the slowest answer."""

import argparse
import heapq
import json
import math
import random
import subprocess
import sys
import time
from itertools import product

RUNS_PHASE_MAX = 1200  # of a phase; more change its mean by less than the noise
RUNS_QUICK = 250  # with which the oracle tries all placements
RUNS_LONG = 2500  # with which it compares the best ones
FINALS = 8
MB = 1 << 20


class World:
    """What is true and has to be found out."""

    def __init__(self, seed):
        draw = random.Random(seed)
        self.seed = seed
        count = draw.randint(3, 7)
        self.names = [f"mod_{i}" for i in range(count)]
        self.local = [draw.gammavariate(1.2, 0.006) + 0.0002 for _ in range(count)]
        self.remote = [x * draw.uniform(0.55, 1.7) for x in self.local]
        self.hop_cpu = [draw.choice([0, 0.0002, 0.001]) for _ in range(count)]
        self.hop_delay = [draw.uniform(0.0005, 0.008) for _ in range(count)]
        self.mem = [draw.uniform(100, 1000) for _ in range(count)]
        self.budget = sum(self.mem) * draw.choice([0.3, 0.5, 0.8, 2])
        if draw.random() < 0.2:
            self.mem[draw.randrange(count)] = 1.5 * self.budget  # never fits
        self.called = [i for i in range(count) if draw.random() > 0.1] or [0]
        self.walkers = [
            [draw.choice(self.called) for _ in range(draw.randint(1, 9))]
            for _ in range(draw.randint(1, 4))
        ]
        self.weights = [draw.uniform(0.2, 1) for _ in self.walkers]
        self.own = [draw.choice([0, 0, draw.uniform(0.0005, 0.01)]) for _ in self.walkers]
        self.own_at = draw.choice(["before", "between", "after"])
        self.users = draw.choice([1, 2, 4, 8, 16, 32])
        self.think = draw.choice([0, 0, 0.05, 0.3])
        self.cores = draw.choice([2, 2, 4, 64])
        self.shared = draw.random() < 0.5  # calls in a worker share its speed
        self.spread = draw.choice([0.1, 0.5, 1, 2])
        self.gamma = draw.random() < 0.5
        self.noise = draw.choice([0.01, 0.03, 0.05])

    def service(self, draw, mean):
        if mean <= 0:
            return 0
        if self.gamma:
            return draw.gammavariate(1 / self.spread, mean * self.spread)
        sigma = math.sqrt(math.log1p(self.spread))
        return mean * math.exp(sigma * draw.gauss(0, 1) - sigma * sigma / 2)

    def problem(self):
        draw = random.Random(self.seed + 1)
        return {
            "modules": [
                {"name": n, "mem_mb": m, "hop_s": (2 * c + d) * draw.uniform(0.6, 1.6)}
                for n, m, c, d in zip(
                    self.names, self.mem, self.hop_cpu, self.hop_delay, strict=True)
            ],
            "budget_mb": self.budget,
            "walkers": [
                {"name": f"walk{i}", "calls": [self.names[m] for m in calls]}
                for i, calls in enumerate(self.walkers)
            ],
            "users": self.users,
            "think_s": self.think,
            "phase_s": 10,
        }

    def feasible(self):
        for bits in product([True, False], repeat=len(self.names)):
            if sum(m for m, local in zip(self.mem, bits, strict=True) if local) <= self.budget:
                yield bits


class Worker:
    """A process: jobs share its speed, or one is served and the others queue. progress is the work
    that each job in service has got since the worker began."""

    def __init__(self, shared):
        self.shared = shared
        self.progress = 0.0
        self.serving = []  # heap of (progress at which it is ready, number, job)
        self.queue = []

    def rate(self, speed):
        return speed / len(self.serving)


class Simulation:
    """One load on one placement. A job's steps: ("cpu", worker, work, module or None), ("delay",
    seconds), ("call", module), ("exec", module): the last two begin what is measured of a call."""

    def __init__(self, world, placement, seed):
        self.world, self.placement, self.seed = world, placement, seed
        self.now = 0.0
        self.number = 0
        self.workers = [Worker(world.shared) for _ in range(1 + len(world.names))]
        self.busy = set()
        self.delays = []
        self.latencies = []
        self.calls = {}
        self.runs = {}

    def steps(self, draw):
        world = self.world
        walker = draw.choices(range(len(world.walkers)), world.weights)[0]
        calls = world.walkers[walker]
        own = world.service(draw, world.own[walker])
        pieces = {"before": [own] + [0] * len(calls), "after": [0] * len(calls) + [own],
                  "between": [own / (len(calls) + 1)] * (len(calls) + 1)}[world.own_at]
        steps = []
        for i, module in enumerate(calls):
            luck = world.service(draw, 1)
            steps.append(("cpu", 0, pieces[i]))
            steps.append(("call", module))
            if self.placement[module]:
                steps += [("exec", module), ("cpu", 0, world.local[module] * luck),
                          ("executed", module)]
            else:
                cpu, delay = world.hop_cpu[module], world.hop_delay[module]
                steps += [("cpu", 0, cpu), ("delay", delay / 2), ("cpu", 1 + module, cpu),
                          ("exec", module), ("cpu", 1 + module, world.remote[module] * luck),
                          ("executed", module), ("delay", delay / 2), ("cpu", 0, cpu)]
            steps.append(("called", module))
        steps.append(("cpu", 0, pieces[-1]))
        return walker, steps

    def begin(self, user, run):
        draw = random.Random(f"{self.seed}/{user}/{run}")
        walker, steps = self.steps(draw)
        pause = draw.expovariate(1 / self.world.think) if self.world.think else 0
        job = {"user": user, "run": run, "walker": walker, "steps": steps, "at": 0, "pause": pause}
        self.later(pause, job)

    def later(self, pause, job):
        self.number += 1
        heapq.heappush(self.delays, (self.now + pause, self.number, job))

    def serve(self, index, work, job):
        worker = self.workers[index]
        if worker.serving and not worker.shared:
            worker.queue.append((work, job))
            return
        job["served"] = self.now
        self.number += 1
        heapq.heappush(worker.serving, (worker.progress + work, self.number, job))
        self.busy.add(index)

    def proceed(self, job):
        if job["at"] == 0:
            job["begun"] = self.now
        while job["at"] < len(job["steps"]):
            step = job["steps"][job["at"]]
            job["at"] += 1
            if step[0] == "cpu":
                if step[2] > 0:
                    self.serve(step[1], step[2], job)
                    return
            elif step[0] == "delay":
                self.later(step[1], job)
                return
            elif step[0] == "call":
                job["called"] = self.now
            elif step[0] == "executed":
                # Sharing workers tell the time on the wall, queueing ones from its turn on.
                job["exec"] = self.now - job["served"]
            elif step[0] == "called":
                figures = self.calls.setdefault(step[1], [0, 0.0, 0.0])
                figures[0] += 1
                figures[1] += self.now - job["called"]
                figures[2] += job["exec"]
        self.latencies.append(self.now - job["begun"])
        self.runs[job["walker"]] = self.runs.get(job["walker"], 0) + 1
        self.begin(job["user"], job["run"] + 1)

    def next_ready(self, speed):
        ready, at = math.inf, None
        for index in self.busy:
            worker = self.workers[index]
            due = self.now + (worker.serving[0][0] - worker.progress) / worker.rate(speed)
            if due < ready:
                ready, at = due, index
        return ready, at

    def step(self):
        speed = min(1.0, self.world.cores / max(1, len(self.busy)))
        ready, at = self.next_ready(speed)
        due = self.delays[0][0] if self.delays else math.inf
        now = min(ready, due)
        for index in self.busy:
            worker = self.workers[index]
            worker.progress += (now - self.now) * worker.rate(speed)
        self.now = now
        if due < ready:
            self.proceed(heapq.heappop(self.delays)[2])
            return
        worker = self.workers[at]
        job = heapq.heappop(worker.serving)[2]
        if not worker.serving:
            self.busy.discard(at)
            if worker.queue:
                work, waiting = worker.queue.pop(0)
                self.serve(at, work, waiting)
        self.proceed(job)

    def play(self, runs, seconds=math.inf):
        for user in range(self.world.users):
            self.begin(user, 0)
        warmup = min(runs // 5, 100) + self.world.users
        while len(self.latencies) < warmup:
            self.step()
        self.latencies, self.calls, self.runs = [], {}, {}
        begun = self.now
        while len(self.latencies) < runs and (self.now - begun < seconds or not self.latencies):
            self.step()
        self.span = self.now - begun
        return sum(self.latencies) / len(self.latencies)


def measure(world, placement, phase):
    draw = random.Random(f"{world.seed}-{phase}")
    simulation = Simulation(world, placement, f"{world.seed}/{phase}")
    latency = simulation.play(RUNS_PHASE_MAX, 10)
    noisy = lambda figure: figure * max(0.5, draw.gauss(1, world.noise))  # noqa: E731
    return {
        "mean_latency_s": noisy(latency),
        "throughput": noisy(len(simulation.latencies) / simulation.span),
        "actions": {
            f"{world.names[m]}.run": {"calls": n, "mean_s": noisy(mean / n),
                                      "exec_s": noisy(executed / n)}
            for m, (n, mean, executed) in simulation.calls.items()
        },
        "walkers": {f"walk{w}": {"runs": n} for w, n in simulation.runs.items()},
    }


def latency(world, placement, runs):
    return Simulation(world, placement, f"{world.seed}/oracle").play(runs)


def oracle(world):
    tried = sorted((latency(world, bits, RUNS_QUICK), bits) for bits in world.feasible())
    return min((latency(world, bits, RUNS_LONG), bits) for _, bits in tried[:FINALS])


def drive(jsorc, policy, world, phases_max=200):
    """Placement, phases, seconds of the slowest answer."""
    command = [jsorc, "policy", "advise", "--policy", policy]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as child:
        line, phases, slowest = world.problem(), 0, 0
        while True:
            begun = time.perf_counter()
            child.stdin.write(json.dumps(line) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
            slowest = max(slowest, time.perf_counter() - begun)
            placement = tuple(answer["placement"][n] == "module" for n in world.names)
            assert placement in set(world.feasible()), f"over budget: {answer}"
            if answer["done"] or phases == phases_max:
                child.stdin.close()
                return placement, phases, slowest
            line = measure(world, placement, phases)
            phases += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jsorc", default="build/jsorc")
    parser.add_argument("--policy", default="adaptive")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    gaps, used, slowest, over = [], [], 0, 0
    for seed in range(args.seed, args.seed + args.count):
        world = World(seed)
        best, best_placement = oracle(world)
        placement, phases, slow = drive(args.jsorc, args.policy, world)
        gap = max(0, latency(world, placement, RUNS_LONG) / best - 1)
        gaps.append(gap)
        used.append(phases)
        slowest = max(slowest, slow)
        over += phases > len(world.names) + 1
        if args.verbose or gap > 0.1:
            text = lambda bits: "".join("LR"[not b] for b in bits)  # noqa: E731
            print(f"{seed} modules={len(world.names)} users={world.users} think={world.think} "
                  f"cores={world.cores} shared={world.shared} noise={world.noise} "
                  f"phases={phases} gap={gap:.3f} kept={text(placement)} "
                  f"oracle={text(best_placement)}", flush=True)
    gaps.sort()
    print(json.dumps({
        "policy": args.policy, "instances": len(gaps),
        "gap_mean": round(sum(gaps) / len(gaps), 4),
        "gap_p90": round(gaps[math.ceil(0.9 * len(gaps)) - 1], 4), "gap_max": round(gaps[-1], 4),
        "phases_mean": round(sum(used) / len(used), 2), "phases_max": max(used),
        "over_n_plus_1": over, "answer_max_s": round(slowest, 3),
    }))
    return over > 0


if __name__ == "__main__":
    sys.exit(main())
