"""A walker that makes one call: what serving a walker costs beside serving an action."""

import jsorc


@jsorc.walker
def flow(text: str):
    jsorc.report(jsorc.call("benchwork.echo", text=text))
