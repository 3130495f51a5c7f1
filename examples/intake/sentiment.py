"""Tells the mood of an English text. The lexicon is in the package vaderSentiment."""

import jsorc
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

analyzer = SentimentIntensityAnalyzer()


@jsorc.action(idempotent=True)
def score(text: str) -> dict:
    """English only: words of other languages count as neutral.

    Returns compound, from -1 (most negative) to 1 (most positive), and label: "positive" from
    0.05 on, "negative" from -0.05 down, else "neutral" (the thresholds of the lexicon's authors).
    """
    compound = analyzer.polarity_scores(text)["compound"]
    if compound >= 0.05:
        label = "positive"
    elif compound <= -0.05:
        label = "negative"
    else:
        label = "neutral"
    return {"compound": compound, "label": label}
