"""The original's client of action servers. Argument: URL; standard input: JSON list of calls
[action, positional, keywords]; prints one JSON object: what was registered, and each outcome."""

import contextlib
import json
import sys

with contextlib.redirect_stdout(sys.stderr):
    from jaseci.jsorc.live_actions import (
        live_actions,
        load_remote_actions,
        unload_remote_actions,
    )

    url, calls = sys.argv[1], json.load(sys.stdin)
    before = set(live_actions)
    loaded = load_remote_actions(url)
    names = sorted(set(live_actions) - before)
    outcomes = []
    for name, args, kwargs in calls:
        try:
            outcomes.append({"result": live_actions[name](*args, **kwargs)})
        except Exception as error:
            outcomes.append({"raised": type(error).__name__})
    unload_remote_actions(url)
    left = sorted(set(live_actions) - before)

json.dump({"loaded": loaded, "names": names, "outcomes": outcomes, "left": left}, sys.stdout)
