"""What the decorators register: the actions, walkers and endpoints of this process.

Nothing here imports more than builtins: this module is loaded before the user's code, in every
worker, and its import is part of the time until ready.
"""

import os
import sys

ACTION = "action"
WALKER = "walker"


class Registration:
    """One decorated function. ``owner`` is the spec's name of the module that was being loaded."""

    __slots__ = ("function", "kind", "group", "name", "aliases", "remote", "idempotent",
                 "timeout_s", "owner")

    def __init__(self, function, kind, group, name, aliases, remote=True, idempotent=False,
                 timeout_s=None):
        self.function = function
        self.kind = kind
        self.group = group
        self.name = name
        self.aliases = aliases
        self.remote = remote
        self.idempotent = idempotent
        self.timeout_s = timeout_s
        self.owner = loading

    @property
    def full_name(self):
        return f"{self.group}.{self.name}" if self.kind == ACTION else self.name


class Endpoint:
    """A function that answers ``GET path``, or with ``mount`` an ASGI application below it."""

    __slots__ = ("function", "path", "mount", "owner")

    def __init__(self, function, path, mount):
        self.function = function
        self.path = path
        self.mount = mount
        self.owner = loading


registrations = []  # in the order of decoration
endpoints = []
loading = None  # name of the module that is being loaded, as in the spec file
file_modules = {}  # internal name of a module loaded from a file -> its path


def group_of(function):
    """The group of a function that declares none.

    A module loaded from a file, or run as a script, gives the file's base name up to its first
    dot; an imported one the last part of its name. The two rules of the original (one for each
    place) agree with this wherever they agree with each other, and a name must not change when its
    module moves.
    """
    module = function.__module__ or ""
    path = file_modules.get(module)
    if path is None and module == "__main__":
        path = getattr(sys.modules["__main__"], "__file__", None)
    if path:
        return os.path.basename(path).split(".")[0]
    return module.rsplit(".", 1)[-1]


def group_text(group, function):
    if group is None:
        return group_of(function)
    if isinstance(group, str):
        return group
    return ".".join(group)


def names_of(aliases):
    return (aliases,) if isinstance(aliases, str) else tuple(aliases or ())


def name_of(function, name):
    if name is None:
        name = getattr(function, "__name__", None)
    if not name or not isinstance(name, str):
        raise TypeError(f"{function!r} has no name: give one with name=")
    if "." in name:
        raise ValueError(f"the name {name!r} has a dot: put what is before it into group=")
    return name


def register(function, kind=ACTION, group=None, name=None, aliases=(), **options):
    """Adds a function and returns it unchanged."""
    if not callable(function):
        raise TypeError(f"only a function can be an {kind}, not {function!r}")
    registrations.append(
        Registration(function, kind, group_text(group, function), name_of(function, name),
                     names_of(aliases), **options))
    return function


def action(function=None, *, group=None, name=None, aliases=(), idempotent=False, timeout_s=None):
    """Makes a function an action, callable by name from other modules and over HTTP.

    Used bare (``@action``) or with arguments:

    group       first part of the action's name; default: the name of the module
    name        last part of it; default: the function's name
    aliases     further last parts under which it can be called
    idempotent  a call may be repeated when it is not known whether it was executed
    timeout_s   limit of one call in seconds, for callers that give none

    The function itself is returned unchanged. Parameters without an annotation take any JSON
    value; annotated ones are converted by the original's lenient rules (``"3"`` fits an ``int``).
    """
    if timeout_s is not None and not timeout_s > 0:
        raise ValueError(f"timeout_s must be a positive number of seconds, not {timeout_s!r}")
    if function is None:
        return lambda decorated: action(decorated, group=group, name=name, aliases=aliases,
                                        idempotent=idempotent, timeout_s=timeout_s)
    return register(function, ACTION, group, name, aliases, idempotent=bool(idempotent),
                    timeout_s=timeout_s)


def walker(function=None, *, name=None, aliases=()):
    """Makes a function a walker: the entry of a request, run by ``walker_run``.

    Its parameters are filled from the request's ``ctx``. It calls actions with :func:`jsorc.call`
    and adds to the answer with :func:`jsorc.report`; a returned value is reported last.
    """
    if function is None:
        return lambda decorated: walker(decorated, name=name, aliases=aliases)
    return register(function, WALKER, None, name, aliases)


def find(name):
    """The function registered last under a full name or alias; None when there is none."""
    for entry in reversed(registrations):
        if entry.kind != ACTION or not name.startswith(entry.group + "."):
            continue
        last = name[len(entry.group) + 1:]
        if last == entry.name or last in entry.aliases:
            return entry.function
    return None
