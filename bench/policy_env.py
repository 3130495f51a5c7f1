"""A second world for policies, so that none is fitted to the one it was made with.

Drives the built `jsorc policy advise` as a black box in a simulator that shares no code and few
assumptions with src/policy/twin.c: workers share the processors of a host; in a worker calls share
its speed (threads under one lock) or queue; service times are gamma or log-normal; a hop takes
processor time in the runtime worker and in the pod besides its delay; pauses of users are
exponential; walkers' own code lies before, between or after the calls. Every figure that the
policy is told has noise on it.

    bench/policy_env.py --jsorc build/jsorc [--count 60] [--seed 1] [--policy adaptive] [-v]
    bench/policy_env.py --variant all --count 10

Prints the mean and 90th percentile of the gap to the oracle (every feasible placement simulated
with the same luck), phases used and the slowest answer. A variant changes what is drawn, to where
a policy could stumble: open load, payloads, memory for next to nothing, phases without traffic,
figures that are missing or wrong, users that are counted at a few looks. In each of them: no crash,
no placement beyond the memory, never more than N + 1 phases, and an end; else the status is 1."""

import argparse
import json
import math
import random
import subprocess
import sys
import time

from policy_world import RUNS_LONG, World, latency, measure, oracle


def open_load(world, draw):
    world.rate = draw.uniform(0.2, 0.85) / world.bottleneck()


def skewed(world, draw):
    """One walker makes nearly all runs, others are rare and long."""
    world.walkers = [[draw.choice(world.called) for _ in range(draw.choice([1, 2, 20]))]
                     for _ in range(6)]
    world.weights = [20.0, 1, 1, 0.3, 0.3, 0.1]
    world.own = [draw.choice([0, 0.002]) for _ in world.walkers]


def payload(world, draw):
    world.hop_cpu = [draw.choice([0.0005, 0.004, 0.015]) for _ in world.names]
    world.hop_delay = [draw.uniform(0.001, 0.05) for _ in world.names]


def tight(world, draw):
    world.budget = 1.01 * min(world.mem)


def no_memory(world, draw):
    world.budget = 0


def uncalled(world, draw):
    world.called = world.called[:max(1, len(world.called) // 2)]
    world.walkers = [[draw.choice(world.called) for _ in calls] for calls in world.walkers]


def resized(world, draw, count):
    world.__init__(world.seed, count)


def pods_are_fast(world, draw):
    """Modules of very different weight, on other hardware than the runtime worker's."""
    world.local = [10 ** draw.uniform(-4, -1) for _ in world.names]
    world.remote = [x * draw.choice([0.25, 0.5, 1, 1.2]) for x in world.local]
    world.spread = draw.choice([0.01, 1, 3])


def setting(**values):
    def change(world, draw):
        for name, value in values.items():
            setattr(world, name, value)

    return change


VARIANTS = {
    "base": setting(),
    "open": open_load,
    "thinking": setting(think=1.0, users=24),
    "crowd": setting(think=0, users=64),
    "skewed": skewed,
    "payload": payload,
    "tight": tight,
    "budget0": no_memory,
    "uncalled": uncalled,
    "one": lambda world, draw: resized(world, draw, 1),
    "ten": lambda world, draw: resized(world, draw, 10),
    "fastpods": pods_are_fast,
    "least": setting(told="least"),
    "missing": setting(told="some"),
    "idle": setting(idle=0.3),
    "silent": setting(idle=1.0),
    "miscounted": lambda world, draw: setattr(world, "looks", draw.choice([1, 3, 10])),
    "outliers": setting(outliers=0.15),
}


def drive(jsorc, policy, world, phases_max=200):
    """Placement, phases, whether it settled, seconds of the slowest answer."""
    command = [jsorc, "policy", "advise", "--policy", policy]
    feasible = set(world.feasible())
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
            assert placement in feasible, f"over budget: {answer}"
            if answer["done"] or phases == phases_max:
                child.stdin.close()
                return placement, phases, answer["done"], slowest
            line = measure(world, placement, phases)
            phases += 1


def show_world(seed, world, phases, gap, kept, best):
    text = lambda bits: "".join("LR"[not b] for b in bits)  # noqa: E731
    load = f"rate={world.rate:.1f}" if world.rate else f"users={world.users} think={world.think}"
    print(f"{seed} modules={len(world.names)} {load} cores={world.cores} shared={world.shared} "
          f"noise={world.noise} phases={phases} gap={gap:.3f} kept={text(kept)} "
          f"oracle={text(best)}", flush=True)


def play(args, variant):
    """The figures of a variant; whether all went as it must."""
    gaps, used, slowest, over, unsettled = [], [], 0, 0, 0
    for seed in range(args.seed, args.seed + args.count):
        world = World(seed)
        VARIANTS[variant](world, random.Random(f"{seed}/{variant}"))
        best, best_placement = oracle(world)
        placement, phases, done, slow = drive(args.jsorc, args.policy, world)
        gap = max(0, latency(world, placement, RUNS_LONG) / best - 1)
        gaps.append(gap)
        used.append(phases)
        slowest = max(slowest, slow)
        over += phases > len(world.names) + 1
        unsettled += not done
        if args.verbose or gap > 0.1 or not done:
            show_world(seed, world, phases, gap, placement, best_placement)
    gaps.sort()
    print(json.dumps({
        "policy": args.policy, "variant": variant, "instances": len(gaps),
        "gap_mean": round(sum(gaps) / len(gaps), 4),
        "gap_p90": round(gaps[math.ceil(0.9 * len(gaps)) - 1], 4), "gap_max": round(gaps[-1], 4),
        "phases_mean": round(sum(used) / len(used), 2), "phases_max": max(used),
        "over_n_plus_1": over, "not_settled": unsettled, "answer_max_s": round(slowest, 3),
    }), flush=True)
    return over == 0 and unsettled == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jsorc", default="build/jsorc")
    parser.add_argument("--policy", default="adaptive")
    parser.add_argument("--variant", default="base", choices=[*VARIANTS, "all"])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    chosen = VARIANTS if args.variant == "all" else [args.variant]
    return not all([play(args, variant) for variant in chosen])


if __name__ == "__main__":
    sys.exit(main())
