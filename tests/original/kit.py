"""An action module as users of the original have them; both servers serve this very file."""

from jaseci.jsorc.live_actions import jaseci_action

state = {"setups": 0}


@jaseci_action(act_group=["kit"], allow_remote=True)
def setup(scale: int = 2):
    state["setups"] += 1
    state["scale"] = scale


@jaseci_action(act_group=["kit"], allow_remote=True)
def set_up():
    return state


@jaseci_action(act_group=["kit"], aliases=["same", "again"], allow_remote=True)
def echo(text: str):
    return text


@jaseci_action(act_group=["kit"], allow_remote=True)
def anything(value=None, other="none"):
    return {"value": value, "other": other}


@jaseci_action(act_group=["kit"], allow_remote=True)
def typed(count: int, factor: float = 1.5, flag: bool = False, words: list = None):
    return {"count": count + 1, "factor": factor * 2, "flag": flag, "words": words}


@jaseci_action(act_group=["kit"], allow_remote=True)
def stars(a, b, c, *d, e, f, **g):
    return {"a": a, "b": b, "c": c, "d": list(d), "e": e, "f": f, "g": g}


@jaseci_action(act_group=["kit"], allow_remote=True)
def join_all(sep: str, *parts, upper: bool = False, **options):
    text = sep.join(str(part) for part in parts)
    return {"text": text.upper() if upper else text, "options": options}


@jaseci_action(act_group=["kit"], allow_remote=True)
def nothing():
    return None


@jaseci_action(act_group=["kit"], allow_remote=True)
def raises(text: str = "no"):
    raise ValueError(text)


@jaseci_action(act_group=["kit"])
def not_remote():
    return "only in its own process"
