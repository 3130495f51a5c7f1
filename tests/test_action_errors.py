"""What a caller sees of an action that fails, and what is counted: the same in both places."""

import pytest
from metrics import read_metrics
from placement import move

FAIL = """
import jsorc

@jsorc.action
def http(status: int, detail=None):
    raise jsorc.HTTPError(status, detail)

@jsorc.action(aliases=["nothing"])
def zero():
    return 1 // 0

@jsorc.action
def leave():
    raise SystemExit(3)

@jsorc.action
def needs(text: str):
    return text

@jsorc.action
def wrong_inside():
    return len(5)

@jsorc.action
def nested():
    return jsorc.call("fail.zero")

@jsorc.action
async def later(text: str):
    if text == "leave":
        raise SystemExit(4)
    raise LookupError(text)

@jsorc.action
async def well(text: str):
    return text
"""
FLOW = """
import jsorc

def told(error):
    parts = [getattr(error, name, None) for name in ("action", "status", "type", "message")]
    return [type(error).__name__, str(error), *parts]

@jsorc.walker
def see(name, args=(), kwargs={}):
    try:
        jsorc.report(["result", jsorc.call(name, *args, **kwargs)])
    except Exception as error:
        jsorc.report(told(error))

@jsorc.walker
async def see_async(name, args=(), kwargs={}):
    try:
        jsorc.report(["result", await jsorc.call_async(name, *args, **kwargs)])
    except Exception as error:
        jsorc.report(told(error))

@jsorc.walker
def lets_it_out(name):
    jsorc.call(name)

@jsorc.walker
def cause(name):
    try:
        jsorc.call(name)
    except jsorc.ActionError as error:
        jsorc.report(repr(error.__cause__))
"""
# Action, positional and named arguments, what the walker sees; None: whatever it is.
CALLS = [
    ("fail.http", [400, "too long"], {},
     ["ActionError", "action 'fail.http' answered 400: too long", "fail.http", 400, None,
      "too long"]),
    ("fail.http", [409, {"left": 3}], {},
     ["ActionError", "action 'fail.http' answered 409: {'left': 3}", "fail.http", 409, None,
      "{'left': 3}"]),
    ("fail.http", [202, "nothing"], {}, ["result", {"detail": "nothing"}]),
    ("fail.http", [204, "no body"], {}, ["result", None]),
    ("fail.http", [500], {}, None),
    ("fail.zero", [], {},
     ["ActionError", "action 'fail.zero' answered 500 (ZeroDivisionError): integer division or "
      "modulo by zero", "fail.zero", 500, "ZeroDivisionError",
      "integer division or modulo by zero"]),
    ("fail.leave", [], {},
     ["ActionError", "action 'fail.leave' answered 500 (SystemExit): the action called exit(3)",
      "fail.leave", 500, "SystemExit", "the action called exit(3)"]),
    ("fail.needs", [], {},
     ["ActionError", "action 'fail.needs' answered 422: text: field required", "fail.needs", 422,
      None, "text: field required"]),
    ("fail.needs", ["a", "b"], {},
     ["TypeError", "fail.needs() takes at most 1 positional arguments, 2 were given", None, None,
      None, None]),
    ("fail.needs", [], {"other": 1},
     ["TypeError", "fail.needs() has no parameter 'other' (it has: text)", None, None, None, None]),
    ("fail.needs", ["a"], {"text": "b"},
     ["TypeError", "fail.needs() got 'text' twice: by position and by name", None, None, None,
      None]),
    ("fail.wrong_inside", [], {}, None),
    ("fail.nested", [], {}, None),
    ("fail.later", ["gone"], {},
     ["ActionError", "action 'fail.later' answered 500 (LookupError): gone", "fail.later", 500,
      "LookupError", "gone"]),
    ("fail.later", ["leave"], {}, None),
    ("fail.later", [], {}, None),
    ("fail.well", ["still here"], {}, ["result", "still here"]),
]


@pytest.fixture
def daemon(serve, write):
    return serve(write("fail.py", FAIL), write("flow.py", FLOW))


def run(daemon, walker, **ctx):
    answer = daemon.post(f"/walkers/{walker}", {"ctx": ctx}).json()
    assert answer["success"] is True, answer
    return answer["report"][0]


def all_seen(daemon, walker):
    return [run(daemon, walker, name=name, args=args, kwargs=kwargs)
            for name, args, kwargs, _ in CALLS]


def counted(daemon):
    """action -> (calls, errors, entries of a histogram) of all places and walkers."""
    metrics = read_metrics(daemon)
    return {name: tuple(int(metrics(metric, action=name) or 0) for metric in
                        ("jsorc_action_calls_total", "jsorc_action_errors_total",
                         "jsorc_action_duration_seconds_count"))
            for name in sorted({call[0] for call in CALLS})}


@pytest.mark.parametrize("walker", ["see", "see_async"])
def test_a_walker_sees_the_same_and_as_much_is_counted_wherever_the_action_is(daemon, walker):
    daemon.op("jsorc_trackact_start")
    seen, grown, before = {}, {}, counted(daemon)
    for place in ("module", "remote"):
        move(daemon, "fail", place)
        seen[place] = all_seen(daemon, walker)
        after = counted(daemon)
        grown[place] = {name: tuple(now - then for now, then in
                                    zip(after[name], before[name], strict=True)) for name in after}
        before = after
    for number, (*call, wanted) in enumerate(CALLS):
        assert seen["module"][number] == seen["remote"][number], call
        assert wanted is None or seen["module"][number] == wanted, call
    assert grown["module"] == grown["remote"]
    assert grown["module"]["fail.http"] == (5, 3, 2)
    assert grown["module"]["fail.zero"] == (2, 2, 0), "by itself, and by the nested one"
    assert grown["module"]["fail.needs"] == (1, 1, 0), "what does not fit was not called"
    here, there = (entry["actions_stats"] for entry in daemon.op("jsorc_trackact_stop"))
    assert {name: (stats["count"], stats["errors"]) for name, stats in here.items()} == \
        {name: (stats["count"], stats["errors"]) for name, stats in there.items()}


def test_an_alias_counts_with_its_action_wherever_that_is(daemon):
    for place, wanted in (("module", 2), ("remote", 4)):
        move(daemon, "fail", place)
        run(daemon, "see", name="fail.nothing")
        assert daemon.call("fail.nothing").status == 500
        metrics = read_metrics(daemon)
        assert metrics("jsorc_action_errors_total", action="fail.zero") == wanted
        assert not metrics("jsorc_action_calls_total", action="fail.nothing")


def test_what_a_walker_lets_out_is_told_in_the_same_words(daemon):
    daemon.expect_log("raised")
    told = {}
    for place in ("module", "remote"):
        move(daemon, "fail", place)
        told[place] = daemon.post("/walkers/lets_it_out", {"ctx": {"name": "fail.zero"}}).json()
        assert told[place]["success"] is False
    assert told["module"]["errors"] == told["remote"]["errors"]
    assert "line 24" in told["module"]["errors"][0], "where the walker made the call"
    assert any("return 1 // 0" in line for line in told["module"]["stack_trace"])


def test_the_exception_itself_is_the_cause_where_there_is_one(daemon):
    move(daemon, "fail", "module")
    assert run(daemon, "cause", name="fail.zero").startswith("ZeroDivisionError(")
    move(daemon, "fail", "remote")
    assert run(daemon, "cause", name="fail.zero") == "None"


def test_an_answer_without_a_body_leaves_the_connection_in_order(host, write):
    alone = host(write("fail.py", FAIL))
    connection = alone.connect()
    for _ in range(2):
        reply = alone.post("/http/", {"status": 204, "detail": "no body"}, connection=connection)
        assert (reply.status, reply.body) == (204, b"")
        assert alone.post("/well/", {"text": "a"}, connection=connection).json() == "a"
    connection.close()
