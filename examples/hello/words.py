"""Two actions. Another module calls them by name, wherever this one is placed."""

import jsorc


@jsorc.action
def echo(text):
    """The value itself: a parameter without an annotation takes any JSON value."""
    return text


@jsorc.action(aliases=["frequencies"], idempotent=True)
def count(text: str, least: int = 1, *, ignore: list[str] = ()) -> dict[str, int]:
    """How often each word occurs.

    text: what to count in; least: leave out words that occur less often; ignore: words to leave
    out, in lower case.
    """
    if least < 1:
        raise jsorc.HTTPError(400, f"least is {least}, and must be 1 or more")
    counts = {}
    for word in text.lower().split():
        word = word.strip(".,;:!?\"'()")
        if word and word not in ignore:
            counts[word] = counts.get(word, 0) + 1
    return {word: number for word, number in counts.items() if number >= least}
