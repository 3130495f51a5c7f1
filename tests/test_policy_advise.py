"""`jsorc policy advise` and `jsorc sim` as programs."""

import json
import subprocess

import pytest
from programs import JSORC, ROOT

PROBLEM = {
    "modules": [
        {"name": "a", "mem_mb": 200, "hop_s": 0.004},
        {"name": "b", "mem_mb": 900},
        {"name": "a.b", "mem_mb": 100},
    ],
    "budget_mb": 1000,
    "walkers": [{"name": "w", "calls": ["a", "a", "b", "a.b"]}],
    "users": 8,
    "think_s": 0.0,
    "phase_s": 10,
    "of_no_meaning": [1],
}


def phase(latency):
    return {
        "mean_latency_s": latency,
        "throughput": 8 / latency,
        "actions": {
            "a.f": {"calls": 400, "mean_s": latency / 4, "exec_s": 0.009},
            "b": {"calls": 200, "mean_s": latency / 4, "exec_s": 0.004},
            "unknown": {"calls": 7},
        },
        "walkers": {"w": {"runs": 200}},
    }


def advise(*lines, policy="adaptive", more=()):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return subprocess.run(
        [JSORC, "policy", "advise", "--policy", policy, *more],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )


def test_each_line_is_answered_at_once():
    child = subprocess.Popen(
        [JSORC, "policy", "advise"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        line, phases = PROBLEM, 0
        while True:
            child.stdin.write(json.dumps(line) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
            placement = answer["placement"]
            assert set(placement) == {"a", "b", "a.b"}
            local = sum(m["mem_mb"] for m in PROBLEM["modules"] if placement[m["name"]] == "module")
            assert local <= PROBLEM["budget_mb"]
            if answer["done"]:
                break
            phases += 1
            line = phase(0.05 + 0.01 * phases)
        child.stdin.close()
        assert child.wait() == 0
    assert 1 <= phases <= len(PROBLEM["modules"]) + 1


@pytest.mark.parametrize("policy", ["adaptive", "Evaluation", "DEFAULT"])
def test_the_same_lines_get_the_same_bytes(policy):
    lines = [PROBLEM, *(phase(0.03 * n) for n in range(1, 6))]
    first, second = advise(*lines, policy=policy), advise(*lines, policy=policy)
    assert first.returncode == 0 and first.stderr == ""
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) == len(lines)


def test_another_problem_goes_on_with_what_was_learned():
    changed = {**PROBLEM, "modules": [*PROBLEM["modules"], {"name": "c", "mem_mb": 50}]}
    done = advise(PROBLEM, *[phase(0.05)] * 6, changed, *[phase(0.05)] * 8)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    before, after = answers[6], answers[7]
    assert before["done"] and after["why"] == "changed"
    assert {**after["placement"], **before["placement"]} == after["placement"]
    assert answers[-1]["done"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["{"], "line 1: JSON parse error"),
        (["[]"], "line 1: not an object"),
        ([phase(1)], "line 1: no 'modules': the first line must be the problem"),
        (['{"modules": []}'], "line 1: 'modules' must be a list of 1 to 64"),
        ([PROBLEM, "", '{"throughput": "many"}'], "line 3: 'throughput' must be a number"),
        ([PROBLEM, '{"mean_latency_s": NaN}'], "line 2: JSON parse error - NaN"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(lines, text):
    done = advise(*lines)
    assert done.returncode == 2
    assert done.stderr.startswith(f"jsorc policy advise: {text}")
    assert done.stderr.endswith("see 'jsorc help policy advise'\n")


@pytest.mark.parametrize(
    ("policy", "more", "text"),
    [
        ("auto", (), "no policy 'auto'; there are 'default', 'evaluation', 'adaptive'"),
        ("adaptive", ("--params", '{"optim": 1}'), "policy 'adaptive' has no parameter 'optim'"),
        ("adaptive", ("--params", '{"optimism": 7}'), "parameter 'optimism' is 7, but goes from"),
        ("adaptive", ("--params", "7"), "--params '7': JSON parse error - an object is needed"),
    ],
)
def test_a_wrong_policy_or_parameter_is_said_before_any_line(policy, more, text):
    done = advise(policy=policy, more=more)
    assert done.returncode == 2
    assert done.stderr.startswith(f"jsorc policy advise: {text}")


def sim(*words):
    done = subprocess.run(
        [JSORC, "sim", *words], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_made_up_instance_can_be_written_and_read(tmp_path):
    status, text, _ = sim("--print", "--seed", "3", "--modules", "3")
    assert status == 0 and len(json.loads(text)["modules"]) == 3
    file = tmp_path / "instance.json"
    file.write_text(text)
    read = json.loads(sim(str(file), "-o", "json")[1])
    made = json.loads(sim("--generate", "1", "--seed", "3", "--modules", "3", "-o", "json")[1])
    assert read == made
    adaptive, evaluation = read["summary"][:2]
    assert adaptive["policy"] == "adaptive" and adaptive["phases_max"] <= 4
    assert evaluation["phases_max"] <= 8 and evaluation["gap_mean"] <= 0.1
    assert adaptive["gap_mean"] <= 0.1


def test_nothing_moves_in_a_steady_hour():
    text = sim("--generate", "2", "--modules", "3", "--scenario", "steady", "-o", "json")[1]
    summary = {row["policy"]: row for row in json.loads(text)["summary"]}
    assert summary["adaptive"]["kept_moves"] == 0
    assert summary["evaluation"]["kept_moves"] > 0


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ((), 2, "no INSTANCE and no --generate"),
        (("--generate", "1", "--modules", "9..3"), 2, "--modules '9..3': a number or a range"),
        (("--generate", "1", "--scenario", "storm"), 2, "no scenario 'storm'; there are settle"),
        (("/nowhere.json",), 1, "cannot read '/nowhere.json'"),
    ],
)
def test_sim_says_what_is_wrong(words, status, text):
    code, _, error = sim(*words)
    assert code == status and text in error


def test_the_document_has_each_parameter_with_its_default():
    done = subprocess.run(
        [JSORC, "policy", "list", "-o", "json"], capture_output=True, text=True, check=True
    )
    text = (ROOT / "docs" / "policies.md").read_text()
    policies = json.loads(done.stdout)
    assert {"default", "evaluation", "adaptive"} <= {row["policy"] for row in policies}
    for policy in policies:
        assert f"| `{policy['policy']}` |" in text
        for param in policy["params"]:
            assert f"| `{param['name']}` | {param['default']} | {param['help']} |" in text
