"""The original's action server with kit.py, as its modules start it themselves. Argument: port."""

import sys

import kit  # noqa: F401  (registers its actions)
from jaseci.jsorc.remote_actions import launch_server

launch_server(port=int(sys.argv[1]), host="127.0.0.1")
