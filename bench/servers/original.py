"""The original's action server, as its modules start it themselves. Argument: the port."""

import sys

import benchwork  # noqa: F401  (registers its actions)
from jaseci.jsorc.remote_actions import launch_server

launch_server(port=int(sys.argv[1]), host="127.0.0.1")
