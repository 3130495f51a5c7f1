"""Errors that actions raise and callers see."""


class HTTPError(Exception):
    """Raise it in an action to answer with a status of your choice.

    status   HTTP status, 400 to 599 for an error
    detail   any JSON value; becomes ``{"detail": detail}``
    headers  further response headers, or None
    """

    def __init__(self, status, detail=None, headers=None):
        if not 200 <= status <= 599:
            raise ValueError(f"not an HTTP status for an answer: {status!r}")
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def __str__(self):
        return f"{self.status}: {self.detail}"


class ActionError(Exception):
    """A call of an action has failed. What its caller sees does not depend on where the action's
    module is placed.

    action   its name
    status   HTTP status of the answer; 0 when there was none
    detail   what went wrong: text, the list of a 422, or what HTTPError was given
    type     name of the exception in the action; None where it answered with a status of its own
             choice (HTTPError)
    message  the detail as text

    Where the action ran in the caller's own process, its exception is the ``__cause__``.
    """

    def __init__(self, action, status, detail, type=None):
        super().__init__(action, status, detail, type)
        self.action = action
        self.status = status
        self.detail = detail
        self.type = type

    @property
    def message(self):
        return _text(self.detail)

    def __str__(self):
        where = f"action '{self.action}'"
        if self.status:
            where += f" answered {self.status}"
        if self.type:
            where += f" ({self.type})"
        return f"{where}: {self.message}"


def _text(detail):
    """A 422's entries as ``text: field required``; all else as it prints."""
    if not isinstance(detail, list):
        return str(detail)
    return "; ".join(_entry_text(entry) for entry in detail)


def _entry_text(entry):
    if not isinstance(entry, dict) or not isinstance(entry.get("loc"), list):
        return str(entry)
    where = ".".join(str(part) for part in entry["loc"][1:])
    return f"{where}: {entry.get('msg')}" if where else str(entry.get("msg"))
