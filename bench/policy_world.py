"""The simulated systems of policy_env.py: what is true of one, what a phase in it shows, and which
placement is the best. Shares no code with src/policy/twin.c."""

import heapq
import math
import random
from itertools import product

RUNS_PHASE_MAX = 1200  # of a phase; more change its mean by less than the noise
RUNS_QUICK = 250  # with which the oracle tries all placements
RUNS_LONG = 2500  # with which it compares the best ones
FINALS = 8
IN_FLIGHT_MAX = 300  # of an open load; what comes then is turned away, and an overload shows anyway


class World:
    """What is true and has to be found out."""

    def __init__(self, seed, modules=None):
        draw = random.Random(seed)
        self.seed = seed
        count = draw.randint(3, 7)
        count = modules or count
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
        self.rate = None  # requests a second of an open load
        self.idle = 0.0  # share of the phases without traffic
        self.outliers = 0.0  # share of the phases that show three times the latency
        self.looks = 0  # at how many runs are under way, in a phase; 0 = users are told, and right
        self.told = "all"  # or "least": mean latency and throughput; or "some": members go missing

    def service(self, draw, mean):
        if mean <= 0:
            return 0
        if self.gamma:
            return draw.gammavariate(1 / self.spread, mean * self.spread)
        sigma = math.sqrt(math.log1p(self.spread))
        return mean * math.exp(sigma * draw.gauss(0, 1) - sigma * sigma / 2)

    def bottleneck(self):
        """Seconds that a run keeps the busiest server busy where everything is remote."""
        runs = sum(self.weights)
        calls = [sum(weight * walker.count(m) for weight, walker in
                     zip(self.weights, self.walkers, strict=True)) / runs
                 for m in range(len(self.names))]
        own = sum(w * o for w, o in zip(self.weights, self.own, strict=True)) / runs
        runtime = own + sum(2 * c * cpu for c, cpu in zip(calls, self.hop_cpu, strict=True))
        pods = [c * (r + cpu) for c, r, cpu in
                zip(calls, self.remote, self.hop_cpu, strict=True)]
        return max([runtime, *pods, (runtime + sum(pods)) / self.cores])

    def problem(self):
        draw = random.Random(self.seed + 1)
        problem = {
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
            "phase_s": 10,
        }
        if self.rate:
            problem["rate_s"] = self.rate
        else:
            problem |= {"users": self.users, "think_s": self.think}
        if self.told != "all":
            for module in problem["modules"]:
                del module["hop_s"]
        if self.told == "least":
            del problem["phase_s"]
            problem.pop("think_s", None)
        return problem

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
        self.arrival = 0.0 if world.rate else math.inf
        self.arrivals = self.in_flight = 0

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
        if self.world.rate:
            self.in_flight -= 1
        else:
            self.begin(job["user"], job["run"] + 1)

    def arrive(self):
        """A request of the open load, and when the next one comes."""
        draw = random.Random(f"{self.seed}/{self.arrivals}")
        self.arrivals += 1
        self.arrival = self.now + draw.expovariate(self.world.rate)
        if self.in_flight < IN_FLIGHT_MAX:
            self.in_flight += 1
            walker, steps = self.steps(draw)
            self.proceed({"user": None, "run": 0, "walker": walker, "steps": steps, "at": 0})

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
        now = min(ready, due, self.arrival)
        for index in self.busy:
            worker = self.workers[index]
            worker.progress += (now - self.now) * worker.rate(speed)
        self.now = now
        if self.arrival <= now:
            self.arrive()
            return
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
        for user in range(0 if self.world.rate else self.world.users):
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


def counted_users(world, latency_s, rate, chance):
    """Users as the daemon counts them: the most at a few looks, but no fewer than Little's law
    makes; what their requests leave of the time is their pause."""
    busy = min(1, rate * latency_s / world.users)
    seen = [sum(chance.random() < busy for _ in range(world.users)) for _ in range(world.looks)]
    users = max(1, *seen, math.ceil(rate * latency_s - 0.05))
    return {"users": users, "think_s": max(0, users / rate - latency_s)}


def measure(world, placement, phase):
    draw = random.Random(f"{world.seed}-{phase}")
    chance = random.Random(f"{world.seed}-{phase}-chance")
    if chance.random() < world.idle:
        return {"throughput": 0, "actions": {}, "walkers": {}}
    simulation = Simulation(world, placement, f"{world.seed}/{phase}")
    latency = simulation.play(RUNS_PHASE_MAX, 10)
    noisy = lambda figure: figure * max(0.5, draw.gauss(1, world.noise))  # noqa: E731
    if chance.random() < world.outliers:
        latency *= 3
    line = {
        "mean_latency_s": noisy(latency),
        "throughput": noisy(len(simulation.latencies) / simulation.span),
        "actions": {
            f"{world.names[m]}.run": {"calls": n, "mean_s": noisy(mean / n),
                                      "exec_s": noisy(executed / n)}
            for m, (n, mean, executed) in simulation.calls.items()
        },
        "walkers": {f"walk{w}": {"runs": n} for w, n in simulation.runs.items()},
    }
    if world.looks:
        line |= counted_users(world, line["mean_latency_s"], line["throughput"], chance)
    if world.told == "least":
        return {name: line[name] for name in ("mean_latency_s", "throughput")}
    if world.told == "some":
        for action in line["actions"].values():
            for name in ("calls", "mean_s", "exec_s"):
                if chance.random() < 0.2:
                    del action[name]
        for name in ("throughput", "walkers"):
            if chance.random() < 0.3:
                del line[name]
    return line


def latency(world, placement, runs):
    return Simulation(world, placement, f"{world.seed}/oracle").play(runs)


def oracle(world):
    """Latency and placement of the best one. Of very many, the first look is a shorter one."""
    runs = RUNS_QUICK if len(world.names) <= 7 else RUNS_QUICK // 3
    tried = sorted((latency(world, bits, runs), bits) for bits in world.feasible())
    return min((latency(world, bits, RUNS_LONG), bits) for _, bits in tried[:FINALS])
