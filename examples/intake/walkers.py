"""What a request asks for. Walkers call actions by name, wherever their modules are placed."""

import base64

import jsorc

TEXT_GROUPS = ("text", "document")


@jsorc.walker
def triage(data: str) -> dict:
    """The quick part: what is it, and, for a text, in which language.

    data: the document, a file of any type, base64.
    Returns type (as filetype.identify) and language (as language.detect, null when not a text).
    """
    kind = jsorc.call("filetype.identify", data=data)
    language = None
    if kind["group"] in TEXT_GROUPS:
        language = jsorc.call("language.detect", text=decoded(data))
    return {"type": kind, "language": language}


@jsorc.walker
def intake(data: str = "", text: str = "") -> dict:
    """Everything: reads the text in a picture, then finds out what the text is about.

    data: the document, a file of any type, base64; or text: the same as plain text.
    Returns type (as filetype.identify, null for plain text), text (what was read; null when the
    document has none, as a program or an archive) and, when there is a text, language, keywords,
    statistics and sentiment as their actions give them; sentiment is null unless it is English.
    """
    if bool(data) == bool(text):
        raise jsorc.HTTPError(422, "give either data (base64) or text")
    kind = None
    if data:
        kind = jsorc.call("filetype.identify", data=data)
        if kind["group"] == "image":
            text = jsorc.call("ocr.read", image=data)["text"]
        elif kind["group"] in TEXT_GROUPS:
            text = decoded(data)
    return {"type": kind, "text": text or None, **(described(text) if text else {})}


def described(text: str) -> dict:
    """What the actions say about a text."""
    language = jsorc.call("language.detect", text=text)
    code = language["language"]
    return {
        "language": language,
        "keywords": jsorc.call("keywords.extract", text=text, language=code),
        "statistics": jsorc.call("stats.count", text=text),
        "sentiment": jsorc.call("sentiment.score", text=text) if code == "en" else None,
    }


def decoded(data: str) -> str:
    """The text of a text file; bytes that are not UTF-8 become U+FFFD."""
    return base64.b64decode(data).decode("utf-8", "replace")
