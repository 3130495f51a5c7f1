"""The actions that every server of `make bench` serves, from this one file.

Written for the original's decorator, which jsorc's stand-in serves as well; an ASGI app that needs
no decorator imports the functions as they are."""

try:
    from jaseci.jsorc.live_actions import jaseci_action
except ImportError:

    def jaseci_action(**_options):
        return lambda function: function


@jaseci_action(act_group=["benchwork"], allow_remote=True)
def echo(text: str):
    return text


@jaseci_action(act_group=["benchwork"], allow_remote=True)
def score(texts: list):
    """How varied each text's pairs of letters are, 0 to 1; 0.15 ms for 16 texts of 20 words."""
    scores = []
    for text in texts:
        counts = {}
        for first, second in zip(text, text[1:], strict=False):
            pair = first + second
            counts[pair] = counts.get(pair, 0) + 1
        same = sum(count * count for count in counts.values())
        scores.append(round(1 - same / len(text) ** 2, 6) if text else 0.0)
    return scores
