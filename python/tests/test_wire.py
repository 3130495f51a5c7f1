"""The client's side of a call: the table of the wire format's section 4."""

import pytest
from jsorc._wire import arrange

NAMES = ["a", "b", "c", "*d", "e", "f", "**g"]


@pytest.mark.parametrize("args, kwargs, body", [
    ((1, 2, 3, 4, 5, 6), {"e": "1", "f": "2", "g": "3", "h": "4"},
     {"a": 1, "b": 2, "c": 3, "*d": [4, 5, 6], "e": "1", "f": "2", "**g": {"g": "3", "h": "4"}}),
    ((1, 2, 3), {"e": "1", "f": "2"}, {"a": 1, "b": 2, "c": 3, "e": "1", "f": "2"}),
    ((1,), {"c": 3}, {"a": 1, "c": 3}),
    ((), {"a": None, "b": 2}, {"b": 2}),
    ((), {}, {}),
    ((1, 2, 3, 4), {}, {"a": 1, "b": 2, "c": 3, "*d": [4]}),
    ((None, 2), {}, {"b": 2}),
    ((), {"h": 1}, {"**g": {"h": 1}}),
])
def test_arguments_become_the_body_of_the_table(args, kwargs, body):
    assert arrange("t", NAMES, args, kwargs) == body
    assert arrange("t", NAMES, args, kwargs, lenient=True) == body


def test_annotations_after_a_colon_are_no_part_of_a_name():
    assert arrange("t", ["a: str", "*d: int"], (1, 2, 3), {}) == {"a": 1, "*d": [2, 3]}


@pytest.mark.parametrize("names, args, kwargs, says", [
    (["a"], (1, 2), {}, "at most 1 positional arguments, 2 were given"),
    (["a", "**g"], (1, 2), {}, "at most 1 positional arguments, 2 were given"),
    (["a"], (1,), {"a": 2}, "'a' twice"),
    (["a", "**g"], (1,), {"a": 2}, "'a' twice"),
    (["a", "b"], (), {"c": 2}, "no parameter 'c' (it has: a, b)"),
    ([], (), {"c": 2}, "no parameter 'c' (it has: none)"),
])
def test_what_fits_nowhere_is_an_error_that_names_it(names, args, kwargs, says):
    with pytest.raises(TypeError) as error:
        arrange("t.f", names, args, kwargs)
    assert says in str(error.value)
    assert str(error.value).startswith("t.f() ")


@pytest.mark.parametrize("names, args, kwargs, body", [
    (["a"], (1, 2), {}, {"a": 1}),
    (["a"], (1,), {"a": 2}, {"a": 1}),
    (["a", "**g"], (1,), {"a": 2}, {"a": 1, "**g": {"a": 2}}),
    (["a"], (), {"c": 2}, {}),
])
def test_lenient_drops_as_the_original_client_does(names, args, kwargs, body):
    assert arrange("t", names, args, kwargs, lenient=True) == body
