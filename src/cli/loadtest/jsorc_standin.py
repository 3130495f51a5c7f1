"""A module that costs what a model would and knows nothing: it burns processor time, holds memory,
and answers with a value of the right shape and size. `jsorc loadtest` loads a file that imports
this setup for each module of an application; what the module costs is given to it."""

import hashlib
import random
import time

import jsorc

_held = []  # the memory that a model would take
_rounds_a_ms = 0.0  # of the work that lets go of the GIL


def setup(group, memory_mb=0.0, actions=None, time_scale=1.0):
    """group: first part of the actions' names; memory_mb: is allocated and touched.

    actions: name -> {"params": names in order, "cpu_ms": processor time of a call,
    "each": [parameter, ms] further time for each item (or character) of that argument,
    "released": share of the time (0 to 1) that is spent without the GIL, "answer": shape}.
    Shapes: {"texts": [count, characters]}, {"vectors": [count, numbers]}, {"text": characters},
    {"vector": numbers}, {"number": true}, {"pieces": [parameter, characters]}: that text, cut;
    a count may be a parameter's name: its length.
    time_scale: all times are multiplied by it."""
    global _rounds_a_ms
    _rounds_a_ms = _measure_rounds()
    _held.append(_touched(int(memory_mb * 1024 * 1024)))
    for name, cost in (actions or {}).items():
        jsorc.action(_make(name, cost, time_scale), group=group, name=name)


def _touched(size):
    memory = bytearray(size)
    memory[::4096] = b"\1" * len(memory[::4096])  # untouched, it would be no memory at all
    return memory


# ---- processor time


def _spend_rounds(rounds):
    hashlib.pbkdf2_hmac("sha256", b"stand-in", b"load test", max(1, rounds))


def _measure_rounds():
    """Rounds a millisecond of this thread's processor time; the best of a few, as it may share the
    processor's caches and clock with others."""
    best = 0.0
    for _ in range(5):
        start = time.thread_time_ns()
        _spend_rounds(2000)
        best = max(best, 2000 / max(1, time.thread_time_ns() - start) * 1e6)
    return best


def _spend_holding(milliseconds):
    """As a loop in Python does: other threads get their turns only by the switch interval."""
    end = time.thread_time_ns() + int(milliseconds * 1e6)
    value = 0
    while time.thread_time_ns() < end:
        for number in range(100):
            value ^= number
    return value


def _spend_released(milliseconds):
    """As a numeric library does. In a few parts, each measured: how much work a millisecond is
    depends on what else the processor does, and modules that were set up beside others would get
    less of it than those set up alone."""
    rate, share = _rounds_a_ms, 0.5  # half: the rate may have halved since it was measured
    start = time.thread_time_ns()
    end = start + int(milliseconds * 1e6)
    while (left_ms := (end - start) / 1e6) > milliseconds * 0.02:
        rounds = max(1, int(left_ms * rate * share))
        _spend_rounds(rounds)
        now = time.thread_time_ns()
        rate, share, start = rounds / max(1, now - start) * 1e6, 0.8, now


def spend(milliseconds, released):
    """Uses so much processor time of this thread; a share of it without holding the GIL."""
    _spend_holding(milliseconds * (1 - released))
    if released > 0 and milliseconds > 0:
        _spend_released(milliseconds * released)


# ---- answers


def words(characters, seed=0):
    """A text of so many characters, always the same."""
    source = random.Random(seed)
    text = ""
    while len(text) < characters:
        text += "".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) + " "
    return text[:characters]


def vector(numbers, seed=0):
    source = random.Random(seed)
    return [round(source.uniform(-1, 1), 6) for _ in range(numbers)]


def maker(shape):
    """A function from arguments to an answer of that shape; what is large is made once."""
    (kind, size), = shape.items()
    if kind == "number":
        return lambda arguments: 0.5
    if kind in ("text", "vector"):
        value = words(size) if kind == "text" else vector(size)
        return lambda arguments: value
    count, each = size
    if kind == "pieces":
        return lambda arguments: [arguments[count][at:at + each]
                                  for at in range(0, len(arguments[count]), each)]
    make = words if kind == "texts" else vector
    items = []

    def answer(arguments):
        wanted = count if isinstance(count, int) else len(arguments[count])
        while len(items) < wanted:
            items.append(make(each, len(items)))
        return items[:wanted]

    return answer


def _make(name, cost, time_scale):
    """The function NAME(PARAMS): a signature of its own, so that its calls are checked as a real
    module's are."""
    params = cost["params"]
    if not all(word.isidentifier() for word in (name, *params)):
        raise ValueError(f"no names of Python: {name}, {params}")
    answer = maker(cost["answer"])
    base_ms, released = cost.get("cpu_ms", 0) * time_scale, cost.get("released", 0)
    counted, each_ms = cost.get("each", [None, 0])

    def work(arguments):
        items = len(arguments[counted]) if counted else 0
        spend(base_ms + items * each_ms * time_scale, released)
        return answer(arguments)

    scope = {"work": work, "__name__": __name__}
    taken = ", ".join(params)
    given = ", ".join(f"{word!r}: {word}" for word in params)
    exec(f"def {name}({taken}):\n    return work({{{given}}})\n", scope)
    return scope[name]
