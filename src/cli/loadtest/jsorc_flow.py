"""The walkers of a load test, each made from a flow: a list of steps that call actions by name.

    {"call": "group.action", "args": {NAME: VALUE}, "as": RESULT}
    {"for": INDEX, "from": 0, "to": COUNT, "do": [STEP...]}      INDEX = from .. COUNT - 1

A VALUE is a constant, or one of {"$text": characters}, {"$texts": [count, characters]},
{"$vector": numbers}, {"$result": RESULT, "at": INDEX, a number, or "last"},
{"$list": [VALUE...]}, {"$join": [VALUE...]} (texts one after the other). A COUNT is a number, or
{"len": RESULT, "minus": 0}."""

import jsorc
from jsorc_standin import vector, words


def setup(flows):
    """flows: name -> {"steps": [STEP...], "report": VALUE, or nothing to report}."""
    for name, flow in flows.items():
        jsorc.walker(make(flow), name=name)


def make(flow):
    steps = [_step(step) for step in flow["steps"]]
    report = _value(flow["report"]) if "report" in flow else None

    def run():
        scope = {}
        for step in steps:
            step(scope)
        if report:
            jsorc.report(report(scope))

    return run


# ---- steps: each a function of the scope, which holds results and indices by name


def _step(step):
    return _loop(step) if "for" in step else _call(step)


def _call(step):
    name, result = step["call"], step.get("as")
    arguments = [(word, _value(value)) for word, value in step["args"].items()]

    def call(scope):
        value = jsorc.call(name, **{word: make(scope) for word, make in arguments})
        if result:
            scope[result] = value

    return call


def _loop(step):
    index, first, last = step["for"], step.get("from", 0), _count(step["to"])
    steps = [_step(one) for one in step["do"]]

    def loop(scope):
        for number in range(first, last(scope)):
            scope[index] = number
            for one in steps:
                one(scope)

    return loop


def _count(count):
    if isinstance(count, int):
        return lambda scope: count
    return lambda scope: len(scope[count["len"]]) - count.get("minus", 0)


# ---- values; constants are made once


def _constant(value):
    return lambda scope: value


def _value(value):
    if not isinstance(value, dict):
        return _constant(value)
    if "$text" in value:
        return _constant(words(value["$text"]))
    if "$texts" in value:
        count, characters = value["$texts"]
        return _constant([words(characters, seed) for seed in range(count)])
    if "$vector" in value:
        return _constant(vector(value["$vector"]))
    if "$list" in value:
        items = [_value(item) for item in value["$list"]]
        return lambda scope: [item(scope) for item in items]
    if "$join" in value:
        items = [_value(item) for item in value["$join"]]
        return lambda scope: "".join(item(scope) for item in items)
    if "$result" in value:
        return _result(value["$result"], value.get("at"))
    raise ValueError(f"no value of a flow: {value}")


def _result(name, at):
    if at is None:
        return lambda scope: scope[name]
    if at == "last":
        return lambda scope: scope[name][-1]
    return lambda scope: scope[name][at if isinstance(at, int) else scope[at]]
