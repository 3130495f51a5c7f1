"""Parameters of functions of all shapes, and the groups and names of actions."""

import functools
import inspect
import json

import pytest
from jsorc import _signature
from jsorc._signature import params_of


def every_kind(a, b=2, *parts: str, up: bool = False, must, **options: int):
    """Docs."""


def positional_only(a, /, b: "float" = 1.5):
    pass


def two_stars(a, **g):
    pass


def keyword_only(*, a, b=None):
    pass


@functools.wraps(every_kind)
def wrapped(*args, **kwargs):
    pass


class Callable:
    def __call__(self, a: int, b=1):
        pass

    def method(self, a):
        pass


def shape(params):
    return [(param.key, _signature.KIND_TEXT[param.kind], param.required) for param in params]


def test_every_kind_of_parameter_is_told_in_order():
    assert shape(params_of(every_kind)) == [
        ("a", "plain", True), ("b", "plain", False), ("*parts", "list", False),
        ("up", "keyword", False), ("must", "keyword", True), ("**options", "dict", False)]


@pytest.mark.parametrize("function", [every_kind, positional_only, two_stars, keyword_only, wrapped,
                                      lambda: 1, lambda *a: 1])
def test_reading_the_code_object_agrees_with_inspect(function):
    wanted = [(name, param.default if param.default is not param.empty else None)
              for name, param in inspect.signature(function).parameters.items()]
    assert [(param.name, None if param.default is _signature.REQUIRED else param.default)
            for param in params_of(function)] == wanted


@pytest.mark.parametrize("function, names", [
    (Callable(), ["a", "b"]), (Callable().method, ["a"]),
    (functools.partial(every_kind, 1), ["b", "*parts", "up", "must", "**options"]),
    (wrapped, ["a", "b", "*parts", "up", "must", "**options"]), (len, ["obj"]),
])
def test_callables_that_are_no_plain_functions(function, names):
    assert [param.key for param in params_of(function)] == names


def test_descriptions_are_json_and_carry_types_and_defaults():
    described = {param["name"]: param for param in
                 json.loads(json.dumps([param.describe() for param in params_of(every_kind)]))}
    assert described["a"] == {"name": "a", "kind": "plain", "type": "any", "required": True}
    assert described["b"]["default"] == 2
    assert described["*parts"] == {"name": "*parts", "kind": "list", "type": "str",
                                   "required": False,
                                   "schema": {"type": "array", "items": {"type": "string"}}}
    assert described["up"]["default"] is False and described["up"]["type"] == "bool"


def test_a_default_that_is_no_json_is_told_as_text():
    def function(a=object, b=float("nan"), c=(1, 2), d={1: 2}):  # noqa: B006
        pass

    described = [param.describe() for param in params_of(function)]
    assert described[0]["default_text"] == "<class 'object'>"
    assert described[1]["default_text"] == "nan"
    assert described[2]["default"] == [1, 2]
    assert described[3]["default_text"] == "{1: 2}"


def test_annotations_as_text_are_resolved_where_they_can_be():
    def function(a: "int", b: "list[str]", c: "OnlyForCheckers"):  # noqa: F821
        pass

    params = params_of(function)
    assert [param.text for param in params] == ["int", "list[str]", "OnlyForCheckers"]
    assert params[0].convert("3") == 3 and params[2].convert is None


# ---- registering


def test_bare_and_with_arguments(registry):
    import jsorc

    @jsorc.action
    def one():
        pass

    @jsorc.action(group="text", name="two", aliases=["deux"], idempotent=True, timeout_s=2.5)
    def second():
        pass

    first, other = registry.registrations
    assert first.full_name == "test_signature.one" and first.function is one
    assert other.full_name == "text.two" and other.aliases == ("deux",)
    assert other.idempotent is True and other.timeout_s == 2.5
    assert registry.find("text.deux") is second and registry.find("text.three") is None


@pytest.mark.parametrize("group, name", [("a", "a.f"), (["a"], "a.f"), (["a", "b"], "a.b.f"),
                                         ("a.b", "a.b.f")])
def test_groups_are_joined_by_dots(registry, group, name):
    def f():
        pass

    registry.register(f, group=group)
    assert registry.registrations[0].full_name == name


def test_the_group_of_a_file_is_its_name_up_to_the_first_dot(registry):
    def f():
        pass

    f.__module__ = "folder.text_v2"
    registry.file_modules["folder.text_v2"] = "/folder/text.v2.py"
    assert registry.group_of(f) == "text"
    f.__module__ = "pkg.inner.name"
    assert registry.group_of(f) == "name"


@pytest.mark.parametrize("bad, error", [
    (lambda jsorc: jsorc.action(3), TypeError),
    (lambda jsorc: jsorc.action(name="a.b")(test_bare_and_with_arguments), ValueError),
    (lambda jsorc: jsorc.action(timeout_s=0), ValueError),
])
def test_decorators_refuse_what_cannot_be_an_action(registry, bad, error):
    import jsorc

    with pytest.raises(error):
        bad(jsorc)
    assert registry.registrations == []


def test_a_call_outside_a_worker_runs_the_function(registry):
    import jsorc

    @jsorc.action(group="t")
    def add(a, b=1):
        return a + b

    @jsorc.action(group="t")
    async def later(a):
        return a

    assert jsorc.call("t.add", 1, b=3) == 4
    assert jsorc.actions.t.add(2) == 3
    assert jsorc.call("t.later", 5) == 5
    with pytest.raises(jsorc.ActionError) as error:
        jsorc.call("t.none")
    assert error.value.status == 404 and error.value.action == "t.none"
    with pytest.raises(RuntimeError):
        jsorc.report(1)
