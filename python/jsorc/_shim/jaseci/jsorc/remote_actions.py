"""Stand-in: how a module written for Jaseci serves itself."""

from jsorc import _asgi, _serve

jsorc_stand_in = True
ACTIONS_SPEC_LOC = "/jaseci_actions_spec/"


def serv_actions():
    """An ASGI application of all actions decorated so far, for ``uvicorn MODULE:serv_actions``."""
    return _asgi.make_app()


def launch_server(port=80, host="0.0.0.0"):
    """Serves all actions decorated so far until the process is told to end."""
    return _serve.launch(host, port)
