"""Tells the type of a file from its content. The model is in the package magika."""

import base64

import jsorc
from magika import Magika

model = Magika()


@jsorc.action(idempotent=True)
def identify(data: str) -> dict:
    """Looks at the first and last bytes of a file.

    data: the file, base64.
    Returns label ("python", "png", "txt", ...), group ("code", "image", "text", ...), mime,
    and score, how sure the model is, 0..1.
    """
    result = model.identify_bytes(base64.b64decode(data, validate=True))
    kind = result.output
    return {
        "label": str(kind.label),
        "group": kind.group,
        "mime": kind.mime_type,
        "score": float(result.score),
    }
