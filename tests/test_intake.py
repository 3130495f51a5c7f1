"""examples/intake: real models on real input. What is asserted is what the answers mean."""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import conftest
import pytest
from programs import JSORC, ROOT, Daemon, wait_until

EXAMPLE = ROOT / "examples" / "intake"
MODULES = {"ocr", "filetype", "language", "sentiment", "keywords", "stats", "walkers"}

# Not from paragraphs.toml: that is what the generated documents are made of.
SENTENCES = {
    "en": "The kettle is on the stove, and the visitors will be here in half an hour.",
    "de": "Der Kessel steht auf dem Herd, und die Gäste kommen in einer halben Stunde.",
    "fr": "La bouilloire est sur le feu, et les invités arrivent dans une demi-heure.",
    "es": "La tetera está en el fuego y los invitados llegan dentro de media hora.",
    "it": "Il bollitore è sul fuoco e gli ospiti arrivano fra mezz'ora.",
    "pt": "A chaleira está no fogão e os convidados chegam daqui a meia hora.",
    "nl": "De ketel staat op het fornuis en de gasten komen over een half uur.",
    "pl": "Czajnik stoi na kuchence, a goście przyjdą za pół godziny.",
    "fi": "Kattila on liedellä, ja vieraat tulevat puolen tunnin kuluttua.",
}


def load_module():
    spec = importlib.util.spec_from_file_location("intake_load", EXAMPLE / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


load = load_module()


def base64_of(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def python():
    """The interpreter that has the models."""
    path = Path(os.environ.get("JSORC_VENV_DEMO", "/nonexistent")) / "bin" / "python"
    if not path.exists():
        pytest.fail("the models are not installed: `dev/setup demo`, then `. dev/env`")
    return path


@pytest.fixture(scope="module")
def documents(python, tmp_path_factory):
    """Folder with 27 generated documents, nine of each kind."""
    folder = tmp_path_factory.mktemp("documents")
    generate(python, folder)
    return folder


def generate(python, folder, seed=7):
    subprocess.run([python, EXAMPLE / "make_input.py", folder, "--count", "27",
                    "--seed", str(seed)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def intake(python, tmp_path_factory):
    """A copy of the example, as a user would make one, served."""
    folder = tmp_path_factory.mktemp("copy") / "intake"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", ROOT / "include",
                    "-o", folder / "stats.so", folder / "stats.c"], check=True)
    programs = conftest._started(Daemon, tmp_path_factory.mktemp("intake"))
    start = next(programs)
    daemon = start(folder, options=("--python", python))
    wait_until(lambda: all(module["state"] == "ready" for module in status(daemon)), 60,
               "that all modules are loaded")
    daemon.fds_at_start = conftest._descriptors(daemon)
    yield daemon
    next(programs, None)


def status(daemon):
    """The modules, as `jsorc status` shows them."""
    return daemon.op("jsorc_status")["modules"]


def answer(intake, action, **arguments):
    reply = intake.call(action, **arguments)
    assert reply.status == 200, reply.body
    return reply.json()


def walk(intake, walker, **ctx):
    """What the walker reported."""
    reply = intake.post(f"/walkers/{walker}", {"ctx": ctx})
    assert reply.status == 200 and reply.json()["success"], reply.body
    return reply.json()["report"][0]


def test_the_load_test_runs_on_the_real_models(intake, python, tmp_path):
    run = subprocess.run(
        [JSORC, "loadtest", "synthetic_apps", "--real", Path(intake.sources[0]), "--python", python,
         "--policy", "all_remote,all_local", "--repeat", "1", "--experiment-duration", "1",
         "--warmup", "0.2", "--out", tmp_path / "out", "--fail-on", "errors>0"],
        capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    cells = json.loads(run.stdout)["intake"]
    for place, key in (("remote", "all_remote"), ("module", "all_local")):
        assert cells[key]["walker_level"]["walker_run"]["intake"]["count"] > 5
        assert set(cells[key]["repetitions"][0]["placements"][0]["placement"].values()) == {place}
        calls = cells[key]["action_level"][0]["actions_stats"]
        # A third of the documents are files, two thirds are English.
        assert calls["stats.count"]["count"] > calls["sentiment.score"]["count"] \
            > calls["filetype.identify"]["count"] > 0


# ---- the example as a whole


def test_every_module_of_the_folder_is_served_and_no_other_file(intake):
    assert {module["name"] for module in status(intake)} == MODULES


def test_each_request_on_each_generated_document_is_answered_as_the_manifest_says(
        intake, documents):
    groups, _ = load.requests_of(documents)
    wrong = []
    sent = 0
    for request in (request for group in groups for request in group):
        reply = intake.request("POST", request.path, request.body)
        sent += 1
        found = request.wrong(reply.status, reply.body)
        if found:
            wrong.append(f"{request.label}, {request.document['file']}: {found}")
    assert not wrong, "\n".join(wrong)
    assert sent > 100


def test_answers_are_the_same_wherever_a_module_is_placed(intake, documents):
    picture = base64_of(next(documents.glob("000.*")).read_bytes())
    before = walk(intake, "intake", data=picture)
    for place in ("remote", "module"):
        for module in ("ocr", "keywords", "stats"):
            done = intake.op("jsorc_actions_load", name=module, mode=place, wait=True)
            assert done["success"], done
        assert walk(intake, "intake", data=picture) == before


# ---- each model


@pytest.mark.parametrize("language", SENTENCES)
def test_language_is_recognised(intake, language):
    found = answer(intake, "language.detect", text=SENTENCES[language])
    assert found["language"] == language
    assert found["probability"] > 0.5


def test_file_types_are_recognised_by_content(intake):
    files = {
        "python": (ROOT / "examples" / "intake" / "load.py").read_bytes(),
        "c": (ROOT / "examples" / "intake" / "stats.c").read_bytes(),
        "shell": (ROOT / "dev" / "setup").read_bytes(),
        "json": json.dumps([{"name": name, "text": text, "tags": ["a", None], "size": len(text)}
                            for name, text in SENTENCES.items()], indent=2).encode(),
        "elf": Path("/bin/true").read_bytes(),
    }
    for label, data in files.items():
        found = answer(intake, "filetype.identify", data=base64_of(data))
        assert found["label"] == label
        assert 0 < found["score"] <= 1
    assert found["group"] == "executable"


def test_sentiment_tells_praise_from_complaint(intake):
    praise = answer(intake, "sentiment.score", text="What a lovely day, I am so happy!")
    complaint = answer(intake, "sentiment.score", text="This is awful. I hate waiting.")
    fact = answer(intake, "sentiment.score", text="The table has four legs.")
    assert (praise["label"], complaint["label"], fact["label"]) == (
        "positive", "negative", "neutral")
    assert praise["compound"] > 0.5 > -0.5 > complaint["compound"]
    assert fact["compound"] == 0


def test_keywords_are_what_the_text_is_about(intake):
    text = ("Solar panels turn sunlight into electricity. The town put solar panels on the roof of "
            "the school, and the panels pay for themselves in nine years.")
    found = answer(intake, "keywords.extract", text=text, count=3)
    assert len(found) == 3
    assert any("solar panels" == entry["keyword"].lower() for entry in found)
    assert found == sorted(found, key=lambda entry: entry["score"])
    assert not {"the", "and", "for"} & {entry["keyword"].lower() for entry in found}


def test_keywords_skip_the_stop_words_of_the_language(intake):
    text = "Die Heizung ist kalt. Die Heizung und die Lampe sind nicht neu."
    words = {entry["keyword"].lower()
             for entry in answer(intake, "keywords.extract", text=text, language="de", words=1)}
    assert "heizung" in words
    assert not {"die", "und", "ist"} & words


@pytest.mark.parametrize("text, expected", [
    ("", {"characters": 0, "words": 0, "lines": 0, "word_longest": 0, "reading_s": 0}),
    ("one", {"characters": 3, "words": 1, "lines": 1, "word_longest": 3, "reading_s": 60 / 238}),
    ("Äpfel,\n źdźbło \t\n", {"characters": 17, "words": 2, "lines": 2, "word_longest": 6,
                             "reading_s": 120 / 238}),
])
def test_statistics_are_exact(intake, text, expected):
    assert answer(intake, "stats.count", text=text) == pytest.approx(expected)


# ---- the walkers


def test_intake_reads_a_complaint_given_as_text(intake):
    text = "The train was late again. What a terrible day, and nobody apologised."
    found = walk(intake, "intake", text=text)
    assert found["type"] is None
    assert found["text"] == text
    assert found["language"]["language"] == "en"
    assert found["sentiment"]["label"] == "negative"
    assert found["statistics"]["words"] == 12


def test_intake_gives_no_mood_for_other_languages(intake):
    found = walk(intake, "intake", data=base64_of(SENTENCES["fi"].encode() * 3))
    assert found["language"]["language"] == "fi"
    assert found["sentiment"] is None


def test_a_source_file_has_no_text_to_describe(intake):
    found = walk(intake, "intake", data=base64_of((EXAMPLE / "load.py").read_bytes()))
    assert found["type"]["label"] == "python"
    assert found["text"] is None
    assert "language" not in found


def test_intake_wants_one_of_its_parameters(intake):
    for ctx in ({}, {"data": "aGk=", "text": "hi"}):
        reply = intake.post("/walkers/intake", {"ctx": ctx})
        assert not reply.json()["success"]
        assert "either data (base64) or text" in reply.json()["errors"][0]


def test_what_is_not_base64_is_refused_with_the_reason(intake):
    reply = intake.call("filetype.identify", data="???")
    assert reply.status >= 400
    assert "base64" in reply.json()["detail"]


# ---- the input and the load, without a server


def test_the_same_seed_makes_the_same_documents(python, documents, tmp_path):
    generate(python, tmp_path / "again")
    generate(python, tmp_path / "other", seed=8)
    files = sorted(path.name for path in documents.iterdir())
    assert files == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in files:
        assert (documents / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert (documents / "manifest.json").read_bytes() != (
        tmp_path / "other" / "manifest.json").read_bytes()


DOCUMENT = {"file": "x.txt", "kind": "text", "type": "txt", "text": "The garden is lovely.",
            "language": "en", "sentiment": "positive", "keywords": ["garden"]}
GOOD = {
    "type": {"label": "txt"}, "text": "The garden is lovely.", "language": {"language": "en"},
    "keywords": [{"keyword": "garden"}], "sentiment": {"label": "positive"},
    "statistics": {"characters": 21, "words": 4, "lines": 1, "word_longest": 7},
}  # fmt: skip


@pytest.mark.parametrize("name, value", [
    ("type", {"label": "python"}),
    ("text", "The garden is gone."),
    ("text", None),
    ("language", {"language": "de"}),
    ("keywords", [{"keyword": "house"}]),
    ("sentiment", {"label": "negative"}),
    ("sentiment", None),
    ("statistics", {"characters": 21, "words": 5, "lines": 1, "word_longest": 7}),
])
def test_the_load_notices_a_wrong_answer(name, value):
    assert load.check_intake(DOCUMENT, GOOD) == ""
    assert load.check_intake(DOCUMENT, GOOD | {name: value}) != ""


@pytest.mark.parametrize("status, body", [
    (500, b'{"detail": "boom"}'), (200, b"not json"), (200, b'{"language": 5}'),
    (200, b'{"success": false, "report": [], "errors": ["boom"]}'), (200, b"null"),
])
def test_the_load_counts_what_is_no_answer_as_failed(status, body):
    for name in ("language.detect", "intake"):
        assert load.Request(name, DOCUMENT, "").wrong(status, body) != ""
