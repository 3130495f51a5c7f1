"""The applications of the load test: which calls each makes, and what its stand-ins cost."""

import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from programs import ROOT

FOLDER = ROOT / "src" / "cli" / "loadtest"
MODULES = json.loads((FOLDER / "modules.json").read_text())
FLOWS = {path.stem: json.loads(path.read_text()) for path in (FOLDER / "flows").glob("*.json")
         if not path.stem.startswith("real_")}

# Calls a run, as the original's programs make them, and as their authors meant. The article has
# 5739 characters, 12 segments; the questions' text 1200, 3 segments.
REAL = {
    "sentence_pairing": {"bi_enc.infer": 1, "sbert_sim.get_cos_score": 10},
    "discussion_analysis": {"cl_summer.summarize": 1, "bi_enc.get_context_emb": 1,
                            "bi_enc.get_candidate_emb": 1, "bi_enc.dot_prod": 63},
    "zeroshot_faq_bot": {"text_seg.get_segments": 1, "use.answer_encode": 1,
                         "use.question_encode": 1, "use.cos_sim_score": 9},
    "flight_chatbot": {"use.question_encode": 1, "use.answer_encode": 1, "use.dist_score": 8,
                       "ent_ext.entity_detection": 1},
    "restaurant_chatbot": {"bi_enc.get_context_emb": 1, "bi_enc.get_candidate_emb": 1,
                           "bi_enc.dot_prod": 3, "tfm_ner.extract_entity": 1},
    "virtual_assistant": {"text_seg.get_segments": 1, "bi_enc.infer": 12,
                          "sbert_sim.get_text_sim": 1, "tfm_ner.extract_entity": 1,
                          "use.qa_classify": 1},
    "flow_analysis": {"text_seg.get_segments": 1, "use.get_embedding": 1,
                      "use.cos_sim_score": 10, "tfm_ner.extract_entity": 10},
    "weather_and_time_assitance": {"stt.transcribe": 1, "bi_enc.infer": 1,
                                   "vc_tts.synthesize": 1},
}
MEANT = {
    **REAL,
    "zeroshot_faq_bot": {**REAL["zeroshot_faq_bot"], "use.cos_sim_score": 27},
    "virtual_assistant": {"text_seg.get_segments": 1, "bi_enc.infer": 12,
                          "sbert_sim.get_text_sim": 12, "tfm_ner.extract_entity": 12,
                          "use.qa_classify": 12},
}


@pytest.fixture
def flow(monkeypatch):
    """The module of the walkers, with a jsorc that calls nothing."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("jsorc", "jsorc_standin", "jsorc_flow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "python"))
    return importlib.import_module("jsorc_flow")


def standin():
    return sys.modules["jsorc_standin"]


def actions_of(modules, time_scale=0):
    """name -> function of the stand-ins of these modules."""
    return {f"{module['group']}.{name}": standin()._make(name, cost, time_scale)
            for module in (MODULES[name] for name in modules)
            for name, cost in module["actions"].items()}


@pytest.mark.parametrize(("variant", "wanted"), [("real", REAL), ("meant", MEANT)])
def test_each_application_makes_the_calls_of_the_original(flow, monkeypatch, variant, wanted):
    assert set(FLOWS) == set(wanted)
    monkeypatch.setattr(standin(), "spend", lambda *cost: None)
    for name, description in FLOWS.items():
        actions, calls, reports = actions_of(description["modules"]), Counter(), []

        def call(action, actions=actions, calls=calls, **arguments):
            calls[action] += 1
            return actions[action](**arguments)

        monkeypatch.setattr(flow.jsorc, "call", call)
        monkeypatch.setattr(flow.jsorc, "report", reports.append)
        steps = description.get(variant, description["real"])
        flow.make({**description, "steps": steps})()
        assert calls == wanted[name], name
        assert len(reports) == (name != "sentence_pairing"), name


def test_arguments_have_the_sizes_of_the_original(flow, monkeypatch):
    seen = {}
    actions = actions_of(FLOWS["virtual_assistant"]["modules"])
    monkeypatch.setattr(standin(), "spend", lambda *cost: None)

    def call(action, **arguments):
        seen.setdefault(action, arguments)
        return actions[action](**arguments)

    monkeypatch.setattr(flow.jsorc, "call", call)
    monkeypatch.setattr(flow.jsorc, "report", lambda value: None)
    flow.make({"steps": FLOWS["virtual_assistant"]["real"]})()
    assert len(seen["text_seg.get_segments"]["text"]) == 5739
    assert len(seen["bi_enc.infer"]["candidates"]) == 6
    assert [len(text) for text in seen["bi_enc.infer"]["contexts"]] == [480]


def test_every_module_of_a_flow_is_described(flow):
    for name, description in FLOWS.items():
        groups = {MODULES[module]["group"] for module in description["modules"]}
        calls = json.dumps(description)
        assert all(f'"{group}.' in calls for group in groups), name
    assert all(module["memory_mb"] > 0 for module in MODULES.values())


@pytest.mark.parametrize("error", [0.2, 1, 1.9])
@pytest.mark.parametrize("released", [0, 0.5, 1])
def test_spends_the_time_that_it_is_told(flow, released, error):
    """However wrong its speed was measured when the module was set up."""
    standin()._rounds_a_ms = standin()._measure_rounds() * error
    start = time.thread_time()
    standin().spend(20, released)
    assert (time.thread_time() - start) * 1000 == pytest.approx(20, rel=0.15)


def test_memory_is_really_taken(flow):
    def resident_kb():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    before = resident_kb()
    memory = standin()._touched(32 * 1024 * 1024)
    assert resident_kb() - before > 30 * 1024
    del memory


def test_answers_have_their_shapes(flow):
    make = standin().maker
    assert make({"texts": ["a", 7]})({"a": [1, 2, 3]}) != []
    assert [len(text) for text in make({"texts": ["a", 7]})({"a": [1, 2, 3]})] == [7, 7, 7]
    assert [len(one) for one in make({"vectors": [2, 5]})({})] == [5, 5]
    assert make({"pieces": ["a", 2]})({"a": "abcde"}) == ["ab", "cd", "e"]
    assert len(make({"text": 9})({})) == 9
    assert len(make({"vector": 9})({})) == 9
    assert make({"number": True})({}) == 0.5


def test_names_that_are_none_are_refused(flow):
    cost = {"params": ["a); import os; ("], "answer": {"number": True}}
    with pytest.raises(ValueError, match="no names"):
        standin()._make("f", cost, 1)
