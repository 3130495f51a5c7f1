"""The two works of `make bench`: the request bodies, and the answers they must get."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "actions"))

import benchwork  # noqa: E402
import harness  # noqa: E402

TEXT = "The quick brown fox jumps over it"
WORDS = ("placement latency worker memory queue signal vector model kernel socket token budget "
         "phase walker policy module action service remote local").split()


def score_texts():
    """16 texts of 20 words each, the same in every run."""
    return [" ".join(WORDS[(row * 7 + i * (row + 3)) % len(WORDS)] for i in range(20))
            for row in range(16)]


def work(name, arguments, answer):
    return harness.Work(name, json.dumps(arguments, separators=(",", ":")).encode(), answer)


ECHO = work("echo", {"text": TEXT}, TEXT)
SCORE = work("score", {"texts": score_texts()}, benchwork.score(score_texts()))
