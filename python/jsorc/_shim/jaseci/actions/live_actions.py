"""Stand-in: where the decorators were in the seed's version."""

from jaseci.jsorc.live_actions import jaseci_action, jaseci_expose

__all__ = ["jaseci_action", "jaseci_expose"]
