"""Stand-in: where these were in the seed's version."""

from jaseci.jsorc.remote_actions import ACTIONS_SPEC_LOC, launch_server, serv_actions

__all__ = ["ACTIONS_SPEC_LOC", "launch_server", "serv_actions"]
