"""Tells the language of a text. The model is in the package py3langid."""

import jsorc
from py3langid.langid import MODEL_FILE, LanguageIdentifier

model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@jsorc.action(idempotent=True)
def detect(text: str) -> dict:
    """Needs a sentence or more to be sure.

    Returns language (ISO 639-1 code, one of 97) and probability, 0..1.
    """
    language, probability = model.classify(text)
    return {"language": language, "probability": probability}
