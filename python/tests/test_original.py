"""Our answers against those of the original's own server, value by value: equal but for what is
decided otherwise."""

import json
import subprocess
from pathlib import Path

from test_jaseci import real_jaseci
from workers import Worker

HERE = Path(__file__).parent
VALUES = [
    None, True, False, 0, 1, -3, 2.0, 2.5, 1e300, 12345678901234567890, 90, "", "a", "b", "1",
    "1.5", " 7 ", "true", "Yes", "null", "é", "2024-02-29", "2024-02-29T10:00:00", "1 day",
    "12345678-1234-5678-1234-567812345678", [], [1], ["1", "x"], [1, None], [[1], ["2"]],
    [[1], "x"], [True], [2.7], [1, "b"], [1, 2, 3], [["a", 1]], {}, {"a": 1}, {"a": "x"},
    {"1": "b"}, {"a": None}, [{"a": 1}, {"b": None}]]
STARS = [
    {}, {"a": 1}, {"a": None}, {"a": 1, "*b": [2, 3]}, {"a": 1, "*b": None}, {"a": 1, "*b": []},
    {"a": 1, "*b": [1], "c": 5}, {"a": 1, "c": 5, "**d": {"q": 1}}, {"a": 1, "**d": None},
    {"a": 1, "**d": {}}, {"a": 1, "*b": 3}, {"a": 1, "**d": [1]}, {"*b": [1]}, {"a": 1, "z": 1}]

# (action, body) -> why ours differs
DECIDED = {
    ("str_default", '{"x": null}'): "null means the default",
    ("int_default", '{"x": null}'): "null means the default",
    ("bare", '{"x": 1, "y": null}'): "null means the default",
    ("mapping", '{"x": ""}'): "the original fails with 500",
    ("mapping", '{"x": []}'): "the original passes a list where a mapping is annotated",
    ("mapping", '{"x": [["a", 1]]}'): "the original fails with 500",
    ("datetime", '{"x": "2024-02-29"}'): "a date is a moment, too",
    ("timedelta", '{"x": " 7 "}'): "a number in text is a number here as elsewhere",
    ("timedelta", '{"x": 1e+300}'): "the original fails with 500",
    ("timedelta", '{"x": 12345678901234567890}'): "the original fails with 500",
}


def cases():
    actions = [line.split('"')[1] for line in (HERE / "typed_actions.py").read_text().splitlines()
               if line.startswith('serve("')]
    text = (HERE / "typed_actions.py").read_text()
    table = text[text.index("in {") : text.index("}.items()")]
    actions += table.split('"')[1::2]
    actions = [name for name in actions if name.isidentifier() and name != "a"]
    for name in actions:
        yield name, {}
        yield name, {"x": 1, "zz": 2}
        for value in VALUES:
            yield name, {"x": value}
    for body in STARS:
        yield "stars", body
    for body in ({"x": 1}, {"x": None}, {"x": 1, "y": None}, {"x": [], "z": {}}, {"y": 1}):
        yield "bare", body


def test_answers_are_those_of_the_original(tmp_path):
    python = real_jaseci()
    asked = list(cases())
    assert len(asked) > 1400
    lines = tmp_path / "cases"
    lines.write_text("\n".join(json.dumps(case) for case in asked))
    done = subprocess.run([python, HERE / "original_answers.py", lines], cwd=HERE, check=True,
                          capture_output=True, text=True)
    wanted = json.loads(done.stdout.splitlines()[-1])
    worker = Worker(python, tmp_path, [{"name": "typed_actions", "kind": "python-file",
                                        "remote": True, "source": str(HERE / "typed_actions.py")}])
    try:
        different = {}
        for (name, body), answer in zip(asked, wanted, strict=True):
            reply = worker.post(f"/{name}/", body)
            if [reply.status, reply.json()] != answer:
                different[name, json.dumps(body)] = (answer, reply.json())
    finally:
        worker.stop()
    assert {case: different[case] for case in different if case not in DECIDED} == {}
    assert set(DECIDED) <= set(different)
