"""What is told of failed calls, and how waiting for several calls is added up: without a worker."""

import pytest


@pytest.mark.parametrize(("detail", "message"), [
    ("bad day", "bad day"),
    ({"left": 3}, "{'left': 3}"),
    (None, "None"),
    ([], ""),
    ([{"loc": ["body", "text"], "msg": "field required", "type": "value_error.missing"},
      {"loc": ["body", "items", 2], "msg": "no", "type": "x"}],
     "text: field required; items.2: no"),
    ([{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}],
     "value is not a valid dict"),
    (["of another server", {"loc": "odd"}], "of another server; {'loc': 'odd'}"),
])
def test_the_message_is_the_detail_as_text(detail, message):
    from jsorc import ActionError

    error = ActionError("a.b", 422, detail)
    assert (error.detail, error.message) == (detail, message)
    assert str(error) == f"action 'a.b' answered 422: {message}"


def test_the_text_names_what_is_known():
    from jsorc import ActionError

    assert str(ActionError("a.b", 0, "nobody there")) == "action 'a.b': nobody there"
    assert str(ActionError("a.b", 500, "no", "ValueError")) == \
        "action 'a.b' answered 500 (ValueError): no"


def test_calls_of_this_process_fail_as_elsewhere_also_without_a_worker(registry):
    import jsorc

    @jsorc.action(group="t")
    def fails(text: str):
        raise jsorc.HTTPError(409, [text])

    @jsorc.action(group="t")
    async def divides():
        return 1 // 0

    with pytest.raises(jsorc.ActionError) as caught:
        jsorc.call("t.fails", "a")
    assert (caught.value.status, caught.value.detail, caught.value.type) == (409, ["a"], None)
    assert isinstance(caught.value.__cause__, jsorc.HTTPError)
    with pytest.raises(jsorc.ActionError, match="t.divides.*ZeroDivisionError"):
        jsorc.call("t.divides")
    with pytest.raises(jsorc.ActionError, match="422: text: field required"):
        jsorc.call("t.fails")
    with pytest.raises(TypeError, match=r"t.fails\(\) has no parameter 'other' \(it has: text\)"):
        jsorc.call("t.fails", other=1)


def test_waiting_for_calls_side_by_side_counts_once(monkeypatch):
    from jsorc import _context

    now = [0]
    monkeypatch.setattr(_context, "monotonic_ns", lambda: now[0])

    def at(time_ns, do):
        now[0] = time_ns
        return do()

    meter, token = _context.begin_meter()
    at(10, meter.begin)
    at(20, meter.begin)
    _context.add_nested(7)  # of a call that blocked within both
    at(40, meter.end)
    assert at(50, meter.read) == 40, "still under way"
    at(60, meter.end)
    assert at(90, meter.read) == 50
    _context.add_nested(5)
    assert meter.read() == 55
    _context.end_meter(token)
    assert _context.meter() is None
    _context.add_nested(5)  # nobody's
