"""Stand-ins for the modules that files written for Jaseci import, used only where the real ones
are not installed: the finder comes after all others."""

import os
import sys

_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)))
_NAMES = ("jaseci", "jaseci.jsorc", "jaseci.jsorc.live_actions", "jaseci.jsorc.remote_actions",
          "jaseci.actions", "jaseci.actions.live_actions", "jaseci.actions.remote_actions")


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _NAMES:
            return None
        import importlib.util

        place = os.path.join(_ROOT, *name.split("."))
        if os.path.isdir(place):
            return importlib.util.spec_from_file_location(
                name, os.path.join(place, "__init__.py"), submodule_search_locations=[])
        return importlib.util.spec_from_file_location(name, place + ".py")


def install():
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
