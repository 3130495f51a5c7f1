"""A walker: the entry of a request. It calls actions by name and reports what it found."""

import jsorc


@jsorc.walker
def digest(text: str, top: int = 3):
    """The most frequent words of a text, with their counts."""
    counts = jsorc.call("words.count", text, ignore=["the", "a", "and"])
    for word in sorted(counts, key=lambda word: (-counts[word], word))[:top]:
        jsorc.report({"word": word, "count": counts[word]})
