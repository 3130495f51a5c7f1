"""Tells the type of a file from its content. The model is in the package magika."""

import base64

import jsorc
from magika import Magika
from onnxruntime import InferenceSession, SessionOptions


class OneThread(Magika):
    """Magika starts a thread a core and has no switch for it. They wait for each other by spinning,
    which costs twice the processor time and, when several calls run at once, the time of a call."""

    def _init_onnx_session(self):
        options = SessionOptions()
        options.intra_op_num_threads = 1
        return InferenceSession(self._model_path, options, providers=["CPUExecutionProvider"])


model = OneThread()


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
