"""Stand-in: the decorators of modules written for Jaseci."""

import sys

from jsorc import _registry

jsorc_stand_in = True


def jaseci_action(act_group=None, aliases=(), allow_remote=False):
    """Makes a function an action; ``allow_remote`` also lets its module serve it remotely."""
    scope = sys._getframe(1).f_globals
    if allow_remote:
        _plant(scope)

    def decorate(function):
        return _registry.register(function, group=act_group, aliases=aliases,
                                  remote=bool(allow_remote))

    return decorate


def jaseci_expose(endpoint, mount=None):
    """Serves a function as ``GET endpoint``, and with ``mount`` = (path, app, name) a sub-app."""
    _plant(sys._getframe(1).f_globals)

    def decorate(function):
        _registry.endpoints.append(_registry.Endpoint(function, endpoint, mount))
        return function

    return decorate


def _plant(scope):
    """``uvicorn module:serv_actions`` finds the name in the decorated file."""
    from jaseci.jsorc.remote_actions import serv_actions

    scope.setdefault("serv_actions", serv_actions)
