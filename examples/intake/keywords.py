"""Finds the words that a text is about, by the package yake: statistics and lists of stop words."""

import jsorc
from yake import KeywordExtractor


@jsorc.action(idempotent=True)
def extract(text: str, language: str = "en", count: int = 5, words: int = 2) -> list:
    """Ranks the words and phrases of a text.

    language: ISO 639-1 code; chooses the stop words.
    count: how many keywords at most; words: how many words a keyword may have.
    Returns a list of {keyword, score}, best first; a lower score is better.
    """
    # One for each call: the extractor keeps state, and calls run at the same time.
    extractor = KeywordExtractor(lan=language, top=count, n=words)
    return [
        {"keyword": keyword, "score": float(score)}
        for keyword, score in extractor.extract_keywords(text)
    ]
