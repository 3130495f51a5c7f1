"""Actions: functions that others call by name, over HTTP and from walkers.

`jsorc serve .` loads this file as the module "actions". What a function is annotated with is what
callers may send; the text below its name appears in the API documentation at /docs.
"""

import jsorc


@jsorc.action(group="text")
def words(text: str, at_most: int = 0) -> list[str]:
    """The words of a text, in lower case; at_most 0 = all."""
    found = [word.strip(".,;:!?\"'()").lower() for word in text.split()]
    return found[:at_most] if at_most else found


@jsorc.action(group="text")
def count(text: str) -> dict:
    """How many characters, words and lines a text has."""
    return {"characters": len(text), "words": len(words(text)), "lines": len(text.splitlines())}
