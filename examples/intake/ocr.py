"""Reads the text in an image. The recognition models are in the package rapidocr-onnxruntime."""

import base64

import jsorc
from rapidocr_onnxruntime import RapidOCR

engine = None


@jsorc.action
def setup(threads: int = 1):
    """Loads the models. Runs once, before the first call.

    threads: cores that one call may use. 1 gives the most pages a second when several requests
    run at once; more gives a single page sooner.
    """
    global engine
    engine = RapidOCR(
        intra_op_num_threads=threads,
        det_model_path=None,  # the one in the package
        det_limit_type="max",  # a page over that many pixels is scaled down, a small one never up
        det_limit_side_len=2000,
        use_cls=False,  # the check for upside-down lines turns a good one round now and then
        use_angle_cls=False,  # the same, in the older release that Python 3.13 gets
    )


@jsorc.action(idempotent=True)
def read(image: str) -> dict:
    """Reads an image, from top to bottom.

    image: a PNG, JPEG, WebP, BMP or TIFF file, base64.
    Returns text (the lines joined by newlines, "" when there are none) and lines, a list of
    {text, score, box}: score 0..1, box = four corners [x, y] in pixels, clockwise from top left.
    """
    found, _ = engine(base64.b64decode(image, validate=True))
    lines = [{"text": text, "score": float(score), "box": box} for box, text, score in found or []]
    return {"text": "\n".join(line["text"] for line in lines), "lines": lines}
