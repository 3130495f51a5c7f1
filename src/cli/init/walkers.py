"""Walkers: entries of requests, which call actions by name, wherever these are placed.

A walker runs in the runtime worker. When the module of an action is there as well, a call is a
plain function call; when it was moved into a process of its own (`jsorc actions load actions -mode
remote`), the same line calls it there.
"""

import jsorc


@jsorc.walker
def describe(text: str) -> dict:
    """What is in a text: its figures and its first words."""
    return {
        "figures": jsorc.call("text.count", text=text),
        "begins": jsorc.call("text.words", text=text, at_most=5),
    }
